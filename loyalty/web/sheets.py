"""Tables as files for spreadsheets: CSV and XLSX, whose cells are what they look like.

Text is always text: nothing that somebody wrote is taken for a formula or a link. Columns named
as money are given in minor units and shown as decimals; other numbers stay whole.
"""

import csv
from collections.abc import Collection, Iterable, Sequence
from io import TextIOWrapper
from tempfile import TemporaryFile
from typing import IO, Any, cast

import xlsxwriter

MOST_ROWS = 1_000_000  # a worksheet has 1,048,576
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

Cells = Sequence[int | str | None]


def write_csv(
    columns: Sequence[str], rows: Iterable[Cells], money: Collection[str] = ()
) -> IO[bytes]:
    """Return rows as CSV in UTF-8 with a mark, money as decimals, and no formula.

    The mark is what spreadsheets in China need in order to read UTF-8.
    """
    file = _temporary()
    text = TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(_as_text(columns, cells, money) for cells in rows)
    text.detach()
    file.seek(0)
    return file


def write_xlsx(
    title: str, columns: Sequence[str], rows: Iterable[Cells], money: Collection[str] = ()
) -> IO[bytes]:
    """Return rows as a workbook whose amounts are numbers and whose texts are texts."""
    file = _temporary()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(file, options)
    sheet = book.add_worksheet(title)
    decimals = book.add_format({"num_format": "#,##0.00"})
    for column, name in enumerate(columns):
        sheet.write_string(0, column, name)
    for row, cells in enumerate(rows, 1):
        for column, (name, value) in enumerate(zip(columns, cells, strict=True)):
            _write_cell(sheet, row, column, value, decimals if name in money else None)
    book.close()
    file.seek(0)
    return file


def _write_cell(sheet: Any, row: int, column: int, value: int | str | None, money: Any) -> None:
    if value is None:
        return
    if isinstance(value, str):
        sheet.write_string(row, column, value)
    elif money is None:
        sheet.write_number(row, column, value)
    else:
        sheet.write_number(row, column, value / 100, money)


def _as_text(columns: Sequence[str], cells: Cells, money: Collection[str]) -> list[str]:
    return [
        "" if cell is None else decimal(cell) if name in money else guard(cell)
        for name, cell in zip(columns, cells, strict=True)
    ]


def decimal(minor: int | str) -> str:
    """Return minor units with two digits behind the point, exactly."""
    amount = int(minor)
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02}"


def guard(cell: int | str) -> str:
    """Return a cell that no spreadsheet takes for a formula; a number stays one."""
    if isinstance(cell, int):
        return str(cell)
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _temporary() -> IO[bytes]:
    return cast(IO[bytes], TemporaryFile())
