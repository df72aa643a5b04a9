"""The verifier: what was written passes, and the first row that was tampered with is named."""

import ast
import copy
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger import checkpoints, proofs, sealing
from ledger.base import Base
from ledger.dump import dump_tables
from loyalty.database import transaction
from tests.ledger.builders import build_world, earn, posted
from tests.ledger.verifying import (
    VERIFIER,
    Answer,
    as_superuser,
    rich_world,
    seal_all,
    sign,
    verifier,
    verify,
    verify_database,
    verify_here,
)
from tests.servers import Database

Tables = dict[str, list[dict[str, Any]]]


def dumped(folder: Path) -> Path:
    with transaction() as session:
        dump_tables(session, folder)
    return folder


def export(path: Path, *items: checkpoints.Checkpoint) -> Path:
    checkpoints.append_checkpoints(path, list(items))
    return path


def test_what_was_written_passes(database: Database, tmp_path: Path) -> None:
    rich_world()
    seal_all(limit=7)
    sign(tmp_path)
    answer = verify_database(database, tmp_path)
    assert answer.status == 0, answer.report
    assert answer.report["checked"]["sealed entries"] == answer.report["checked"]["leaves"] > 20
    assert answer.report["not_proved"]


def test_a_log_may_be_hashed_with_sm3(database: Database, tmp_path: Path) -> None:
    rich_world()
    log = replace(sealing.LEDGER, algorithm="sm3")
    seal_all(log)
    assert sign(tmp_path, log).algorithm == "sm3"
    answer = verify_database(database, tmp_path)
    assert answer.status == 0, answer.report
    with pytest.raises(checkpoints.HistoryChanged, match="begun with sm3"):
        sign(tmp_path)


def test_what_is_not_sealed_yet_is_added_up_and_said_to_be_unsealed(
    database: Database, tmp_path: Path
) -> None:
    world = rich_world()
    seal_all()
    sign(tmp_path)
    posted(earn(world, 5, "after"))
    answer = verify_database(database, tmp_path)
    assert answer.status == 0, answer.report
    assert answer.report["checked"]["unsealed entries"] == 1


# A superuser's statement, and the row that must be named: {w} is the wallet, {other} the second.
TAMPERING: dict[str, tuple[str, dict[str, Any]]] = {
    "a reference is edited": (
        "UPDATE ledger.entries SET reference = 'x' WHERE reference = 'late'",
        {"account_id": "w", "id": 2},
    ),
    "a letter moves from one field to the next": (
        "UPDATE ledger.entries SET source = 'testl', reference = 'ate' WHERE reference = 'late'",
        {"account_id": "w", "id": 2},
    ),
    "a cause becomes null": (
        "UPDATE ledger.entries SET cause = NULL WHERE reference = 'why'",
        {"account_id": "w"},
    ),
    "no cause becomes a JSON null": (
        "UPDATE ledger.entries SET cause = 'null' WHERE reference = 'late'",
        {"account_id": "w", "id": 2},
    ),
    "an instant is edited": (
        "UPDATE ledger.entries SET effective_at = effective_at - interval '1 us'"
        " WHERE reference = 'late'",
        {"account_id": "w", "id": 2},
    ),
    "an amount is edited": (
        "UPDATE ledger.transfers SET amount = 101 WHERE account_id = {w} AND position = 2",
        {"account_id": "w", "position": 2},
    ),
    "an amount is edited everywhere": (
        "UPDATE ledger.transfers SET amount = amount + 1 WHERE account_id = {w} AND position = 2;"
        "UPDATE ledger.transfers SET balance_after = balance_after + 1"
        " WHERE account_id = {w} AND position >= 2;"
        "UPDATE ledger.lots SET amount = amount + 1, remaining = remaining + 1, open = true"
        " WHERE account_id = {w} AND position = 2;"
        "UPDATE ledger.lot_totals t SET remaining = t.remaining + 1 FROM ledger.lots l"
        " WHERE l.account_id = {w} AND l.position = 2 AND t.account_id = {w}"
        " AND t.expires_at = l.expires_at AND t.available_from = l.available_from;"
        "UPDATE ledger.totals SET credits = credits + 1 WHERE account_id = {w};"
        "UPDATE ledger.totals t SET debits = debits + 1 FROM ledger.accounts a"
        " WHERE a.id = t.account_id AND a.role = 'issued';"
        "UPDATE ledger.wallets SET posted = posted + 1 WHERE account_id = {w}",
        {"account_id": "w", "id": 2},
    ),
    "a transfer goes to another account": (
        "UPDATE ledger.transfers SET to_account_id = (SELECT id FROM ledger.accounts"
        " WHERE role = 'adjusted') WHERE account_id = {w} AND position = 5",
        {"account_id": "w"},
    ),
    "a transfer is deleted": (
        "DELETE FROM ledger.transfers WHERE account_id = {w} AND position = 2",
        {"account_id": "w", "position": 2},
    ),
    "an entry is deleted with all that belongs to it": (
        "DELETE FROM ledger.entries WHERE account_id = {w} AND id = 2;"
        "DELETE FROM ledger.transfers WHERE account_id = {w} AND position = 2;"
        "DELETE FROM ledger.lots WHERE account_id = {w} AND position = 2;"
        "DELETE FROM ledger.lot_uses WHERE account_id = {w} AND lot = 2",
        {"account_id": "w", "id": 2},
    ),
    "an entry is deleted with its seal": (
        "DELETE FROM ledger.entries WHERE account_id = {w} AND id = 2;"
        "DELETE FROM ledger.transfers WHERE account_id = {w} AND position = 2;"
        "DELETE FROM ledger.seals WHERE account_id = {w} AND entry_id = 2;",
        {"log": "ledger", "seal_no": 2},
    ),
    "an entry is slipped in": (
        "INSERT INTO ledger.entries SELECT {other}, 3, home_id, kind, source, 'new', digest, 0, 0,"
        " cause, effective_at, recorded_at FROM ledger.entries WHERE reference = 'late'",
        {"account_id": "other", "id": 3},
    ),
    "a transfer is slipped in": (
        "INSERT INTO ledger.transfers SELECT account_id, position + 1000, entry_id,"
        " from_account_id, to_account_id, amount, balance_after, reverses"
        " FROM ledger.transfers WHERE account_id = {w} AND position = 2",
        {"account_id": "w", "position": 1002},
    ),
    "two entries change places": (
        "UPDATE ledger.entries SET id = CASE id WHEN 1 THEN -2 ELSE -1 END WHERE id IN (1, 2);"
        "UPDATE ledger.entries SET id = -id WHERE id < 0",
        {"account_id": "w"},
    ),
    "two transfers change places": (
        "UPDATE ledger.transfers SET position = CASE position WHEN 1 THEN 9002 ELSE 9001 END"
        " WHERE account_id = {w} AND position IN (1, 2);"
        "UPDATE ledger.transfers SET position = position - 9000 WHERE position > 9000",
        {"account_id": "w", "position": 1},
    ),
    "an amount moves between two lots": (
        "UPDATE ledger.lots SET remaining = remaining - 1 WHERE account_id = {w} AND position = 2;"
        "UPDATE ledger.lots SET remaining = remaining + 1 WHERE account_id = {w} AND position = 4",
        {"account_id": "w", "position": 2},
    ),
    "an amount moves between two lots with its uses": (
        "UPDATE ledger.lot_uses SET lot = 4 WHERE account_id = {w} AND position = 5 AND lot = 2",
        {"account_id": "w"},
    ),
    "a lot lives longer": (
        "UPDATE ledger.lots SET expires_at = expires_at + interval '1 day'"
        " WHERE account_id = {w} AND position = 2",
        {"account_id": "w", "id": 2},
    ),
    "a lot gets other terms": (
        "UPDATE ledger.lots SET terms = '' WHERE account_id = {w} AND position = 2",
        {"account_id": "w", "id": 2},
    ),
    "a wallet gets another holder": (
        "UPDATE ledger.accounts SET holder = 'cus:9' WHERE id = {w}",
        {"account_id": "w", "id": 1},
    ),
    "a house account gets another role": (
        "UPDATE ledger.accounts SET role = 'given' WHERE role = 'issued'",
        {"account_id": "w", "id": 1},
    ),
    "a unit gets another code": (
        "UPDATE ledger.units SET code = 'gold'",
        {"account_id": "w", "id": 1},
    ),
    "a wallet gets another floor": (
        "UPDATE ledger.wallets SET floor = -5000 WHERE account_id = {w}",
        {"account_id": "w", "id": 1},
    ),
    "a balance is edited": (
        "UPDATE ledger.wallets SET posted = posted + 1 WHERE account_id = {other}",
        {"account_id": "other"},
    ),
    "a debt is forgiven": (
        "UPDATE ledger.wallets SET debt = debt + 1 WHERE account_id = {w}",
        {"account_id": "w"},
    ),
    "a wallet is deleted": (
        "DELETE FROM ledger.wallets WHERE account_id = {other}",
        {"account_id": "other"},
    ),
    "an account is deleted": ("DELETE FROM ledger.accounts WHERE id = {other}", {"id": "other"}),
    "a hold lasts longer": (
        "UPDATE ledger.holds SET lapses_at = lapses_at + interval '1 day' WHERE id = 7",
        {"account_id": "w", "id": 7},
    ),
    "a hold is used up": (
        "UPDATE ledger.holds SET remaining = 0 WHERE id = 7",
        {"account_id": "w", "id": 7},
    ),
    "a hold's lot is edited": (
        "UPDATE ledger.hold_lots SET remaining = 0 WHERE hold_id = 7",
        {"account_id": "w", "hold_id": 7},
    ),
    "a hold's move is deleted": (
        "DELETE FROM ledger.hold_moves WHERE kind = 'release'",
        {"account_id": "w"},
    ),
    "a lot's expired part is edited": (
        "UPDATE ledger.lots SET expired = 1 WHERE account_id = {w} AND position = 2",
        {"account_id": "w", "position": 2},
    ),
    "a total by date is edited": (
        "UPDATE ledger.lot_totals SET remaining = remaining + 1 WHERE account_id = {other}",
        {"account_id": "other"},
    ),
    "a total by date is deleted": (
        "DELETE FROM ledger.lot_totals WHERE account_id = {other}",
        {"account_id": "other"},
    ),
    "a rolled-up total is edited": (
        "UPDATE ledger.totals SET credits = credits + 1 WHERE account_id = {other}",
        {"account_id": "other"},
    ),
    "a house's rolled-up total is deleted": (
        "DELETE FROM ledger.totals WHERE account_id = (SELECT id FROM ledger.accounts"
        " WHERE role = 'expired')",
        {},
    ),
    "a leaf is edited": (
        "UPDATE ledger.seals SET leaf = sha256('x') WHERE seal_no = 4",
        {"account_id": "w", "id": 5},
    ),
    "a leaf is deleted": ("DELETE FROM ledger.seals WHERE seal_no = 4", {"log": "ledger"}),
    "two leaves change places": (
        "UPDATE ledger.seals SET seal_no = CASE seal_no WHEN 4 THEN 9005 ELSE 9004 END"
        " WHERE seal_no IN (4, 5); UPDATE ledger.seals SET seal_no = seal_no - 9000"
        " WHERE seal_no > 9000",
        {"log": "ledger", "seal_no": 5},
    ),
    "the tail of the leaves is cut": (
        "DELETE FROM ledger.seals WHERE seal_no > 4",
        {"log": "ledger"},
    ),
    "a node is slipped in": (
        "INSERT INTO ledger.seal_nodes VALUES ('ledger', 1, 0, sha256('x'))",
        {"log": "ledger", "level": 1, "number": 0},
    ),
    "a checkpoint gets another root": (
        "UPDATE ledger.checkpoints SET root = sha256('x')",
        {"log": "ledger"},
    ),
    "a checkpoint gets another instant": (
        "UPDATE ledger.checkpoints SET at = at + interval '1 day'",
        {"log": "ledger"},
    ),
    "a checkpoint gets another signature": (
        "UPDATE ledger.checkpoints SET signature = sha256('x') || sha256('y')",
        {"log": "ledger"},
    ),
}


def test_each_way_of_tampering_in_the_database_is_found_and_its_row_named(
    database: Database, tmp_path: Path
) -> None:
    world = rich_world()
    numbers = {"w": world.wallet, "other": other_wallet(database)}
    seal_all()
    sign(tmp_path)
    as_superuser(database)
    module = verifier()
    missed = []
    with psycopg.connect(database.superuser_url) as connection:
        for name, (statements, key) in TAMPERING.items():
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in statements.format(**numbers).split(";"):
                connection.execute(statement)
            answer = verify_here(module, module.Live(connection), tmp_path)
            connection.rollback()
            expected = {column: numbers.get(value, value) for column, value in key.items()}
            if answer.status != 1 or not answer.names(**expected):
                missed.append((name, expected, answer.report["first"]))
        assert verify_here(module, module.Live(connection), tmp_path).status == 0
    assert not missed


def other_wallet(database: Database) -> int:
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute("SELECT id FROM ledger.accounts WHERE holder = 'cus:2'").fetchone()
    assert row is not None
    return int(row[0])


def is_unprovable(table: str, row: dict[str, Any], column: str) -> bool:
    """House accounts stand in leaves with id, role and holder; one never used, in none."""
    if table == "lot_totals" and row["remaining"] == 0:
        return column in ("expires_at", "available_from")  # nothing is said of nothing
    if table != "accounts" or row["holder"]:
        return False
    return column == "opened_at" or (row["role"] == "adjusted" and column != "unit_id")


def test_each_random_change_of_a_dump_is_found(database: Database, tmp_path: Path) -> None:
    rich_world()
    seal_all()
    exported = export(tmp_path / "out.jsonl", sign(tmp_path / "keys"))
    clean = read(dumped(tmp_path / "clean"))
    chance = random.Random(7)
    check = checker(tmp_path / "keys", tmp_path / "tampered", exported)
    assert check(clean).status == 0
    tables = [table for table, rows in clean.items() if rows]
    missed = []
    for _ in range(250):
        changed = copy.deepcopy(clean)
        table = chance.choice(tables)
        what = tamper(chance, table, changed[table])
        if check(changed).status != 1 and what is not None:
            missed.append((table, what))
    assert not missed


def checker(keys: Path, folder: Path, exported: Path) -> Callable[[Tables], Answer]:
    module = verifier()
    folder.mkdir()

    def check(tables: Tables) -> Answer:
        for name, rows in tables.items():
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(lines)
        report = module.Report()
        (folder / "rows.sqlite").unlink(missing_ok=True)
        with closing(module.Files(folder / "rows.sqlite")) as files:
            module.read_folder(folder, files, report)
            if report.count:
                return Answer(1, report.as_json(), "")
            return verify_here(module, files, keys, exported)

    return check


def tamper(chance: random.Random, table: str, rows: list[dict[str, Any]]) -> object:
    """Change one thing in a table's rows and return what, or None where nothing can show it."""
    number = chance.randrange(len(rows))
    row = rows[number]
    way = chance.choice(("edit", "edit", "edit", "delete", "repeat", "swap"))
    if way == "delete":
        rows.pop(number)
        unused = table == "accounts" and row["role"] in ("adjusted",)
        empty = table == "lot_totals" and row["remaining"] == 0
        return None if unused or empty else (way, row)
    if way == "repeat":
        rows.append(dict(row))
        return (way, row)
    column = chance.choice(list(row))
    if is_unprovable(table, row, column):
        return None
    before = row[column]
    if way == "edit":
        row[column] = edited(chance, before)
        return (way, column, before, row)
    other = chance.choice(rows)
    row[column], other[column] = other[column], before
    unseen = is_unprovable(table, other, column) or other[column] == row[column]
    return None if unseen else (way, column, row, other)


def edited(chance: random.Random, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if value is None:
        return 1
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 256))
    if value.startswith("\\x"):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    if value[:4].isdigit() and "T" in value:
        return value.replace(value[:4], str(int(value[:4]) - 1), 1)
    return value + " " if not value.startswith("{") else '{"a": 1}'


def read(folder: Path) -> Tables:
    return {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted(folder.glob("*.jsonl"))
    }


def test_a_tail_cut_with_its_checkpoints_is_found_by_one_that_left_the_house(
    database: Database, tmp_path: Path
) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    seal_all()
    first = sign(tmp_path)
    posted(earn(world, 2, "b"))
    seal_all()
    exported = export(tmp_path / "out.jsonl", first, sign(tmp_path))
    assert verify_database(database, tmp_path, "--checkpoints", exported).status == 0
    as_superuser(
        database,
        "DELETE FROM ledger.checkpoints WHERE size = 2",
        "DELETE FROM ledger.seals WHERE seal_no = 1",
        "DELETE FROM ledger.lots WHERE position = 2",
        "DELETE FROM ledger.lot_totals",
        "INSERT INTO ledger.lot_totals SELECT account_id, expires_at, available_from, 1, 0"
        " FROM ledger.lots",
        "DELETE FROM ledger.transfers WHERE position = 2",
        "DELETE FROM ledger.entries WHERE position = 2",
        "UPDATE ledger.wallets SET posted = 1, position = 1",
        "UPDATE ledger.totals SET credits = least(credits, 1), debits = least(debits, 1)",
    )
    assert verify_database(database, tmp_path).status == 0  # nothing in here tells of it
    answer = verify_database(database, tmp_path, "--checkpoints", exported)
    assert answer.status == 1
    assert answer.names(line=2)
    assert "tail was cut" in json.dumps(answer.report)


def test_two_histories_shown_to_two_people_are_found(database: Database, tmp_path: Path) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    seal_all()
    exported = export(tmp_path / "out.jsonl", sign(tmp_path))
    document = proofs_of(world.wallet)
    as_superuser(
        database,
        "DELETE FROM ledger.seals",
        "DELETE FROM ledger.totals",
        "DELETE FROM ledger.checkpoints",
        "UPDATE ledger.entries SET reference = 'other'",
    )
    seal_all()
    sign(tmp_path)
    assert verify_database(database, tmp_path).status == 0
    answer = verify_database(database, tmp_path, "--checkpoints", exported)
    assert answer.status == 1
    assert answer.names(line=1)
    other = proofs_of(world.wallet)
    for shown, status in ((document, 0), (other, 1)):
        path = tmp_path / "statement.json"
        path.write_text(json.dumps(shown))
        public = tmp_path / checkpoints.PUBLIC_KEY
        asked = ("--statement", path, "--public-key", public, "--checkpoints", exported)
        assert verify(*asked).status == status


def proofs_of(account: int) -> dict[str, Any]:
    with transaction() as session:
        document = proofs.export_statement(session, account)
    assert document is not None
    return document


def test_a_signature_of_another_key_is_refused(database: Database, tmp_path: Path) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    seal_all()
    sign(tmp_path / "own")
    checkpoints.create_sealing_key(tmp_path / "other")
    answer = verify_database(database, tmp_path / "other")
    assert answer.status == 1
    assert answer.first["table"] == "checkpoints"


def test_a_dump_is_verified_like_the_database(database: Database, tmp_path: Path) -> None:
    rich_world()
    seal_all()
    sign(tmp_path)
    public = tmp_path / checkpoints.PUBLIC_KEY
    plain = tmp_path / "dump.sql"
    plain.write_text(plain_dump(database))
    live = verify_database(database, tmp_path)
    for dump in (dumped(tmp_path / "folder"), plain):
        answer = verify("--dump", dump, "--public-key", public)
        assert (answer.status, answer.report) == (0, live.report), answer.errors
    plain.write_text(plain.read_text().replace("\tlate\ttest\t", "\tate\ttestl\t"))
    answer = verify("--dump", plain, "--public-key", public)
    assert answer.status == 1
    assert answer.first["table"] == "entries"
    assert answer.first["key"]["id"] == 2
    (tmp_path / "folder" / "seals.jsonl").unlink()
    assert verify("--dump", tmp_path / "folder", "--public-key", public).status == 2


def plain_dump(database: Database) -> str:
    """What `pg_dump --format=plain` writes of the rows: COPY blocks in no order."""
    pieces = ["-- PostgreSQL database dump\n", "SELECT pg_catalog.set_config('a', '', false);\n"]
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("SET timezone = 'Asia/Shanghai'")
        for model in (mapper.class_ for mapper in Base.registry.mappers):
            if model.__table__.schema != "ledger":
                continue
            table = model.__tablename__
            columns = ", ".join(reversed([column.name for column in model.__table__.columns]))
            pieces.append(f"COPY ledger.{table} ({columns}) FROM stdin;\n")
            with connection.cursor().copy(
                f"COPY (SELECT {columns} FROM ledger.{table} ORDER BY random()) TO STDOUT"
            ) as copy:
                pieces += [bytes(part).decode() for part in copy]
            pieces.append("\\.\n\n")
    return "".join(pieces)


def test_a_statement_proves_itself_with_the_public_key_alone(
    database: Database, tmp_path: Path
) -> None:
    world = rich_world()
    seal_all()
    sign(tmp_path)
    posted(earn(world, 5, "not sealed yet"))
    document = proofs_of(world.wallet)
    answer = verify_statement(tmp_path, document)
    assert answer.status == 0, answer.report
    lines = len(document["entries"])
    expected = {"proved lines": lines - 1, "lines without a proof yet": 1}
    assert answer.report["checked"] == expected


def test_a_statement_comes_in_pages_and_an_entry_alone(database: Database, tmp_path: Path) -> None:
    world = rich_world()
    seal_all()
    sign(tmp_path)
    whole = proofs_of(world.wallet)
    found, after = [], 0
    with transaction() as session:
        while after is not None:
            page = proofs.export_statement(session, world.wallet, after_entry=after, limit=7)
            assert page is not None
            assert verify_statement(tmp_path, page).status == 0
            found += page["entries"]
            after = page["next"]
        entry_id = found[3]["content"]["entry"][0]["id"]
        alone = proofs.prove_entry(session, world.wallet, entry_id)
        assert proofs.prove_entry(session, world.wallet, 999) is None
        assert proofs.export_statement(session, 999) is None
    assert found == whole["entries"]
    assert alone is not None
    assert alone["entries"] == [found[3]]
    assert verify_statement(tmp_path, alone).status == 0


def test_each_change_of_a_statement_is_found(database: Database, tmp_path: Path) -> None:
    world = rich_world()
    seal_all()
    sign(tmp_path)
    document = proofs_of(world.wallet)
    module = verifier()
    keys = module.read_keys([tmp_path / checkpoints.PUBLIC_KEY])
    missed = []
    for path in leaves_of(document):
        changed = copy.deepcopy(document)
        at = changed
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = edited_json(at[path[-1]])
        report = module.Report()
        module.check_statement(changed, keys, report)
        if not report.count and path[0] not in ("next", "after_entry"):
            missed.append(path)
    assert [path for path in missed if path not in (("balance", "held"), ("balance", "debt"))] == []
    for number in range(1, len(document["entries"]) - 1):
        changed = copy.deepcopy(document)
        if changed["entries"].pop(number)["content"]["transfers"]:
            report = module.Report()
            module.check_statement(changed, keys, report)
            assert report.count


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in items:
        if isinstance(inner, dict | list):
            yield from leaves_of(inner, (*path, step))
        else:
            yield (*path, step)


def edited_json(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1
    return "x" if value is None else value + "0"


def verify_statement(folder: Path, document: dict[str, Any]) -> Answer:
    path = folder / "statement.json"
    path.write_text(json.dumps(document))
    return verify("--statement", path, "--public-key", folder / checkpoints.PUBLIC_KEY)


def test_the_verifier_imports_nothing_of_the_house() -> None:
    own = {path.stem for path in VERIFIER.glob("*.py")}
    allowed = own | sys.stdlib_module_names | {"cryptography", "psycopg"}
    for path in VERIFIER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
    program = (
        "import runpy, sys; sys.argv[:] = [sys.argv[1], '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-I", "-c", program, str(VERIFIER)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = ast.literal_eval(done.stdout.splitlines()[-1])
    assert {"wallets", "trees"} <= set(loaded)
    assert not {"ledger", "loyalty", "campaigns", "psycopg", "sqlalchemy"} & set(loaded)


@pytest.mark.parametrize(
    "arguments", ((), ("--dump", "/nowhere"), ("--url", "postgresql://127.0.0.1:1/x"))
)
def test_what_cannot_be_checked_is_not_called_good(arguments: tuple[str, ...]) -> None:
    assert verify(*arguments).status == 2
