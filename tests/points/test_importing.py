"""Whatever file comes and however often, each purchase in it is recorded once."""

import csv
import io
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
import xlsxwriter
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty import outbox
from loyalty.commands import main
from loyalty.database import transaction
from loyalty.points import files, intake
from loyalty.points.files import BadFile
from loyalty.points.layout import Layout
from loyalty.web import Refused
from tests.points.builders import BASE, World, balance, build_world
from tests.points.filing import (
    HEADER,
    LAYOUT,
    ROWS,
    apply,
    begin,
    csv_text,
    faults,
    finish,
    look,
    purchases,
    stage,
    take_in,
    write,
)
from tests.servers import Database

CHINESE = {
    "columns": {"customer": "客户号", "purchased_at": "日期", "amount": "金额", "outlet": "网点"}
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's file stands."""
    return tmp_path / "purchases"


def test_a_file_becomes_purchases_with_points(world: World, path: Path) -> None:
    staged = stage(world, write(path, csv_text(ROWS)))
    assert (staged.total, staged.sound, staged.faulty, staged.amount) == (3, 3, 0, 11729)
    assert purchases() == [], "nothing of a staged file counts"
    done = apply(staged.id)
    assert (done.state, done.recorded, done.refused, done.points) == ("done", 3, 0, 12 + 99 + 5)
    assert balance(world, "00001").posted == 17
    assert balance(world, "00002").posted == 99


def test_a_day_begins_at_midnight_in_the_programmes_zone(world: World, path: Path) -> None:
    take_in(world, write(path, csv_text([("00001", "2026-01-02", "1")])))
    midnight = datetime(2026, 1, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert purchases()[0][2] == midnight.astimezone(UTC)


def test_the_same_file_again_changes_nothing_whatever_its_order(world: World, path: Path) -> None:
    rows = [*ROWS * 3, ("00002", "2026-03-01", "7.00")]
    take_in(world, write(path, csv_text(rows)))
    before = purchases()
    assert len(before) == 10
    random.Random(1).shuffle(rows)
    staged = stage(world, write(path, csv_text(rows)))
    assert (staged.known, staged.changed) == (10, 0)
    again = apply(staged.id)
    assert (again.recorded, again.replayed) == (0, 10)
    assert purchases() == before


def test_rows_that_say_the_same_are_purchases_of_their_own(
    world: World, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Chunks so small that equal rows are divided among many.
    monkeypatch.setattr(intake.apply_next, "__kwdefaults__", {"limit": 7})
    done = take_in(world, write(path, csv_text([ROWS[0]] * 255)))
    assert done.recorded == 255
    assert balance(world).posted == 255 * 12


def test_one_more_row_of_the_same_is_one_more_purchase(world: World, path: Path) -> None:
    take_in(world, write(path, csv_text([ROWS[0]] * 2)))
    done = take_in(world, write(path, csv_text([ROWS[0]] * 3)))
    assert (done.recorded, done.replayed) == (1, 2)


def test_a_number_of_the_source_makes_a_purchase_what_it_is(world: World, path: Path) -> None:
    layout = {"columns": {**LAYOUT["columns"], "reference": "no"}}
    header = ("no", *HEADER)
    take_in(world, write(path, csv_text([("a1", *ROWS[0])], header)), layout=layout)
    rows = [("a1", *ROWS[0]), ("a1", *ROWS[1]), ("a2", *ROWS[0])]
    staged = stage(world, write(path, csv_text(rows, header)), layout=layout)
    assert (staged.known, staged.changed) == (2, 1)
    done = apply(staged.id)
    assert (done.recorded, done.replayed, done.refused) == (1, 1, 1)
    assert faults(done.id) == [(3, "no", "reference-reused")]


def test_sources_have_numbers_of_their_own(world: World, path: Path) -> None:
    write(path, csv_text(ROWS))
    take_in(world, path, source="pos")
    assert take_in(world, path, source="cards").recorded == 3


def test_unknown_customers_are_refused_by_row(world: World, path: Path) -> None:
    staged = stage(world, write(path, csv_text([*ROWS, ("00003", "2026-01-01", "1")])))
    assert staged.unknown == 1
    done = apply(staged.id)
    assert (done.recorded, done.refused) == (3, 1)
    assert faults(done.id) == [(5, "customer", "unknown-customer")]


def test_unknown_customers_are_registered_when_asked_for(world: World, path: Path) -> None:
    card = "4111111111111111"  # a card's number is no reference, and never becomes one
    rows = [("00003", "2026-01-01", "1"), (card, "2026-01-01", "1"), *ROWS]
    done = take_in(world, write(path, csv_text(rows)), register_unknown=True)
    assert (done.recorded, done.refused) == (4, 1)
    assert faults(done.id) == [(3, "customer", "unknown-customer")]


def chinese_text() -> str:
    rows = [(*ROWS[0], "北京朝阳店"), (*ROWS[1], "联通大厦"), (*ROWS[2], "")]
    return csv_text(rows, ("客户号", "日期", "金额", "网点"))


def workbook(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("六月")
        day = book.add_format({"num_format": "yyyy/m/d"})
        sheet.write_row(0, 0, ("客户号", "日期", "金额", "网点"))
        for number, (customer, bought, amount) in enumerate(ROWS, 1):
            sheet.write_string(number, 0, customer)
            sheet.write_datetime(number, 1, datetime.fromisoformat(bought), day)
            sheet.write_number(number, 2, float(amount))
        sheet.write(1, 3, "北京朝阳店")
        sheet.write(2, 3, "联通大厦")


@pytest.mark.parametrize("kind", ["utf-8-sig", "gb18030", "semicolons", "tabs", "xlsx"])
def test_a_file_says_the_same_in_every_encoding_and_form(
    world: World, path: Path, kind: str
) -> None:
    take_in(world, write(path, chinese_text()), layout=CHINESE)
    before = purchases()
    match kind:
        case "xlsx":
            workbook(path)
        case "semicolons":
            write(path, chinese_text().replace(",", ";"))
        case "tabs":
            write(path, chinese_text().replace(",", "\t"))
        case encoding:
            write(path, chinese_text().encode(encoding))
    done = take_in(world, path, layout=CHINESE)
    assert (done.recorded, done.replayed, done.faulty) == (0, 3, 0)
    assert purchases() == before


def test_money_is_read_as_text_and_never_as_a_float(world: World, path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        # What a computed cell holds: more digits than anybody sees.
        sheet.write_row(1, 0, ("00001", "2026-01-02"))
        sheet.write_number(1, 2, 11.77 + 1e-15 * 3)
        sheet.write_row(2, 0, ("00001", "2026-01-02", "90071992547409.91"))
    assert stage(world, path).amount == 1177 + (2**53 - 1)


def test_a_layout_says_dates_amounts_and_constants(world: World, path: Path) -> None:
    layout = {
        **LAYOUT,
        "dates": "%d/%m/%Y %H:%M",
        "amounts": "minor",
        "constants": {"category": "5411"},
    }
    write(path, csv_text([("00001", "03/02/2026 08:30", "1230")]))
    take_in(world, path, layout=layout)
    (customer, _, at, amount, category), *_ = purchases()
    assert (customer, amount, category) == ("00001", 1230, "5411")
    assert at == datetime(2026, 2, 3, 0, 30, tzinfo=UTC)


BAD_ROWS = [
    ('00001,2026-01-02,"1"2', "", "quotes"),
    ('00001,"2026-01-02"x,"1"', "", "quotes"),
    ("00001,2026-01-02", "", "cells"),
    ("00001,2026-01-02,1,2", "", "cells"),
    ("00001,2026-02-30,1", "day", "date"),
    ("00001,20260102,1", "day", "date"),
    ("00001,２０２６-01-02,1", "day", "date"),
    ("00001,2999-01-01,1", "day", "future-dated"),
    ('00001,2026-01-02,"1,234.50"', "amount", "amount"),
    ("00001,2026-01-02,1e3", "amount", "amount"),
    ("00001,2026-01-02,NaN", "amount", "amount"),
    ("00001,2026-01-02,１２", "amount", "amount"),
    ("00001,2026-01-02,1.234", "amount", "amount"),
    ("00001,2026-01-02,=1+1", "amount", "amount"),
    ("00001,2026-01-02,90071992547409.92", "amount", "amount"),
    ("00001,2026-01-02,-5.00", "amount", "negative"),
    ("00001,2026-01-02,", "amount", "missing"),
    ("=HYPERLINK(0),2026-01-02,1", "customer", "customer"),
    ("客户,2026-01-02,1", "customer", "customer"),
    ("0000\x001,2026-01-02,1", "customer", "customer"),
    ("x" * 70_000 + ",2026-01-02,1", "", "line-too-long"),
    ("," * 100_000, "", "line-too-long"),
    ("x" + "," * 50_000 + "y", "", "cells"),
]


@pytest.mark.parametrize(("line", "column", "code"), BAD_ROWS, ids=lambda value: str(value)[:25])
def test_a_bad_row_is_refused_alone(
    world: World, path: Path, line: str, column: str, code: str
) -> None:
    write(path, f"{','.join(HEADER)}\n{','.join(ROWS[0])}\n{line}\n{','.join(ROWS[1])}\n")
    done = take_in(world, path)
    assert (done.total, done.recorded, done.faulty) == (3, 2, 1)
    assert faults(done.id) == [(3, column, code)]


@pytest.mark.parametrize(
    ("value", "code"),
    [("=cmd", "formula"), ("@x", "formula"), ("a\x07b", "characters"), ("x" * 61, "length")],
)
def test_texts_that_a_spreadsheet_would_run_are_refused(
    world: World, path: Path, value: str, code: str
) -> None:
    layout = {"columns": {**LAYOUT["columns"], "outlet": "shop"}}
    write(path, csv_text([(*ROWS[0], value)], (*HEADER, "shop")))
    assert faults(stage(world, path, layout).id) == [(2, "shop", code)]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_field_in_quotes_may_hold_line_ends(
    world: World, path: Path, encoding: str, end: str
) -> None:
    notes = ["一行", f"两{end}行", f'他说"好",{end}{end}00009,2026-01-02,9{end}', "", '5" 管']
    written = io.StringIO(newline="")
    lines = csv.writer(written, lineterminator=end)
    lines.writerow((f"备{end}注", *HEADER))
    for number, note in enumerate(notes, 1):
        lines.writerow((note, "00001", f"2026-01-0{number}", f"{number}.00"))
    lines.writerow((f"a{end}b", "00001", "never", "1"))
    done = take_in(world, write(path, written.getvalue().encode(encoding)))
    assert (done.total, done.recorded, done.faulty) == (6, 5, 1)
    before = 2 + sum(1 + note.count(end) for note in notes) + 1
    assert faults(done.id) == [(before, "day", "date")]
    assert balance(world).posted == 1 + 2 + 3 + 4 + 5


@given(
    st.lists(
        st.lists(st.text(st.sampled_from('ab,;\n"'), max_size=6), min_size=2, max_size=2),
        min_size=1,
        max_size=6,
    )
)
def test_what_a_writer_wrote_is_read_as_it_was(
    tmp_path_factory: Any, rows: list[list[str]]
) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([["customer", "other"], *rows])
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    path.write_text(written.getvalue(), newline="")
    layout = Layout(columns={"customer": "customer"}, delimiter=",")
    read = [list(cells) for _, cells in files.read_csv(path, layout).rows]
    assert read == [row for row in rows if any(row)]


def test_every_fault_of_a_row_is_named(world: World, path: Path) -> None:
    staged = stage(world, write(path, csv_text([("?", "?", "?")])))
    assert staged.faulty == 1
    assert faults(staged.id) == [
        (2, "amount", "amount"),
        (2, "customer", "customer"),
        (2, "day", "date"),
    ]


ODD = "00001,2026-01-05,1,上海浦东店\r\n"


@pytest.mark.parametrize(
    ("most", "odd", "told"),
    [
        ("utf-8", ODD.encode("gb18030"), None),
        ("utf-8", ODD.encode("gb18030"), "utf-8"),
        ("gb18030", ODD.encode(), None),
        ("gb18030", b"00001,2026-01-05,1,\xff\xff\r\n", "gb18030"),
    ],
)
def test_rows_in_another_encoding_than_the_rest_are_refused(
    world: World, path: Path, most: str, odd: bytes, told: str | None
) -> None:
    layout = {**CHINESE, **({"encoding": told} if told else {})}
    staged = stage(world, write(path, chinese_text().encode(most) + odd), layout)
    assert (staged.sound, staged.faulty) == (3, 1)
    assert faults(staged.id) == [(5, "", "encoding")]


BAD_FILES: list[tuple[bytes, str, int, str]] = [
    (b"", "empty", 1, ""),
    (b"customer,day\n00001,2026-01-02\n", "missing-column", 1, "amount"),
    (b"customer,day,amount,day\n", "duplicate-header", 1, "day"),
    (b'customer,day,"amount\n', "open-quote", 1, ""),
    (
        b'customer,day,amount\n1,2026-01-02,1\n2,"2026-01-02,1\n3,2026-01-02,1\n',
        "open-quote",
        3,
        "",
    ),
    (
        b'customer,day,amount\n1,2026-01-02,"1\n2,2026-01-02,1\n3,2026-01-02,"1"\n',
        "open-quote",
        2,
        "",
    ),
    (b'customer,day,amount\n1,2026-01-02,"1\n2,"2026-01-02",1\n', "open-quote", 2, ""),
    (b'customer,day,amount\n1,2026-01-02,"' + b"1\n" * 40_000 + b'"\n', "open-quote", 2, ""),
    (b'customer,day,amount\n1,2026-01-02,"' + b"1" * 70_000 + b'\n2"\n', "open-quote", 2, ""),
    (
        b"customer,day,amount," + b",".join(b"c%d" % n for n in range(400)),
        "too-many-columns",
        1,
        "",
    ),
    (b"," * 100_000 + b"\n", "line-too-long", 1, ""),
    (b"\xff\xfec\x00u\x00", "file-kind", 1, ""),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file-kind", 1, ""),
    (b"PK\x03\x04 no archive", "workbook", 1, ""),
]


@pytest.mark.parametrize(("content", "code", "row", "column"), BAD_FILES, ids=lambda v: str(v)[:25])
def test_a_file_that_cannot_be_read_is_refused_whole(
    world: World, path: Path, content: bytes, code: str, row: int, column: str
) -> None:
    with pytest.raises(BadFile) as refused:
        stage(world, write(path, content))
    assert (refused.value.code, refused.value.row, refused.value.column) == (code, row, column)
    assert intake.refuse(refused.value).code == "unusable-file"


@pytest.mark.parametrize(
    "layout",
    [
        {"columns": {"customer": "a", "purchased_at": "b"}},
        {"columns": {**LAYOUT["columns"], "colour": "c"}},
        {"columns": {**LAYOUT["columns"], "amount": 3}},
        {**LAYOUT, "dates": "%Y-%m"},
        {**LAYOUT, "dates": "%Y-%m-%d %s"},
        {**LAYOUT, "amounts": "float"},
        {**LAYOUT, "encoding": "utf-7"},
        {**LAYOUT, "constants": {"amount": "1"}},
        {**LAYOUT, "run": "me"},
    ],
    ids=str,
)
def test_a_layout_that_makes_no_sense_is_refused(
    world: World, path: Path, layout: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        stage(world, path, layout)
    assert refused.value.code == "invalid-layout"


def test_an_import_has_one_file_and_one_run(world: World, path: Path) -> None:
    staged = stage(world, write(path, csv_text(ROWS)))
    with transaction() as session, pytest.raises(Refused, match="already-staged"):
        intake.stage(session, staged.id, path)
    assert begin(staged.id) == begin(staged.id)
    finish(staged.id)
    begin(staged.id)
    assert look(staged.id).recorded == 3


def test_an_import_stops_between_chunks_and_goes_on(
    world: World, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake.apply_next, "__kwdefaults__", {"limit": 10})
    staged = stage(world, write(path, csv_text(ROWS * 30)))
    run = begin(staged.id)
    outbox.advance(intake.KIND, 0)
    assert look(staged.id).recorded == 10
    with transaction() as session:
        outbox.stop_run(session, run)
    outbox.advance(intake.KIND, 60)
    assert (look(staged.id).state, look(staged.id).recorded) == ("stopped", 10)
    with transaction() as session:
        outbox.resume_run(session, run)
    assert finish(staged.id).recorded == 90


def test_an_amount_too_large_to_count_spoils_no_neighbour(database: Database, path: Path) -> None:
    # Each rule's points can be counted; together with one more they cannot.
    world = build_world(("more", {"gives": "fixed", "points": 1}), base={**BASE, "points": 100})
    huge = ("00001", "2026-01-02", "90071992547409.91")
    done = take_in(world, write(path, csv_text([*ROWS, huge, *ROWS])))
    assert (done.recorded, done.refused) == (6, 1)
    assert faults(done.id) == [(5, "amount", "overflow")]


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_import_goes_on_and_records_each_row_once(
    world: World, path: Path, database: Database, seed: int
) -> None:
    rows = [
        (f"{n % 500:05}", f"2026-01-{n % 28 + 1:02}", f"{n % 90 + 1}.00") for n in range(12_000)
    ]
    write(path, csv_text(rows))
    words = ["import", "purchases", str(path), "--programme", "sample", "--source", "pos"]
    words += ["--map", "purchased_at=day", "--register-unknown"]
    importing = subprocess.Popen(
        [sys.executable, "-m", "loyalty", *words], stdout=subprocess.DEVNULL
    )
    goal = random.Random(seed).randrange(2000, 10_000)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        until = time.monotonic() + 60
        while time.monotonic() < until and importing.poll() is None:
            row = connection.execute("SELECT max(recorded) FROM loyalty.imports").fetchone()
            if row and row[0] is not None and row[0] >= goal:
                break
        importing.send_signal(signal.SIGKILL)
        importing.wait()
        row = connection.execute("SELECT id, recorded FROM loyalty.imports").fetchone()
        assert row is not None
        assert 0 < row[1] < 12_000, "killed in the middle"
        # Let the dead process' lease be over now instead of in half a minute.
        connection.execute("UPDATE loyalty.runs SET lease_until = now() - interval '1 second'")
    done = finish(row[0])
    assert (done.recorded, done.replayed, done.refused) == (12_000, 0, 0)
    assert done.points == sum(n % 90 + 1 for n in range(12_000))
    with transaction() as session:
        count, references = session.execute(
            text("SELECT count(*), count(DISTINCT reference) FROM loyalty.purchases")
        ).one()
    assert (count, references) == (12_000, 12_000)


STAGING = """
import resource, sys
from pathlib import Path
from tests.points.builders import build_world
from tests.points.filing import stage
world = build_world()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
staged = stage(world, Path(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(staged.total, staged.faulty, (after - before) // 1024)
"""


@pytest.mark.parametrize("shape", ["many-rows", "gigabyte-line"])
def test_staging_takes_bounded_memory(database: Database, path: Path, shape: str) -> None:
    with path.open("wb") as file:
        file.write(b"customer,day,amount\n")
        if shape == "many-rows":
            for n in range(300_000):
                file.write(b"c%06d,2026-01-%02d,%d.%02d\n" % (n, n % 28 + 1, n % 997, n % 100))
        else:
            file.seek(2**30, os.SEEK_CUR)  # a line of zeros that takes no room on the disk
            file.write(b"\n00001,2026-01-02,1\n")
    ran = subprocess.run(
        [sys.executable, "-c", STAGING, str(path)], capture_output=True, text=True, check=True
    )
    total, faulty, megabytes = (int(word) for word in ran.stdout.split())
    assert (total, faulty) == ((300_000, 0) if shape == "many-rows" else (2, 1))
    assert megabytes < 64


def test_the_command_imports_reports_and_writes_errors(
    world: World, path: Path, tmp_path: Path
) -> None:
    rows = [*ROWS, ("00001", "2026-02-30", "1"), ("00009", "2026-01-01", "1")]
    write(path, csv_text(rows, ("customer", "=day", "amount")))
    words = ["import", "purchases", str(path), "--programme", "sample", "--source", "pos"]
    words += ["--map", "purchased_at==day", "--errors", str(tmp_path / "errors.csv")]
    dry = CliRunner().invoke(main, [*words, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "5 rows" in dry.output
    assert purchases() == []
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    assert "Recorded 3 purchases" in ran.output
    lines = (tmp_path / "errors.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["5", "'=day", "date"],
        ["6", "customer", "unknown-customer"],
    ]


def test_the_command_says_what_is_wrong_with_a_file(world: World, path: Path) -> None:
    write(path, "customer,day\n")
    words = ["import", "purchases", str(path), "--programme", "sample", "--source", "pos"]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 1
    assert "missing-column" in ran.output
    assert "Traceback" not in ran.output


def test_rows_of_old_imports_are_forgotten_and_their_reports_stay(
    world: World, path: Path, database: Database
) -> None:
    done = take_in(world, write(path, csv_text(ROWS)))
    waiting = stage(world, path)
    with transaction() as session:
        assert intake.forget_rows(session) == 0
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE loyalty.runs SET finished_at = now() - interval '40 days'")
        connection.execute("UPDATE loyalty.imports SET created_at = now() - interval '40 days'")
    with transaction() as session:
        assert intake.forget_rows(session) == 6
        assert intake.find_import(session, done.id).recorded == 3
        with pytest.raises(Refused, match="import-expired"):
            intake.begin(session, waiting.id, created_by="job:test")
