"""Finding what the expiry sweep has to do: wallets with lapsed points, holds that lapsed."""

from sqlalchemy import text
from sqlalchemy.orm import Session

DUE = text("""
SELECT DISTINCT t.account_id FROM ledger.lot_totals t
JOIN ledger.wallets w USING (account_id)
WHERE t.expires_at <= clock_timestamp() AND t.remaining > t.held
    AND w.unit_id = :unit AND t.account_id > :after
ORDER BY t.account_id LIMIT :limit
""")

COUNT = text("""
SELECT count(DISTINCT account_id) FROM ledger.lot_totals
WHERE expires_at <= clock_timestamp() AND remaining > held
""")

LAPSED_HOLDS = text("""
SELECT h.account_id, h.id FROM ledger.holds h
JOIN ledger.wallets w USING (account_id)
WHERE h.remaining > 0 AND h.lapses_at <= clock_timestamp() AND w.unit_id = :unit
ORDER BY h.lapses_at LIMIT :limit
""")


def find_expired(session: Session, unit_id: int, *, after: int = 0, limit: int = 1000) -> list[int]:
    """Return up to `limit` wallets (in id order, beyond `after`) in which points have lapsed."""
    rows = session.execute(DUE, {"unit": unit_id, "after": after, "limit": limit})
    return list(rows.scalars())


def count_expired(session: Session) -> int:
    """Return in how many wallets of all units points have lapsed."""
    count: int = session.execute(COUNT).scalar_one()
    return count


def find_lapsed_holds(
    session: Session, unit_id: int, *, limit: int = 1000
) -> list[tuple[int, int]]:
    """Return up to `limit` holds that have lapsed, as (account, hold id), longest ago first."""
    rows = session.execute(LAPSED_HOLDS, {"unit": unit_id, "limit": limit})
    return [(row.account_id, row.id) for row in rows]
