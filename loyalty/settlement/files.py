"""A statement as a file for spreadsheets: CSV and XLSX, whose cells are what they look like."""

import csv
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from tempfile import TemporaryFile
from typing import IO, Any, cast

import xlsxwriter

from loyalty.settlement.queries import StatementLine

MOST_ROWS = 1_000_000  # a worksheet has 1,048,576
COLUMNS = (
    "line",
    "kind",
    "happened_at",
    "recorded_at",
    "outlet_id",
    "coupon_id",
    "reference",
    "of",
    "amount",
    "owed",
    "borne",
    "balance",
)
MONEY = frozenset({"amount", "owed", "borne", "balance"})
# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

Cells = list[int | str]


def write_csv(lines: Iterable[StatementLine]) -> IO[bytes]:
    """Return the lines as CSV in UTF-8 with a mark, amounts as decimals, and no formula.

    The mark is what spreadsheets in China need in order to read UTF-8.
    """
    file = _temporary()
    text = TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(_as_text(cells) for cells in _rows(lines))
    text.detach()
    file.seek(0)
    return file


def write_xlsx(lines: Iterable[StatementLine]) -> IO[bytes]:
    """Return the lines as a workbook whose amounts are numbers and whose texts are texts."""
    file = _temporary()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(file, options)
    sheet = book.add_worksheet("statement")
    money = book.add_format({"num_format": "#,##0.00"})
    for column, name in enumerate(COLUMNS):
        sheet.write_string(0, column, name)
    for row, cells in enumerate(_rows(lines), 1):
        for column, (name, value) in enumerate(zip(COLUMNS, cells, strict=True)):
            _write_cell(sheet, row, column, value, money if name in MONEY else None)
    book.close()
    file.seek(0)
    return file


def _write_cell(sheet: Any, row: int, column: int, value: int | str, money: Any) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, value)
    elif money is None:
        sheet.write_number(row, column, value)
    else:
        sheet.write_number(row, column, value / 100, money)


def _rows(lines: Iterable[StatementLine]) -> Iterator[Cells]:
    for line in lines:
        yield [
            line.line,
            line.kind,
            line.effective_at.isoformat(),
            line.recorded_at.isoformat(),
            str(line.cause.get("outlet", "")),
            str(line.cause.get("coupon", "")),
            line.reference,
            str(line.cause.get("of", "")),
            line.ours + line.theirs,
            line.ours,
            line.theirs,
            line.balance_after,
        ]


def _as_text(cells: Cells) -> list[str]:
    return [
        decimal(cell) if name in MONEY else guard(cell)
        for name, cell in zip(COLUMNS, cells, strict=True)
    ]


def decimal(minor: int | str) -> str:
    """Return minor units with two digits behind the point, exactly."""
    amount = int(minor)
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02}"


def guard(cell: int | str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text


def _temporary() -> IO[bytes]:
    return cast(IO[bytes], TemporaryFile())


Writer = Callable[[Iterable[StatementLine]], IO[bytes]]
