"""Reading the ledger: balances, statements, single entries, balances as of a moment.

Unknown accounts raise `UnknownAccount`: an empty answer that looks like zero does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.acts import NEVER, Line, Posted


class UnknownAccount(Exception):
    """There is no wallet with this account id."""

    def __init__(self, account: int) -> None:
        super().__init__(f"account {account} is not a wallet")
        self.account = account


@dataclass(frozen=True, slots=True)
class Balance:
    """What a wallet has at `at`, in whole units of its account.

    `posted` is all that the log adds up to; of it `available` may be spent, `pending` is not yet
    usable, `held` is reserved, `lapsed` has expired and waits for the sweep. `debt` is owed from
    a reversal and already taken off `available`. `expiries` are the instants at which points
    that are neither lapsed nor spent lapse, soonest first (what never lapses is not among them);
    `arrivals` the instants at which pending ones become usable.
    """

    account: int
    at: datetime
    posted: int
    available: int
    pending: int
    held: int
    lapsed: int
    debt: int
    expiries: tuple[tuple[datetime, int], ...]
    arrivals: tuple[tuple[datetime, int], ...]


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer as its wallet sees it; `amount` is signed, `lots` are positions and amounts.

    For a credit `expires_at` says when it lapses (None: never) and `available_from` from when it
    may be spent; `lots` says for a debit what it took from which lot.
    """

    position: int
    entry_id: int
    kind: str
    source: str
    reference: str
    cause: dict[str, Any] | None
    counterpart: str
    amount: int
    balance_after: int
    reverses: int | None
    effective_at: datetime
    recorded_at: datetime
    available_from: datetime | None
    expires_at: datetime | None
    terms: bytes | None
    remaining: int | None
    lots: tuple[tuple[int, int], ...]


BALANCES = """
SELECT w.account_id, w.posted, w.debt, clock_timestamp() AS at, (
        SELECT json_agg(json_build_array(t.expires_at, t.available_from, t.remaining, t.held))
        FROM ledger.lot_totals t WHERE t.account_id = w.account_id AND t.remaining > 0
    ) AS totals, CASE WHEN w.held > 0 THEN (
        SELECT json_agg(json_build_array(l.expires_at, l.available_from, hl.remaining))
        FROM ledger.holds h
        JOIN ledger.hold_lots hl ON hl.account_id = h.account_id AND hl.hold_id = h.id
        JOIN ledger.lots l ON l.account_id = hl.account_id AND l.position = hl.lot
        WHERE h.account_id = w.account_id AND h.remaining > 0 AND h.lapses_at <= clock_timestamp()
    ) END AS lapsed_holds
FROM ledger.wallets w WHERE w.account_id = ANY(%s)
"""

STATEMENT = text("""
SELECT t.position, t.entry_id, e.kind, e.source, e.reference, e.cause, a.role AS counterpart,
    CASE WHEN t.to_account_id = t.account_id THEN t.amount
        WHEN t.from_account_id = t.account_id THEN -t.amount ELSE 0 END AS amount,
    t.balance_after, t.reverses, e.effective_at, e.recorded_at,
    l.available_from, l.expires_at, l.terms, l.remaining, (
        SELECT json_agg(json_build_array(u.lot, u.amount) ORDER BY u.lot) FROM ledger.lot_uses u
        WHERE u.account_id = t.account_id AND u.position = t.position
    ) AS lots
FROM ledger.transfers t
JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id
JOIN ledger.accounts a ON a.id = CASE WHEN t.to_account_id = t.account_id
    THEN t.from_account_id ELSE t.to_account_id END
LEFT JOIN ledger.lots l ON l.account_id = t.account_id AND l.position = t.position
WHERE t.account_id = :account AND t.position < :before
ORDER BY t.position DESC LIMIT :limit
""")

PROBE = text("""
SELECT t.balance_after, e.recorded_at FROM ledger.transfers t
JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id
WHERE t.account_id = :account AND t.position = :position
""")

EFFECTIVE = text("""
SELECT coalesce(sum(CASE WHEN t.to_account_id = t.account_id THEN t.amount
    WHEN t.from_account_id = t.account_id THEN -t.amount ELSE 0 END), 0)::bigint
FROM ledger.transfers t
JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id
WHERE t.account_id = :account AND e.effective_at <= :effective_at
    AND t.position <= :position
""")


def read_balance(session: Session, account: int) -> Balance:
    """Return what a wallet has now. Raises `UnknownAccount`."""
    balances = read_balances(session, [account])
    if account not in balances:
        raise UnknownAccount(account)
    return balances[account]


def read_balances(session: Session, accounts: Sequence[int]) -> dict[int, Balance]:
    """Return what each of these wallets has now, by account; unknown ones are missing."""
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(BALANCES, (list(accounts),)).fetchall()
    return {row.account_id: _balance(row) for row in rows}


def _balance(row: Any) -> Balance:
    now: datetime = row.at
    freed = _lapsed_holds(row.lapsed_holds or ())
    available = pending = held = lapsed = 0
    expiries: dict[datetime, int] = {}
    arrivals: dict[datetime, int] = {}
    for expires, arrives, remaining, reserved in row.totals or ():
        expires_at, available_from = (
            datetime.fromisoformat(expires),
            datetime.fromisoformat(arrives),
        )
        still_held = reserved - freed.get((expires, arrives), 0)
        free = remaining - still_held
        held += still_held
        if expires_at <= now:
            lapsed += free
            continue
        if available_from > now:
            pending += free
            arrivals[available_from] = arrivals.get(available_from, 0) + free
        else:
            available += free
        if expires_at < NEVER:
            expiries[expires_at] = expiries.get(expires_at, 0) + remaining
    return Balance(
        account=row.account_id,
        at=now,
        posted=row.posted,
        available=max(0, available - row.debt),
        pending=pending,
        held=held,
        lapsed=lapsed,
        debt=row.debt,
        expiries=tuple(sorted(expiries.items())),
        arrivals=tuple(sorted(arrivals.items())),
    )


def _lapsed_holds(rows: Any) -> dict[tuple[str, str], int]:
    freed: dict[tuple[str, str], int] = {}
    for expires, arrives, amount in rows:
        freed[expires, arrives] = freed.get((expires, arrives), 0) + amount
    return freed


def read_statement(
    session: Session, account: int, *, before: int | None = None, limit: int = 50
) -> list[StatementLine]:
    """Return up to `limit` lines of a wallet's log, newest first, older than position `before`."""
    rows = session.execute(
        STATEMENT,
        {"account": account, "before": before or 2**62, "limit": limit},
    )
    return [_statement_line(row) for row in rows]


def read_line(session: Session, account: int, position: int) -> StatementLine | None:
    """Return one line of a wallet's log, or None where the log is not that long."""
    lines = read_statement(session, account, before=position + 1, limit=1)
    return lines[0] if lines and lines[0].position == position else None


def _statement_line(row: Any) -> StatementLine:
    fields = dict(row._mapping)
    fields["lots"] = tuple((lot, amount) for lot, amount in fields["lots"] or ())
    if fields["expires_at"] == NEVER:
        fields["expires_at"] = None
    return StatementLine(**fields)


def read_balance_as_of(
    session: Session,
    account: int,
    *,
    recorded_at: datetime | None = None,
    effective_at: datetime | None = None,
) -> int:
    """Return the balance that was known at `recorded_at` of what had happened by `effective_at`.

    Either may be left out (now). By record it costs a search of the log; by effect it adds up
    the log. Raises `UnknownAccount`.
    """
    position = _position_as_of(session, account, recorded_at)
    if effective_at is None:
        return _probe(session, account, position)[0] if position else 0
    balance: int = session.execute(
        EFFECTIVE, {"account": account, "effective_at": effective_at, "position": position}
    ).scalar_one()
    return balance


def _position_as_of(session: Session, account: int, recorded_at: datetime | None) -> int:
    last = session.execute(
        text("SELECT position FROM ledger.wallets WHERE account_id = :account"),
        {"account": account},
    ).scalar_one_or_none()
    if last is None:
        raise UnknownAccount(account)
    if recorded_at is None:
        return int(last)
    low, high = 0, int(last)
    while low < high:
        middle = (low + high + 1) // 2
        if _probe(session, account, middle)[1] <= recorded_at:
            low = middle
        else:
            high = middle - 1
    return low


def _probe(session: Session, account: int, position: int) -> tuple[int, datetime]:
    row = session.execute(PROBE, {"account": account, "position": position}).one()
    return row.balance_after, row.recorded_at


FIND = text("""
SELECT e.id, e.recorded_at, t.account_id, t.position, t.from_account_id, t.to_account_id,
    t.amount, t.balance_after, t.reverses
FROM ledger.entries home
JOIN ledger.entries e ON e.id = home.id
JOIN ledger.transfers t ON t.account_id = e.account_id
    AND t.position >= e.position AND t.position < e.position + e.transfers
WHERE home.account_id = :account AND home.source = :source AND home.reference = :reference
    AND home.home_id = :account
ORDER BY e.account_id <> home.account_id, t.account_id, t.position
""")


def find_posted(session: Session, account: int, source: str, reference: str) -> Posted | None:
    """Return the entry that a wallet has under `(source, reference)`, or None."""
    rows = session.execute(
        FIND, {"account": account, "source": source, "reference": reference}
    ).all()
    if not rows:
        return None
    lines = tuple(Line(*row[2:]) for row in rows)
    return Posted(rows[0].id, lines, rows[0].recorded_at, replayed=True)
