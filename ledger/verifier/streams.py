"""Streams: rows of one table in the order of a key, looked at one ahead."""

from collections.abc import Iterator, Mapping
from typing import Any

from findings import Report
from schema import TABLES
from sources import Source

END = (2**200,)


class Stream:
    """A table's rows in ascending order of `order`; one row per key, or it is a finding."""

    def __init__(
        self,
        source: Source,
        report: Report,
        table: str,
        order: tuple[str, ...],
        equal: Mapping[str, Any] | None = None,
    ) -> None:
        names = list(TABLES[table].columns)
        self.table = table
        self._order = order
        self._report = report
        self._places = [names.index(name) for name in order]
        self._rows = source.rows(table, order, equal or {})
        self.key: tuple[Any, ...] = (-1,)
        self.row: tuple[Any, ...] = ()
        self.advance()

    def advance(self) -> tuple[Any, ...]:
        """Return the row at hand, and look at the next."""
        row, key = self.row, self.key
        while True:
            self.row = next(self._rows, ())
            if not self.row:
                self.key = END
                return row
            self.key = tuple([self.row[place] for place in self._places])
            if self.key != key:
                return row
            self._report.find(self.table, self.named(self.key), "is there twice")

    def until(self, *key: int) -> Iterator[tuple[Any, ...]]:
        """Yield the rows whose key is not above `key`, compared as far as `key` goes."""
        length = len(key)
        while self.key[:length] <= key:
            yield self.advance()

    def named(self, key: tuple[Any, ...]) -> dict[str, Any]:
        """Return a key with the names of its columns."""
        return {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in zip(self._order, key, strict=False)
        }
