"""What is owed in points: outstanding by month of expiry, and how it moved in a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.acts import NEVER


@dataclass(frozen=True, slots=True)
class Movement:
    """How a unit's liability moved from one instant to another.

    `closing == opening + earned - redeemed - expired + adjusted + other`; reversals count
    against what they reverse; `other` is what moved between wallets and accounts of other roles.
    """

    opening: int
    earned: int
    redeemed: int
    expired: int
    adjusted: int
    other: int
    closing: int


OUTSTANDING = text("""
SELECT CASE WHEN t.expires_at = :never THEN NULL
    ELSE date_trunc('month', t.expires_at AT TIME ZONE :zone)::date END AS month,
    sum(t.remaining)::bigint AS amount
FROM ledger.lot_totals t JOIN ledger.wallets w USING (account_id)
WHERE w.unit_id = :unit AND t.remaining > 0
GROUP BY 1 ORDER BY 1 NULLS LAST
""")

MOVED = text("""
SELECT coalesce(a.role, 'other') AS role, e.recorded_at >= :until AS later,
    sum(CASE WHEN t.to_account_id = t.account_id THEN t.amount ELSE -t.amount END)::bigint AS amount
FROM ledger.entries e
JOIN ledger.wallets w ON w.account_id = e.account_id
JOIN ledger.transfers t ON t.account_id = e.account_id AND t.entry_id = e.id
    AND t.position >= e.position AND t.position < e.position + e.transfers
JOIN ledger.accounts a ON a.id = CASE WHEN t.to_account_id = t.account_id
    THEN t.from_account_id ELSE t.to_account_id END
WHERE e.recorded_at >= :since AND w.unit_id = :unit
    AND t.account_id IN (t.from_account_id, t.to_account_id)
GROUP BY 1, 2
""")


def read_outstanding(session: Session, unit_id: int, zone: str) -> dict[date | None, int]:
    """Return the unspent amount of a unit by first day of the month it lapses in (None: never).

    Months are those of the time zone `zone`.
    """
    rows = session.execute(OUTSTANDING, {"unit": unit_id, "zone": zone, "never": NEVER})
    return {row.month: row.amount for row in rows}


def read_movement(session: Session, unit_id: int, since: datetime, until: datetime) -> Movement:
    """Return how a unit's liability moved from `since` up to but without `until` (by record)."""
    held: int = session.execute(
        text("SELECT coalesce(sum(posted), 0)::bigint FROM ledger.wallets WHERE unit_id = :unit"),
        {"unit": unit_id},
    ).scalar_one()
    rows = session.execute(MOVED, {"unit": unit_id, "since": since, "until": until}).all()
    closing = held - sum(row.amount for row in rows if row.later)
    moved = {row.role: row.amount for row in rows if not row.later}
    named = {role: moved.pop(role, 0) for role in ("issued", "redeemed", "expired", "adjusted")}
    other = sum(moved.values())
    return Movement(
        opening=closing - sum(named.values()) - other,
        earned=named["issued"],
        redeemed=-named["redeemed"],
        expired=-named["expired"],
        adjusted=named["adjusted"],
        other=other,
        closing=closing,
    )
