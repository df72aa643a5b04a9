"""Workbooks: reading a sheet of an XLSX file in bounded memory.

The archive is judged by its directory before anything is inflated, and inflating stops where the
directory's word ends. The sheet is parsed as it is inflated, so a workbook costs what its shared
texts take, and neither a far-away cell nor a text that a million cells share costs more.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Context, InvalidOperation
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from loyalty.points.files import MOST_COLUMNS, MOST_ROWS, BadFile, Row, Table, check_header
from loyalty.points.layout import Cell, Layout

MOST_ENTRIES = 1000
MOST_DIRECTORY = 256 * 1024  # bytes
MOST_INFLATED = 256 * 1024 * 1024  # bytes, all entries together
MOST_RATIO = 200
SMALL = 1024 * 1024  # bytes that an entry may take however well it was packed
MOST_TEXTS = 500_000
LONGEST_TEXT = 300  # characters kept: more than any field of ours may have

_PIECE = 64 * 1024
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_DIGITS_15 = Context(prec=15)
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_NOT_CODE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_CELL = re.compile(r"([A-Z]{1,3})[0-9]{1,7}")


def read_workbook(path: Path, layout: Layout) -> Table:
    """Return the rows of the sheet that `layout` names, or the first.

    Raises `BadFile`, also while the rows are read.
    """
    archive = _Archive(path)
    sheet = _find_sheet(archive, layout.sheet)
    workbook = _Workbook(_read_texts(archive), *_read_styles(archive))
    rows = _read_sheet(archive, sheet, workbook)
    first = next(rows, None)
    if first is None:
        raise BadFile("empty")
    number, cells = first
    if isinstance(cells, str):
        raise BadFile(cells, number)
    header = check_header(cells, layout)
    return Table(header, _as_wide(rows, len(header)))


def _as_wide(rows: Iterator[Row], width: int) -> Iterator[Row]:
    for number, cells in rows:
        if isinstance(cells, str):
            yield number, cells
        elif any(cells):
            # A sheet has no line ends: what is empty at the end of a row is not written.
            missing = width - len(cells)
            yield number, [*cells, *[""] * missing] if missing >= 0 else "cells"


# -- the archive -------------------------------------------------------------------------------


class _Archive:
    """The entries of an archive whose directory asks for nothing unreasonable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        _check_end(path)
        try:
            with ZipFile(path) as archive:
                entries = archive.infolist()
        except (BadZipFile, NotImplementedError, ValueError):
            raise BadFile("workbook") from None
        self._entries = {entry.filename: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise BadFile("workbook")
        if sum(entry.file_size for entry in entries) > MOST_INFLATED:
            raise BadFile("bomb")
        for entry in entries:
            if entry.file_size > max(SMALL, MOST_RATIO * entry.compress_size):
                raise BadFile("bomb")

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def inflate(self, name: str) -> Iterator[bytes]:
        """Yield an entry piece by piece, never more than the directory said."""
        entry = self._entries.get(name)
        if entry is None or entry.flag_bits & 1:
            raise BadFile("workbook")
        left = entry.file_size
        with self._path.open("rb") as file:
            for piece in _inflate(file, entry):
                left -= len(piece)
                if left < 0:
                    raise BadFile("bomb")
                yield piece

    def parse(self, name: str, parser: expat.XMLParserType) -> Iterator[None]:
        """Feed an entry to `parser`, pausing after each piece."""
        try:
            for piece in self.inflate(name):
                parser.Parse(piece)
                yield
            parser.Parse(b"", True)
        except expat.ExpatError:
            raise BadFile("workbook") from None


def _check_end(path: Path) -> None:
    """Look at how large the directory is before it is read."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65_536 - _END.size))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + _END.size:
        raise BadFile("workbook")
    _, _, _, _, entries, directory, _, _ = _END.unpack_from(tail, at)
    if entries > MOST_ENTRIES or directory > MOST_DIRECTORY:
        raise BadFile("bomb")


def _inflate(file: BinaryIO, entry: ZipInfo) -> Iterator[bytes]:
    file.seek(entry.header_offset)
    start = file.read(_LOCAL.size)
    if len(start) < _LOCAL.size or not start.startswith(b"PK\3\4"):
        raise BadFile("workbook")
    *_, name, extra = _LOCAL.unpack(start)
    file.seek(name + extra, 1)
    packed = _pieces(file, entry.compress_size)
    if entry.compress_type == ZIP_STORED:
        yield from packed
        return
    if entry.compress_type != ZIP_DEFLATED:
        raise BadFile("workbook")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in packed:
            fed = piece
            while fed and not inflater.eof:
                yield inflater.decompress(fed, _PIECE)
                fed = inflater.unconsumed_tail
        while rest := inflater.decompress(inflater.unconsumed_tail, _PIECE):
            yield rest
    except zlib.error:
        raise BadFile("workbook") from None


def _pieces(file: BinaryIO, left: int) -> Iterator[bytes]:
    while left > 0 and (piece := file.read(min(left, _PIECE))):
        left -= len(piece)
        yield piece


# -- the parts of a workbook -------------------------------------------------------------------


def _new_parser() -> expat.XMLParserType:
    """Return a parser that refuses document types, and with them every entity."""
    parser = expat.ParserCreate(namespace_separator="|")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise BadFile("xml-entities")

    parser.StartDoctypeDeclHandler = refuse
    return parser


See = Callable[[str, dict[str, str]], None]


def _read_elements(archive: _Archive, name: str, seen: See) -> None:
    parser = _new_parser()
    parser.StartElementHandler = lambda tag, attributes: seen(_local(tag), attributes)
    for _ in archive.parse(name, parser):
        pass


def _local(tag: str) -> str:
    return tag.rpartition("|")[2]


def _find_sheet(archive: _Archive, wanted: str | None) -> str:
    """Return the name of the entry that holds the sheet called `wanted`, or the first sheet."""
    sheets: dict[str, str] = {}
    targets: dict[str, str] = {}

    def see_sheet(tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            ids = [value for name, value in attributes.items() if name.endswith("|id")]
            sheets.setdefault(attributes.get("name", ""), ids[0] if ids else "")

    def see_target(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    _read_elements(archive, "xl/workbook.xml", see_sheet)
    _read_elements(archive, "xl/_rels/workbook.xml.rels", see_target)
    if wanted is not None and wanted not in sheets:
        raise BadFile("missing-sheet", column=wanted)
    chosen = wanted if wanted is not None else next(iter(sheets), "")
    target = targets.get(sheets.get(chosen, ""), "")
    entry = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    if entry not in archive:
        raise BadFile("workbook")
    return entry


def _read_texts(archive: _Archive) -> list[str]:
    """Return the texts that cells share, each as far as a field could need it."""
    if "xl/sharedStrings.xml" not in archive:
        return []
    texts: list[str] = []
    text = _Text()

    def start(tag: str, _: dict[str, str]) -> None:
        match _local(tag):
            case "si":
                text.clear()
            case "t" if not text.is_phonetic:
                text.is_open = True
            case "rPh":
                text.is_phonetic = True

    def end(tag: str) -> None:
        match _local(tag):
            case "si":
                texts.append(text.take())
                if len(texts) > MOST_TEXTS:
                    raise BadFile("too-many-texts")
            case "t":
                text.is_open = False
            case "rPh":
                text.is_phonetic = False

    parser = _new_parser()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.add
    for _ in archive.parse("xl/sharedStrings.xml", parser):
        pass
    return texts


@dataclass(slots=True)
class _Text:
    """Text as it is read, up to the length that we keep."""

    parts: list[str] = field(default_factory=list)
    length: int = 0
    is_open: bool = False
    is_phonetic: bool = False

    def clear(self) -> None:
        self.parts, self.length = [], 0

    def add(self, part: str) -> None:
        if self.is_open and self.length <= LONGEST_TEXT:
            self.parts.append(part[:LONGEST_TEXT])
            self.length += len(part)

    def take(self) -> str:
        text = "".join(self.parts)
        self.clear()
        return text


def _read_styles(archive: _Archive) -> tuple[list[bool], datetime]:
    """Return which of the cells' styles show dates, and the day from which dates are counted."""
    formats: dict[str, bool] = {}
    styles: list[bool] = []
    since = [datetime(1899, 12, 30)]  # noqa: DTZ001 - the layout's reader knows the zone
    inside = [""]

    def see_style(tag: str, attributes: dict[str, str]) -> None:
        if tag in ("cellXfs", "cellStyleXfs"):
            inside[0] = tag
        elif tag == "numFmt":
            formats[attributes.get("numFmtId", "")] = _shows_date(attributes.get("formatCode", ""))
        elif tag == "xf" and inside[0] == "cellXfs":
            number = attributes.get("numFmtId", "0")
            builtin = number.isdigit() and int(number) in _DATE_FORMATS
            styles.append(formats.get(number, builtin))

    def see_property(tag: str, attributes: dict[str, str]) -> None:
        if tag == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            since[0] = datetime(1904, 1, 1)  # noqa: DTZ001

    if "xl/styles.xml" in archive:
        _read_elements(archive, "xl/styles.xml", see_style)
    _read_elements(archive, "xl/workbook.xml", see_property)
    return styles, since[0]


def _shows_date(code: str) -> bool:
    return any(letter in "ymdhs" for letter in _NOT_CODE.sub("", code.lower()))


# -- the sheet ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Workbook:
    texts: list[str]
    dates: list[bool]
    since: datetime

    def value(self, kind: str, style: str, text: str) -> Cell:
        """Return what a cell shows, by its kind, its style and the text stored for it."""
        if kind == "s":
            number = int(text) if text.isdigit() and len(text) < 10 else len(self.texts)
            return self.texts[number] if number < len(self.texts) else ""
        if kind == "b":
            return "TRUE" if text == "1" else "FALSE"
        if kind != "n" or not text:
            return text
        if style.isdigit() and int(style) < len(self.dates) and self.dates[int(style)]:
            return self._date(text)
        return _plain_number(text)

    def _date(self, text: str) -> Cell:
        try:
            # The first two months of 1900 are counted wrongly by spreadsheets; nobody means them.
            seconds = round(float(text) * 86_400)
            return self.since + timedelta(seconds=seconds) if seconds >= 61 * 86_400 else text
        except (ValueError, OverflowError):
            return text


def _plain_number(text: str) -> str:
    """Return a number as the sheet shows it: 15 digits, no exponent."""
    if len(text) <= 15 and "E" not in text and "e" not in text:
        return text
    try:
        number = _DIGITS_15.create_decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > 20:
        return text
    return format(number.normalize(_DIGITS_15), "f")


class _Sheet:
    """Collects cells into rows as the parser meets them."""

    def __init__(self, workbook: _Workbook) -> None:
        self.rows: list[Row] = []
        self._workbook = workbook
        self._number = 0
        self._cells: list[Cell] = []
        self._code = ""
        self._place = 0
        self._kind = ""
        self._style = ""
        self._text = _Text()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        match _local(tag):
            case "row":
                self._start_row(attributes.get("r"))
            case "c":
                self._start_cell(attributes)
            case "v" | "t":
                self._text.is_open = True

    def _start_row(self, number: str | None) -> None:
        following = self._number + 1
        # `isdigit` alone would let through what `int` reads but no spreadsheet writes.
        if number is not None and number.isascii() and number.isdigit() and len(number) < 10:
            following = int(number)
        if following <= self._number or following > MOST_ROWS + 1:
            raise BadFile("too-many-rows" if following > self._number else "workbook", following)
        self._number, self._cells, self._code = following, [], ""

    def _start_cell(self, attributes: dict[str, str]) -> None:
        found = _CELL.fullmatch(attributes.get("r", ""))
        self._place = _column(found[1]) if found else len(self._cells)
        self._kind = attributes.get("t", "n")
        self._style = attributes.get("s", "0")
        self._text.clear()

    def end(self, tag: str) -> None:
        match _local(tag):
            case "v" | "t":
                self._text.is_open = False
            case "c":
                self._end_cell()
            case "row":
                self.rows.append((self._number, self._code or self._cells))

    def _end_cell(self) -> None:
        value = self._workbook.value(self._kind, self._style, self._text.take())
        if self._place >= MOST_COLUMNS:
            # Styled but empty cells reach far to the right in many a sheet.
            self._code = "cells" if value else self._code
        elif self._place < len(self._cells):
            self._code = "cells"
        else:
            self._cells += [""] * (self._place - len(self._cells))
            self._cells.append(value)

    def add(self, part: str) -> None:
        self._text.add(part)


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _read_sheet(archive: _Archive, entry: str, workbook: _Workbook) -> Iterator[Row]:
    sheet = _Sheet(workbook)
    parser = _new_parser()
    parser.StartElementHandler = sheet.start
    parser.EndElementHandler = sheet.end
    parser.CharacterDataHandler = sheet.add
    for _ in archive.parse(entry, parser):
        yield from sheet.rows
        sheet.rows.clear()
    yield from sheet.rows
