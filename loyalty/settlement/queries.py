"""Statements and their lines, to whoever may see them. Lines are read from the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.web import NotFound

PAGE = 2_000

_STATEMENT = """
SELECT s.id, s.partner_id, s.account_id, s.currency, s.number, s.since, s.until,
    s.first_position, s.last_position, s.opening, s.redeemed, s.taken_back, s.corrected, s.paid,
    s.closing, s.borne, s.closed_at, p.amount AS released, p.released_at
FROM loyalty.settlement_statements s
LEFT JOIN loyalty.settlement_payments p ON p.statement_id = s.id
"""
ONE = text(f"{_STATEMENT} WHERE s.id = :statement AND s.partner_id = :partner")
ALL = text(
    f"{_STATEMENT} WHERE s.partner_id = :partner AND s.id < :before ORDER BY s.id DESC LIMIT :limit"
)
LINES = text("""
SELECT e.position AS line, e.kind, e.source, e.reference, e.cause, e.effective_at, e.recorded_at,
    sum(CASE WHEN t.to_account_id = t.account_id THEN t.amount
        WHEN t.from_account_id = t.account_id THEN -t.amount ELSE 0 END)::bigint AS ours,
    sum(CASE WHEN t.account_id IN (t.from_account_id, t.to_account_id) THEN 0
        WHEN t.from_account_id = :borne THEN t.amount ELSE -t.amount END)::bigint AS theirs,
    (array_agg(t.balance_after ORDER BY t.position DESC))[1] AS balance_after
FROM ledger.transfers t
JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id
WHERE t.account_id = :account AND t.position > :after AND t.position <= :last
GROUP BY e.account_id, e.id, e.position, e.kind, e.source, e.reference, e.cause, e.effective_at,
    e.recorded_at
ORDER BY e.position LIMIT :limit
""")
_DISPUTE = """
SELECT d.id, d.statement_id, d.line, d.reason, d.claimed, d.opened_by, d.opened_at,
    o.outcome, o.correction, o.decided_at, s.partner_id, s.account_id, s.currency
FROM loyalty.settlement_disputes d
JOIN loyalty.settlement_statements s ON s.id = d.statement_id
LEFT JOIN loyalty.settlement_outcomes o ON o.dispute_id = d.id
"""
DISPUTE = text(f"{_DISPUTE} WHERE d.id = :dispute AND s.partner_id = :partner")
DISPUTES = text(
    f"{_DISPUTE} WHERE s.partner_id = :partner AND d.id > :after ORDER BY d.id LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A redemption, void, reversal, correction or payment; amounts are signed minor units.

    `line` is its place in the partner's log. `ours` changed what we owe; `theirs` is what the
    partner bore itself.
    """

    line: int
    kind: str
    source: str
    reference: str
    cause: dict[str, Any]
    effective_at: datetime
    recorded_at: datetime
    ours: int
    theirs: int
    balance_after: int


def read_statement(session: Session, partner_id: int, statement_id: int) -> Any:
    """Return a statement of this partner; raises `NotFound` for everybody else's."""
    asked = {"statement": statement_id, "partner": partner_id}
    row = session.execute(ONE, asked).one_or_none()
    if row is None:
        raise NotFound
    return row


def list_statements(session: Session, partner_id: int, *, before: int, limit: int) -> list[Any]:
    """Return up to `limit` statements of a partner, newest first, below the number `before`."""
    asked = {"partner": partner_id, "before": before, "limit": limit}
    return list(session.execute(ALL, asked))


def list_lines(
    session: Session, statement: Any, borne: int, *, after: int, limit: int
) -> list[StatementLine]:
    """Return up to `limit` lines of a statement after the line at position `after`.

    `borne` is the partner's account of what it bears itself. A line has as many positions as it
    has legs, so `after` is the last position of the line before.
    """
    rows = session.execute(
        LINES,
        {
            "account": statement.account_id,
            "borne": borne,
            "after": max(after, statement.first_position - 1),
            "last": statement.last_position,
            "limit": limit,
        },
    )
    return [StatementLine(**{**row._mapping, "cause": row.cause or {}}) for row in rows]


def every_line(session: Session, statement: Any, borne: int) -> Iterator[StatementLine]:
    """Yield all lines of a statement, read some thousand at a time."""
    after = statement.first_position - 1
    while lines := list_lines(session, statement, borne, after=after, limit=PAGE):
        yield from lines
        after = last_position(lines[-1])


def last_position(line: StatementLine) -> int:
    """Return the last position of a line: it has one for each of its legs that is not 0."""
    return line.line + max(1, (line.ours != 0) + (line.theirs != 0)) - 1


def read_dispute(session: Session, partner_id: int, dispute_id: int) -> Any:
    """Return a dispute of this partner; raises `NotFound` for everybody else's."""
    asked = {"dispute": dispute_id, "partner": partner_id}
    row = session.execute(DISPUTE, asked).one_or_none()
    if row is None:
        raise NotFound
    return row


def list_disputes(session: Session, partner_id: int, *, after: int, limit: int) -> list[Any]:
    """Return up to `limit` disputes of a partner, oldest first, after the number `after`."""
    asked = {"partner": partner_id, "after": after, "limit": limit}
    return list(session.execute(DISPUTES, asked))
