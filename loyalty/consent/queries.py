"""Reading what customers said, for themselves and for whoever serves them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.consent.notices import Notice, Purpose, read_notices, read_purposes

_STATES = text("""
SELECT p.code AS purpose, s.channel, s.partner_id, s.since_seq, s.granted_at, s.refused_at,
    s.expires_at, CASE WHEN s.status IN ('GRANTED', 'PENDING')
        AND s.expires_at <= clock_timestamp() THEN 'EXPIRED' ELSE s.status END AS status
FROM loyalty.consent_states s JOIN loyalty.consent_purposes p ON p.id = s.purpose_id
WHERE s.customer_id = :customer_id ORDER BY p.id, s.channel, s.partner_id LIMIT 1000
""")


def list_states(session: Session, customer_id: int) -> list[dict[str, Any]]:
    """Return all that a customer ever said something about, as it is now."""
    rows = session.execute(_STATES, {"customer_id": customer_id})
    return [dict(row._mapping) for row in rows]


def list_purposes(session: Session) -> list[tuple[Purpose, Notice | None]]:
    """Return every purpose with its notice that is in force."""
    now = datetime.now(UTC)
    in_force: dict[int, Notice] = {}
    for notice in read_notices(session).values():
        if notice.effective_from <= now:
            in_force[notice.purpose_id] = notice
    return [(purpose, in_force.get(purpose.id)) for purpose in read_purposes(session).values()]
