"""A workbook is judged before it is inflated, and read without trusting it."""

import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from loyalty.points import intake
from loyalty.points.files import BadFile
from loyalty.points.layout import Cell, Layout
from tests.points.filing import HEADER, LAYOUT, ROWS

SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound workbook with three purchases."""
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADER, *ROWS]):
            sheet.write_row(number, 0, row)
    return path


def read(path: Path, sheet: str | None = None) -> list[tuple[int, list[Cell] | str]]:
    table = intake.read_table(path, Layout.load({**LAYOUT, **({"sheet": sheet} if sheet else {})}))
    return [(n, cells if isinstance(cells, str) else list(cells)) for n, cells in table.rows]


def rewrite(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    parts[name] = change(parts.get(name, b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in parts.items():
            archive.writestr(entry, content)


def refused(path: Path) -> str:
    with pytest.raises(BadFile) as bad:
        read(path)
    return bad.value.code


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_rows_keep_the_numbers_that_the_sheet_shows(path: Path) -> None:
    rewrite(path, SHEET, lambda xml: xml.replace(b'<row r="3"', b'<row r="7"'))
    rewrite(path, SHEET, lambda xml: xml.replace(b'<row r="4"', b'<row r="9"'))
    assert [number for number, _ in read(path)] == [2, 7, 9]


def test_a_half_megabyte_that_inflates_to_half_a_gigabyte_is_refused(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/media/zeros.bin", "w", force_zip64=True) as entry,
    ):
        for _ in range(512):
            entry.write(bytes(1024 * 1024))
    before = memory()
    assert refused(path) == "bomb"
    assert memory() - before < 64


def test_a_directory_that_lies_about_the_size_is_refused(path: Path) -> None:
    rewrite(path, SHEET, lambda xml: xml + b" " * 50_000_000)
    content = path.read_bytes()
    true = struct.pack("<L", sheet_size(path))
    assert content.count(true) == 2
    path.write_bytes(content.replace(true, struct.pack("<L", 5000)))
    before = memory()
    assert refused(path) in ("bomb", "workbook")
    assert memory() - before < 64


def sheet_size(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(SHEET).file_size


def test_too_many_entries_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(2000):
            archive.writestr(f"x/{number}", b"")
    assert refused(path) == "bomb"


def test_two_entries_of_one_name_are_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(SHEET, b"<other/>")
    assert refused(path) == "workbook"


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml"])
def test_entities_are_refused(path: Path, part: str) -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "/etc/passwd">]>'
    rewrite(path, part, lambda xml: xml.replace(b"?>", b"?>" + laughs, 1))
    assert refused(path) == "xml-entities"


def test_broken_xml_is_refused(path: Path) -> None:
    rewrite(path, SHEET, lambda xml: xml[: len(xml) // 2])
    assert refused(path) == "workbook"


def test_a_missing_part_is_refused(path: Path) -> None:
    rewrite(path, "xl/_rels/workbook.xml.rels", lambda _: b"<Relationships/>")
    assert refused(path) == "workbook"


def test_an_unknown_sheet_is_refused(path: Path) -> None:
    with pytest.raises(BadFile, match="missing-sheet"):
        read(path, "July")


def test_a_cell_far_away_costs_nothing(path: Path) -> None:
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    rewrite(path, SHEET, lambda xml: xml.replace(b"</sheetData>", far))
    before = memory()
    assert read(path)[-1] == (1_048_576, "cells")
    assert memory() - before < 16


def test_a_long_text_that_many_cells_share_is_held_once(path: Path) -> None:
    cells = b"".join(
        b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (n, n) for n in range(5, 100_000)
    )
    rewrite(path, SHEET, lambda xml: xml.replace(b"</sheetData>", cells + b"</sheetData>"))
    long = b"<t>" + b"x" * 100_000
    rewrite(path, "xl/sharedStrings.xml", lambda xml: xml.replace(b"<t>", long, 1))
    before = memory()
    with pytest.raises(BadFile, match="missing-column"):
        read(path)
    assert memory() - before < 64


def test_texts_with_several_runs_are_read_whole(path: Path) -> None:
    rich = b"<si><r><t>000</t></r><r><t>01</t></r><rPh><t>no</t></rPh></si>"
    rewrite(
        path,
        "xl/sharedStrings.xml",
        lambda xml: xml.replace(b"<si><t>00001</t></si>", rich),
    )
    assert read(path)[0][1][0] == "00001"
