"""Where rows come from: a connection that only reads, or files put in order by SQLite.

Both give a table's rows in an asked order, a few at a time. Instants are microseconds since 1970
UTC (an infinite one is the largest number of 64 bits), JSON is text, flags are 0 and 1.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from schema import BYTES, FLAG, INSTANT, INT, JSON, TABLES, Table

INFINITE = 2**63 - 1
_BEFORE_2000 = 946_684_800_000_000
_AT_A_TIME = 5_000
_WRITTEN = re.compile(
    r"(\d{4,6})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?"
    r"(Z|[+-]\d\d(?::\d\d){0,2})",
    re.ASCII,
)

Rows = Iterator[tuple[Any, ...]]


class Unreadable(Exception):
    """The input cannot be read at all; the message says why."""


class Source(Protocol):
    """Something that holds the tables."""

    def rows(self, table: str, order: tuple[str, ...], equal: Mapping[str, Any]) -> Rows:
        """Return a table's rows in `order`, of those whose columns are `equal` to values."""

    def names(self, table: str, column: str) -> list[str]:
        """Return the different texts in a column."""


def connect(url: str) -> Any:
    """Return a connection that reads one snapshot and cannot write. Raises `Unreadable`."""
    import psycopg  # noqa: PLC0415 - only this way of reading needs the driver

    try:
        connection = psycopg.connect(url, options="-c statement_timeout=0")
    except psycopg.Error as error:
        raise Unreadable(f"cannot connect: {error}") from error
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


class Live:
    """A PostgreSQL database, read through cursors of the server."""

    def __init__(self, connection: Any) -> None:
        from psycopg.adapt import Loader  # noqa: PLC0415 - as above
        from psycopg.pq import Format  # noqa: PLC0415 - as above

        class Microseconds(Loader):
            format = Format.BINARY

            def load(self, data: Any) -> int:
                value = int.from_bytes(data, "big", signed=True)
                return value if abs(value) >= INFINITE else value + _BEFORE_2000

        connection.adapters.register_loader("timestamptz", Microseconds)
        self._connection = connection
        self._cursors = 0

    def rows(self, table: str, order: tuple[str, ...], equal: Mapping[str, Any]) -> Rows:
        """See `Source`."""
        shape = TABLES[table]
        columns = ", ".join(
            f"{name}::text" if kind == JSON else name for name, kind in shape.columns.items()
        )
        self._cursors += 1
        with self._connection.cursor(f"verify_{self._cursors}", binary=True) as cursor:
            cursor.itersize = _AT_A_TIME
            statement = _select(columns, f"{shape.schema}.{table}", order, equal, "%s")
            cursor.execute(statement.encode(), list(equal.values()))
            yield from cursor

    def names(self, table: str, column: str) -> list[str]:
        """See `Source`."""
        query = f"SELECT DISTINCT {column} FROM {TABLES[table].schema}.{table} ORDER BY 1"
        return [row[0] for row in self._connection.execute(query.encode())]


class Files:
    """Rows of files, kept in a SQLite database on disk, which sorts them."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(f"PRAGMA temp_store_directory='{path.parent}'")
        for name, shape in TABLES.items():
            self._connection.execute(f"CREATE TABLE {name} ({', '.join(shape.columns)})")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def add(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Put rows of a table in."""
        marks = ", ".join("?" * len(TABLES[table].columns))
        self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def rows(self, table: str, order: tuple[str, ...], equal: Mapping[str, Any]) -> Rows:
        """See `Source`."""
        columns = ", ".join(TABLES[table].columns)
        statement = _select(columns, table, order, equal, "?")
        yield from self._connection.execute(statement, list(equal.values()))

    def names(self, table: str, column: str) -> list[str]:
        """See `Source`."""
        query = f"SELECT DISTINCT {column} FROM {table} ORDER BY 1"
        return [row[0] for row in self._connection.execute(query)]


def _select(
    columns: str, table: str, order: tuple[str, ...], equal: Mapping[str, Any], mark: str
) -> str:
    where = " AND ".join(f"{name} = {mark}" for name in equal)
    filtered = f" WHERE {where}" if where else ""
    return f"SELECT {columns} FROM {table}{filtered} ORDER BY {', '.join(order)}"


def convert(table: Table, column: str, value: str | None) -> Any:
    """Return what a column holds, from the text that PostgreSQL writes. Raises `ValueError`."""
    kind = table.columns[column]
    if value is None:
        if column not in table.nullable:
            raise ValueError(f"{column} is empty")
        return None
    if kind == INT:
        number = int(value)
        if not -(2**63) <= number < 2**63:
            raise ValueError(f"{column} is too large")
        return number
    if kind == INSTANT:
        return microseconds(value)
    if kind == BYTES:
        if not value.startswith("\\x"):
            raise ValueError(f"{column} is not in hex")
        return bytes.fromhex(value[2:])
    if kind == FLAG:
        return int(value in ("t", "true"))
    return value


def microseconds(text: str) -> int:
    """Return an instant as microseconds since 1970 UTC, from ISO 8601 with an offset.

    Raises `ValueError`.
    """
    if text in ("infinity", "-infinity"):
        return INFINITE if text == "infinity" else -INFINITE - 1
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no instant with an offset")
    year, month, day, hours, minutes, seconds = (int(part) for part in match.groups()[:6])
    of_day = (hours * 3600 + minutes * 60 + seconds - _offset(match[8])) * 1_000_000
    return _days(year, month, day) * 86_400_000_000 + of_day + int(f"{match[7] or '':0<6}")


def _days(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01 in the Gregorian calendar."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _offset(text: str) -> int:
    """Return an offset from UTC in seconds."""
    if text == "Z":
        return 0
    parts = [int(part) for part in text[1:].split(":")]
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    return seconds if text[0] == "+" else -seconds
