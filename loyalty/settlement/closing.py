"""Closing a period: the range of a partner's log that a statement is, fixed for ever."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import audit, partners
from loyalty.settlement.telling import tell
from loyalty.web import Caller, Refused

ZONE = ZoneInfo("Asia/Shanghai")
"""Where the days of settlement begin and end."""

LAST = text("""
SELECT number, until, last_position, closing FROM loyalty.settlement_statements
WHERE account_id = :account ORDER BY number DESC LIMIT 1
""")
CLOCK = text("SELECT clock_timestamp()")
# What the log has after the statement before and recorded before `until`, by kind of line.
RANGE = text("""
SELECT coalesce(max(t.position), :after)::bigint AS last,
    (coalesce(sum(c.ours) FILTER (WHERE e.kind = 'redeem'), 0))::bigint AS redeemed,
    (-coalesce(sum(c.ours) FILTER (WHERE e.kind IN ('void', 'reverse')), 0))::bigint AS taken_back,
    (-coalesce(sum(c.ours) FILTER (WHERE e.kind = 'pay'), 0))::bigint AS paid,
    (coalesce(sum(c.ours) FILTER (
        WHERE e.kind NOT IN ('redeem', 'void', 'reverse', 'pay')), 0))::bigint AS corrected,
    (coalesce(sum(c.theirs), 0))::bigint AS borne,
    (SELECT b.balance_after FROM ledger.transfers b WHERE b.account_id = :account
        AND b.position = coalesce(max(t.position), :after)) AS closing
FROM ledger.entries e
JOIN ledger.transfers t ON t.account_id = e.account_id AND t.entry_id = e.id
CROSS JOIN LATERAL (
    SELECT CASE WHEN t.to_account_id = t.account_id THEN t.amount
        WHEN t.from_account_id = t.account_id THEN -t.amount ELSE 0 END AS ours,
    CASE WHEN t.account_id IN (t.from_account_id, t.to_account_id) THEN 0
        WHEN t.from_account_id = :borne THEN t.amount ELSE -t.amount END AS theirs
) c
WHERE e.account_id = :account AND t.position > :after AND e.recorded_at < :until
""")
CLOSE = text("""
INSERT INTO loyalty.settlement_statements (partner_id, account_id, currency, number, since, until,
    first_position, last_position, opening, redeemed, taken_back, corrected, paid, closing, borne)
VALUES (:partner, :account, :currency, :number, :since, :until, :first, :last, :opening,
    :redeemed, :taken_back, :corrected, :paid, :closing, :borne)
RETURNING id
""")


@dataclass(frozen=True, slots=True)
class Before:
    """Where the statement before ended; for the first one, the beginning of the log."""

    number: int = 0
    until: datetime | None = None
    last_position: int = 0
    closing: int = 0


def close_statement(
    session: Session, caller: Caller, partner_id: int, currency: str, until: datetime
) -> int:
    """Close the period that ends at `until` and return the statement's number (`stm_…`).

    Everything that was recorded before `until` and stands in no earlier statement belongs to it.
    The log is locked meanwhile, so no line can come late. Raises `Refused` with
    `period-not-over` or `currency-not-settled`.
    """
    accounts = partners.find_accounts(session, partner_id, currency)
    ledger.lock(session, [accounts.payable])
    before = _before(session, accounts.payable)
    now: datetime = session.execute(CLOCK).scalar_one()
    if until > now or (before.until is not None and until <= before.until):
        raise Refused("period-not-over")
    statement = _write(session, partner_id, currency, accounts, before, until)
    detail = {"partner": partner_id, "number": before.number + 1}
    audit.record(session, caller, "settlement.closed", "statement", statement, detail)
    tell(session, "settlement.closed", partner_id, statement)
    return statement


def _before(session: Session, account: int) -> Before:
    row = session.execute(LAST, {"account": account}).one_or_none()
    return Before() if row is None else Before(*row)


def _write(
    session: Session,
    partner_id: int,
    currency: str,
    accounts: partners.Accounts,
    before: Before,
    until: datetime,
) -> int:
    place = {"account": accounts.payable, "after": before.last_position, "until": until}
    moved: Any = session.execute(RANGE, {**place, "borne": accounts.borne}).one()
    statement: int = session.execute(
        CLOSE,
        {
            **moved._mapping,
            "partner": partner_id,
            "account": accounts.payable,
            "currency": currency,
            "number": before.number + 1,
            "since": before.until,
            "until": until,
            "first": before.last_position + 1,
            "opening": before.closing,
            "closing": before.closing if moved.closing is None else moved.closing,
        },
    ).scalar_one()
    return statement


def first_of_month(now: datetime) -> datetime:
    """Return when the month of `now` began in the zone of settlement."""
    there = now.astimezone(ZONE)
    return there.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


DUE = text("""
SELECT p.id, p.currency FROM loyalty.partners p
WHERE p.opened_at < :until AND NOT EXISTS (
    SELECT FROM loyalty.settlement_statements s WHERE s.partner_id = p.id AND s.until >= :until
) ORDER BY p.id LIMIT 1
""")


def close_next(session: Session, caller: Caller, until: datetime) -> bool:
    """Close one partner's period that ends at `until`; return whether there was one."""
    partner = session.execute(DUE, {"until": until}).one_or_none()
    if partner is None:
        return False
    close_statement(session, caller, partner.id, partner.currency, until)
    return True
