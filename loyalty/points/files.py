"""Files: reading the rows of a CSV file in bounded memory, whatever is in it.

As in RFC 4180, a field in quotes may hold line ends; a row's number is that of its first line.
A quote that nobody closes would take the rows below into its field. Where that can have happened,
the file is refused as a whole, and nothing of it counts.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from loyalty.points.layout import DELIMITERS, Cell, Layout

LONGEST_LINE = 64 * 1024  # bytes, also of a row that goes over several lines
MOST_COLUMNS = 256
MOST_ROWS = 2_000_000
BOM = b"\xef\xbb\xbf"
QUOTE = b'"'
ZIP = b"PK\x03\x04"
# UTF-16 in both orders, and the containers of older spreadsheets.
FOREIGN = (b"\xff\xfe", b"\xfe\xff", b"\xd0\xcf\x11\xe0")

Line = tuple[int, str | None, str]
"""A row's number and text, or in place of the text the code of what is wrong with it."""

Row = tuple[int, Sequence[Cell] | str]
"""A row's number, and its cells or the code of what is wrong with the row as a whole."""


class BadFile(Exception):
    """The file as a whole cannot be used: where, and the code of why."""

    def __init__(self, code: str, row: int = 1, column: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.row = row
        self.column = column


@dataclass(frozen=True, slots=True)
class Table:
    """The columns' names and the rows below, each as wide as the header."""

    header: list[str]
    rows: Iterator[Row]


def check_header(cells: Sequence[Cell], layout: Layout) -> list[str]:
    """Return the names of a file's columns. Raises `BadFile` where they do not serve."""
    names = [cell.strip() if isinstance(cell, str) else str(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise BadFile("too-many-columns")
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise BadFile("duplicate-header", column=twice[:100])
    for column in layout.columns.values():
        if column not in names:
            raise BadFile("missing-column", column=column)
    return names


def read_csv(path: Path, layout: Layout) -> Table:
    """Return the rows of a CSV file. Raises `BadFile`, also while the rows are read."""
    with path.open("rb") as file:
        if file.read(4).startswith(FOREIGN):
            raise BadFile("file-kind")
    encoding = layout.encoding or _find_encoding(path)
    # Without being told, a row that reads as the other encoding is doubtful, not Chinese.
    strict = layout.encoding is None and encoding == "gb18030"
    delimiters = DELIMITERS if layout.delimiter is None else (layout.delimiter,)
    lines = _decode(_join(_lines(path), delimiters), encoding, strict=strict)
    first = next(lines, None)
    if first is None:
        raise BadFile("empty")
    if first[1] is None:
        raise BadFile(first[2])
    header, delimiter = _read_header(first[1], layout)
    return Table(header, _rows(lines, delimiter, len(header)))


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number; None for one that is too long to be held."""
    with path.open("rb") as file:
        if file.read(3) != BOM:
            file.seek(0)
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if number > MOST_ROWS + 1:
                raise BadFile("too-many-rows", number)
            if len(line) > LONGEST_LINE:
                _skip_line(file, line, number)
                yield number, None
            else:
                yield number, line


def _skip_line(file: BinaryIO, line: bytes, number: int) -> None:
    while True:
        if QUOTE in line:  # whether it is closed here, only who holds the line could say
            raise BadFile("open-quote", number)
        if not line or line.endswith(b"\n"):
            return
        line = file.readline(LONGEST_LINE)


def _join(
    lines: Iterator[tuple[int, bytes | None]], delimiters: Sequence[str]
) -> Iterator[tuple[int, bytes | None]]:
    """Yield each row with the number of its first line: lines that quotes hold together.

    Looks at bytes, for neither encoding has a quote or a delimiter within a character.
    """
    opening = re.compile(rb'(?:^|[%s])"' % "".join(delimiters).encode())
    row, first = b"", 0
    for number, line in lines:
        if line is None and not row:
            yield number, None
            continue
        first = first if row else number
        if line is None or len(row) + len(line) > LONGEST_LINE:
            raise BadFile("open-quote", first)
        is_open = _leaves_open(line, opening, is_open=bool(row))
        row += line
        if not is_open:
            yield first, row
            row = b""
    if row:
        raise BadFile("open-quote", first)


def _leaves_open(line: bytes, opening: re.Pattern[bytes], *, is_open: bool) -> bool:
    """Return whether a field in quotes goes on after `line`."""
    at = 0
    while QUOTE in line[at:]:
        if not is_open:
            found = opening.search(line, at)
            if found is None:
                return False
            at, is_open = found.end(), True
            continue
        at = line.find(QUOTE, at) + 1
        if line[at : at + 1] == QUOTE:
            at += 1  # two of them are one quote of the field's text
        else:
            is_open = False
    return is_open


def _find_encoding(path: Path) -> str:
    """Return the encoding that more of the lines with Chinese in them are written in."""
    utf8 = other = 0
    for _, line in _lines(path):
        if line is None or line.isascii():
            continue
        if _is_utf8(line):
            utf8 += 1
        else:
            other += 1
    return "utf-8" if utf8 >= other else "gb18030"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode(
    lines: Iterator[tuple[int, bytes | None]], encoding: str, *, strict: bool
) -> Iterator[Line]:
    """Yield each row that is not blank."""
    for number, line in lines:
        if line is None:
            yield number, None, "line-too-long"
            continue
        if strict and not line.isascii() and _is_utf8(line):
            yield number, None, "encoding"
            continue
        try:
            text = line.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            yield number, None, "encoding"
            continue
        if text.strip():
            yield number, text, ""


def _read_header(text: str, layout: Layout) -> tuple[list[str], str]:
    delimiters = DELIMITERS if layout.delimiter is None else (layout.delimiter,)
    # Which delimiter it is shows in the columns that it yields.
    likely = sorted(delimiters, key=text.count, reverse=True)
    fault = None
    for delimiter in likely:
        cells = _split(text, delimiter)
        if isinstance(cells, str):
            fault = fault or BadFile(cells)
            continue
        try:
            return check_header(cells, layout), delimiter
        except BadFile as bad:
            fault = fault or bad
    assert fault is not None
    raise fault


def _rows(
    lines: Iterator[tuple[int, str | None, str]], delimiter: str, width: int
) -> Iterator[Row]:
    for number, text, code in lines:
        cells = code if text is None else _split(text, delimiter)
        if isinstance(cells, list) and not any(cells):
            continue  # what a spreadsheet leaves below its last row
        if not isinstance(cells, str):
            too_many = any(cells[width:])
            cells = "cells" if too_many or len(cells) < width else cells[:width]
        if isinstance(cells, str) and text is not None and "\n" in text:
            raise BadFile("open-quote", number)  # who knows how many rows are in it
        yield number, cells


def _split(text: str, delimiter: str) -> list[str] | str:
    if '"' not in text:
        return text.split(delimiter)
    try:
        cells: list[str] = next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return "quotes"
    return cells
