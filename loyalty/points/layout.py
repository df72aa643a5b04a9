"""Layouts: which column of somebody's file means what, and reading a row by one. No I/O.

A layout as JSON, all but `columns` optional:

    {"columns": {"customer": "客户号", "purchased_at": "交易日期", "amount": "金额"},
     "constants": {"category": "5732"},
     "dates": "%Y/%m/%d", "amounts": "major", "encoding": "gb18030", "delimiter": ";",
     "sheet": "六月"}

`dates` is `iso` unless said otherwise, else a pattern of %Y %m %d %H %M %S. `amounts` are decimal
numbers in `major` units (12.30) or whole numbers in `minor` ones (1230). Encoding, delimiter and
sheet are found out where nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any, Self
from zoneinfo import ZoneInfo

import ledger
from loyalty.web import Refused

Cell = str | date
"""What stands in a cell: text, or a date or an instant where the file itself knows dates."""

REQUIRED = ("customer", "purchased_at", "amount")
OPTIONAL = ("category", "outlet", "channel")
FIELDS = ("reference", *REQUIRED, *OPTIONAL)
ENCODINGS = ("utf-8", "gb18030")
DELIMITERS = (",", ";", "\t")
AMOUNTS = ("major", "minor")
ISO = "iso"
SETTINGS = {"columns", "constants", "dates", "amounts", "encoding", "delimiter", "sheet"}
CHOICES = {"amounts": AMOUNTS, "encoding": ENCODINGS, "delimiter": DELIMITERS}
LONGEST = {"reference": 100, "category": 60, "outlet": 60, "channel": 60}
LONGEST_NAME = 100
MOST_DATES_KEPT = 50_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CUSTOMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_MAJOR = re.compile(r"([0-9]{1,14})(?:\.([0-9]{1,2}))?")
_MINOR = re.compile(r"([0-9]{1,16})()")
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_PATTERN = re.compile(r"(?:%[YmdHMS]|[-/.: T年月日时分秒])+")


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file: their column for each field of ours, or the same value in every row."""

    columns: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    dates: str = ISO
    amounts: str = "major"
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Self:
        """Return the layout in a document. Raises `Refused` with `invalid-layout`, saying why."""
        fault = _find_fault(document)
        if fault is not None:
            raise Refused("invalid-layout", fault)
        return cls(**document)


def _find_fault(document: Mapping[str, Any]) -> tuple[str, str] | None:
    columns, constants = document.get("columns", {}), document.get("constants", {})
    if not (_is_names(columns) and _is_names(constants)):
        return (
            f"columns 与 constants 的取值须为 1 至 {LONGEST_NAME} 个字符的文本",
            f"columns and constants map to texts of 1 to {LONGEST_NAME} characters",
        )
    is_fixed = set(constants) & set(columns) | (set(constants) - set(OPTIONAL))
    checks = (
        ("未知的设置", "unknown setting", document.keys() - SETTINGS),
        ("未知的字段", "unknown field", {*columns, *constants} - set(FIELDS)),
        ("没有列对应", "no column is given for", set(REQUIRED) - columns.keys()),
        ("不能取固定值", "cannot be the same in every row", is_fixed),
        ("取值不在允许的范围", "is none of the allowed values", _find_strange(document)),
    )
    for zh, en, wrong in checks:
        if wrong:
            return f"{zh}:{min(wrong)}", f"{en}: {min(wrong)}"
    return None


def _find_strange(document: Mapping[str, Any]) -> set[str]:
    strange = {
        name
        for name, allowed in CHOICES.items()
        if document.get(name) is not None and document[name] not in allowed
    }
    dates = document.get("dates", ISO)
    if dates != ISO and not (isinstance(dates, str) and _is_pattern(dates)):
        strange.add("dates")
    if document.get("sheet") is not None and not _is_name(document["sheet"]):
        strange.add("sheet")
    return strange


def _is_names(given: object) -> bool:
    return isinstance(given, Mapping) and all(_is_name(value) for value in given.values())


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _is_pattern(dates: str) -> bool:
    parts = re.findall("%.", dates)
    has_day = {"%Y", "%m", "%d"} <= set(parts)
    return bool(_PATTERN.fullmatch(dates)) and has_day and len(parts) == len(set(parts))


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row cannot be used: the file's own name of the column (empty: the row) and a code."""

    column: str
    code: str


class Unreadable(Exception):
    """A cell does not say what its column should; the message is the fault's code."""


@dataclass(frozen=True, slots=True)
class Found:
    """A row that makes sense. `amount` in minor units; `content` digests all but the reference."""

    customer: str
    purchased_at: datetime
    content: bytes
    reference: str | None
    amount: int
    category: str | None
    outlet: str | None
    channel: str | None


class RowReader:
    """Reads the rows of one file by its layout."""

    def __init__(
        self, layout: Layout, header: Sequence[str], zone: ZoneInfo, now: datetime
    ) -> None:
        """Days begin in `zone`; whatever lies after `now` has not happened."""
        self._layout = layout
        self._zone = zone
        self._now = now
        self._places = {name: header.index(column) for name, column in layout.columns.items()}
        self._instants: dict[Cell, tuple[datetime, str]] = {}
        self._amount = _MAJOR if layout.amounts == "major" else _MINOR

    def read(self, cells: Sequence[Cell]) -> Found | list[Fault]:
        """Return what a row says, or all that is wrong with it."""
        faults: list[Fault] = []
        said: dict[str, Any] = dict(self._layout.constants)
        for name, place in self._places.items():
            try:
                said[name] = self._read_cell(name, cells[place])
            except Unreadable as unreadable:
                faults.append(Fault(self._layout.columns[name], str(unreadable)))
        if faults:
            return faults
        instant, microseconds = said["purchased_at"]
        optional = [said.get(name) for name in OPTIONAL]
        content = "\x1f".join(
            (said["customer"], microseconds, str(said["amount"]), *(v or "" for v in optional))
        )
        return Found(
            said["customer"],
            instant,
            blake2b(content.encode(), digest_size=16).digest(),
            said.get("reference"),
            said["amount"],
            *optional,
        )

    def _read_cell(self, name: str, cell: Cell) -> object:
        if name == "purchased_at":
            return self._instants.get(cell) or self._read_instant(cell)
        if not isinstance(cell, str):
            raise Unreadable("text")
        value = cell.strip()
        if not value:
            if name in OPTIONAL:
                return None
            raise Unreadable("missing")
        if name == "amount":
            return self._read_amount(value)
        if name == "customer":
            if not _CUSTOMER.fullmatch(value):
                raise Unreadable("customer")
            return value
        return _read_text(value, LONGEST[name])

    def _read_amount(self, value: str) -> int:
        found = self._amount.fullmatch(value)
        if found is None:
            is_negative = value.startswith("-") and self._amount.fullmatch(value[1:])
            raise Unreadable("negative" if is_negative else "amount")
        whole, cents = found.groups()
        amount = int(whole) if self._amount is _MINOR else int(whole + (cents or "").ljust(2, "0"))
        if amount > ledger.MAX_AMOUNT:
            raise Unreadable("amount")
        return amount

    def _read_instant(self, cell: Cell) -> tuple[datetime, str]:
        instant = self._place(cell if isinstance(cell, date) else self._parse_date(cell.strip()))
        if not 1900 <= instant.year <= 2999:
            raise Unreadable("date")
        if instant > self._now:
            raise Unreadable("future-dated")
        if len(self._instants) >= MOST_DATES_KEPT:
            self._instants.clear()
        found = (instant, str((instant - _EPOCH) // _MICROSECOND))
        self._instants[cell] = found
        return found

    def _parse_date(self, value: str) -> datetime:
        if not value:
            raise Unreadable("missing")
        try:
            if self._layout.dates != ISO:
                if any(c.isdigit() and not c.isascii() for c in value):
                    raise Unreadable("date")
                return datetime.strptime(value, self._layout.dates)  # noqa: DTZ007 - placed below
            if not _ISO.fullmatch(value):
                raise Unreadable("date")
            return datetime.fromisoformat(value)
        except ValueError:
            raise Unreadable("date") from None

    def _place(self, moment: date) -> datetime:
        """Return a moment as an instant: without an offset it is of the programme's zone."""
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise Unreadable("date") from None


def _read_text(value: str, longest: int) -> str:
    if len(value) > longest:
        raise Unreadable("length")
    if not value.isprintable():
        raise Unreadable("characters")
    if value[0] in "=+-@":
        # A spreadsheet would run it, there and in whatever we export.
        raise Unreadable("formula")
    return value
