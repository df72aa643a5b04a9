"""A statement as a file for spreadsheets."""

from collections.abc import Callable, Iterable, Iterator
from typing import IO

from loyalty.settlement.queries import StatementLine
from loyalty.web import sheets

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
MOST_ROWS = sheets.MOST_ROWS
MONEY = frozenset({"amount", "owed", "borne", "balance"})

Writer = Callable[[Iterable[StatementLine]], IO[bytes]]


def write_csv(lines: Iterable[StatementLine]) -> IO[bytes]:
    """Return the lines as CSV."""
    return sheets.write_csv(COLUMNS, _rows(lines), MONEY)


def write_xlsx(lines: Iterable[StatementLine]) -> IO[bytes]:
    """Return the lines as a workbook."""
    return sheets.write_xlsx("statement", COLUMNS, _rows(lines), MONEY)


def _rows(lines: Iterable[StatementLine]) -> Iterator[sheets.Cells]:
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
