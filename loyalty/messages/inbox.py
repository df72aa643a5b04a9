"""The customer's own inbox: messages that need no gateway, sealed with the customer's key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import vault
from loyalty.messages import handover
from loyalty.web import NotFound

GATEWAY = "inbox"
TITLE, BODY = "loyalty.inbox_messages.title", "loyalty.inbox_messages.body"

_PUT = text("""
INSERT INTO loyalty.inbox_messages (customer_id, attempt_id, title, body, class)
VALUES (:customer, :attempt, :title, :body, :class)
""")
_LIST = text("""
SELECT m.id, m.title, m.body, m.class AS class_, m.at, r.at AS read_at
FROM loyalty.inbox_messages m LEFT JOIN loyalty.inbox_reads r ON r.message_id = m.id
WHERE m.customer_id = :customer AND (CAST(:before AS bigint) IS NULL OR m.id < :before)
ORDER BY m.id DESC LIMIT :limit
""")
_READ = text("""
INSERT INTO loyalty.inbox_reads (message_id)
SELECT id FROM loyalty.inbox_messages WHERE id = :message AND customer_id = :customer
ON CONFLICT DO NOTHING
""")
_OWNED = text(
    "SELECT 1 FROM loyalty.inbox_messages WHERE id = :message AND customer_id = :customer"
)


@dataclass(frozen=True, slots=True)
class Received:
    """A message as its customer reads it."""

    id: int
    title: str
    body: str
    class_: str
    at: datetime
    read_at: datetime | None


def deliver(session: Session, limit: int) -> int:
    """Put messages with live permits into their inboxes; return how many.

    One transaction is enough here: the inbox is in the same database as the permit.
    """
    delivered = handover.claim(session, ["in_app"], limit)
    for live in delivered:
        attempt = handover.begin(session, live, GATEWAY, handover.reference_of(live.row))
        key = vault.open_key(session, attempt.customer_id)
        session.execute(
            _PUT,
            {
                "customer": attempt.customer_id,
                "attempt": attempt.id,
                "title": key.seal(TITLE, live.message.subject),
                "body": key.seal(BODY, live.message.text),
                "class": live.template.class_,
            },
        )
        handover.tell(session, attempt.id, "delivered", "inbox")
    return len(delivered)


def read_inbox(
    session: Session, customer_id: int, before: int | None, limit: int
) -> Sequence[Received]:
    """Return up to `limit` messages of a customer, newest first; none once they are erased."""
    keys = vault.open_keys(session, [customer_id])
    if customer_id not in keys:
        return []
    key = keys[customer_id]
    rows = session.execute(_LIST, {"customer": customer_id, "before": before, "limit": limit})
    return [
        Received(
            row.id,
            key.unseal(TITLE, bytes(row.title)),
            key.unseal(BODY, bytes(row.body)),
            row.class_,
            row.at,
            row.read_at,
        )
        for row in rows
    ]


def mark_read(session: Session, customer_id: int, message_id: int) -> None:
    """Note that the customer opened a message; the first time counts. Raises `NotFound`."""
    asked = {"customer": customer_id, "message": message_id}
    if session.execute(_OWNED, asked).first() is None:
        raise NotFound
    session.execute(_READ, asked)
