"""A statement's files say what its lines say, to the cent, and hold no formula."""

import csv
import io
import zipfile
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from loyalty.settlement.files import COLUMNS, write_csv, write_xlsx
from loyalty.settlement.queries import StatementLine
from loyalty.web import ids
from loyalty.web.sheets import decimal, guard
from tests.callers import Client
from tests.partners.builders import Shop, bearer, open_shop, owing, redeem, take_back
from tests.servers import Database
from tests.settlement.builders import close, lines_of, statement_of
from tests.settlement.conftest import House

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
EVIL = ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"]


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner with a statement of three lines."""
    shop = open_shop("mall")
    redeem(owing(shop, "r1", 1001, (60, 40)), owing(shop, "r2", 7))
    take_back(shop, "r1", "b1")
    close(shop)
    return shop


def line(reference: str) -> StatementLine:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return StatementLine(1, "redeem", "x", reference, {"coupon": reference}, at, at, -105, 5, -7)


def read_csv(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def cells(content: bytes) -> list[Any]:
    """Return each cell of a workbook's sheet as its type and what stands in it."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    assert sheet.find(f".//{SHEET}f") is None, "there is a formula"
    return [(cell.get("t"), "".join(cell.itertext())) for cell in sheet.iter(f"{SHEET}c")]


def test_csv_says_what_the_lines_say(house: House, shop: Shop) -> None:
    token = bearer(house.application, shop.account)["Authorization"].removeprefix("Bearer ")
    till = Client(house.application, token, "till")
    with till.get(f"/v1/partners/me/statements/{ids.encode('stm', 1)}/lines.csv") as answer:
        assert answer.mimetype == "text/csv"
        assert "attachment" in answer.headers["Content-Disposition"]
        rows = read_csv(answer.data)
    statement = statement_of(shop, 1)
    assert [row["reference"] for row in rows] == [
        one.reference for one in lines_of(shop, statement)
    ]
    assert [row["owed"] for row in rows] == ["6.01", "0.07", "-6.01"]
    cents = sum(int(row["owed"].replace(".", "")) for row in rows)
    assert cents == statement.closing - statement.opening


def test_a_workbook_has_numbers_for_amounts_and_texts_for_texts(house: House, shop: Shop) -> None:
    token = bearer(house.application, shop.account)["Authorization"].removeprefix("Bearer ")
    till = Client(house.application, token, "till")
    with till.get(f"/v1/partners/me/statements/{ids.encode('stm', 1)}/lines.xlsx") as answer:
        found = cells(answer.data)
    first = dict(zip(COLUMNS, found[len(COLUMNS) :], strict=False))
    assert first["owed"] in {(None, "6.01"), ("n", "6.01")}
    assert first["reference"] == ("inlineStr", "r1")


@pytest.mark.parametrize("evil", EVIL)
def test_no_cell_is_a_formula(evil: str) -> None:
    with write_csv([line(evil)]) as file:
        (row,) = read_csv(file.read())
    assert row["reference"] == f"'{evil}"
    assert row["amount"] == "-1.00"
    with write_xlsx([line(evil)]) as file:
        found = cells(file.read())
    assert found[len(COLUMNS) + COLUMNS.index("reference")][0] == "inlineStr"


@pytest.mark.parametrize(
    ("minor", "written"),
    [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-100, "-1.00"), (2**53 - 1, "90071992547409.91")],
)
def test_amounts_are_exact(minor: int, written: str) -> None:
    assert decimal(minor) == written


def test_plain_texts_stay_as_they_are() -> None:
    assert [guard(text) for text in ("", "r-1", "茶 = 水")] == ["", "r-1", "茶 = 水"]
