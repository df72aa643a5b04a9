"""Ending, every night, the consents that nobody confirmed for too long."""

from sqlalchemy import text

from loyalty import outbox
from loyalty.consent.recording import NewEvent, record
from loyalty.consent.rules import EXPIRE
from loyalty.database import transaction
from loyalty.web import Caller

CHUNK = 500
EXPIRY = Caller.job("consent.expire")

_OVERDUE = text("""
SELECT s.customer_id, p.code, s.channel, s.partner_id, s.since_seq
FROM loyalty.consent_states s JOIN loyalty.consent_purposes p ON p.id = s.purpose_id
JOIN loyalty.customers c ON c.id = s.customer_id AND c.state = 'active'
WHERE s.status IN ('GRANTED', 'PENDING') AND s.expires_at <= clock_timestamp()
ORDER BY s.customer_id, s.purpose_id, s.channel, s.partner_id LIMIT :limit
""")


@outbox.job("consent.expire", every=outbox.Daily(hour=1))
def expire(_: outbox.Event) -> None:
    """Write that consents ended; they count as ended from their day on, written or not."""
    while expire_some(CHUNK) == CHUNK:
        pass


def expire_some(limit: int) -> int:
    """End up to `limit` overdue consents and return how many there were."""
    with transaction() as session:
        overdue = session.execute(_OVERDUE, {"limit": limit}).all()
        events = [
            NewEvent(
                customer_id=row.customer_id,
                purpose=row.code,
                channel=row.channel,
                partner_id=row.partner_id,
                action=EXPIRE,
                mechanism="EXPIRY",
                source=EXPIRY.id,
                reference=f"since-{row.since_seq}",
            )
            for row in overdue
        ]
        record(session, EXPIRY, events)
    return len(overdue)
