"""Hand-over: a permit is looked at once more, used up, and its message given to a gateway.

Two transactions, both under the customer's lock. The first writes the attempt, so that none is
ever forgotten; the second asks again whether the customer has said anything since, and gives the
message away while it holds the lock: a withdrawal either comes before and stops it, or waits.
What came of it is written last. An attempt of which nothing is known stays UNKNOWN and is never
made again: the gateway's own report says what became of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Protocol

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty import consent, vault
from loyalty.messages import deciding, registered
from loyalty.messages.deciding import Way
from loyalty.messages.rules import Message, Template, Unsendable

CONTENT = "loyalty.send_attempts.content"

_CLAIM = text("""
SELECT p.id AS permit_id, p.decision_id, p.content_digest, p.contact_digest, p.mac,
    p.expires_at AS permit_expires_at, r.*,
    CAST(d.inputs #>> '{consent,revision}' AS bigint) AS revision
FROM loyalty.permits p
JOIN loyalty.send_queue q ON q.request_id = p.request_id
JOIN loyalty.decisions d ON d.id = p.decision_id
JOIN loyalty.send_requests r ON r.id = p.request_id
WHERE p.channel = ANY(:channels) AND p.expires_at > clock_timestamp()
ORDER BY p.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
""")
_NOW = text("SELECT clock_timestamp()")
_AGAIN = text("""
UPDATE loyalty.send_queue SET due_at = clock_timestamp() WHERE request_id = ANY(:ids)
""")
_RELEASE = text("""
UPDATE loyalty.frequency_reservations SET state = 'RELEASED'
WHERE decision_id = ANY(:ids) AND state = 'RESERVED'
""")
_ATTEMPT = text("""
WITH attempted AS (
    INSERT INTO loyalty.send_attempts (decision_id, request_id, permit_id, permit_expires_at,
        content_digest, content, gateway, reference)
    VALUES (:decision, :request, :permit, :permit_expires_at, :content_digest, :content, :gateway,
        :reference)
    RETURNING id
), taken AS (
    DELETE FROM loyalty.send_queue WHERE request_id = :request
), counted AS (
    UPDATE loyalty.frequency_reservations SET state = 'UNKNOWN' WHERE decision_id = :decision
)
SELECT id FROM attempted
""")
_EVENT = text("""
WITH told AS (
    INSERT INTO loyalty.delivery_events (attempt_id, kind, code, gateway_reference, digest)
    VALUES (:attempt, :kind, :code, :gateway_reference, :digest)
    ON CONFLICT DO NOTHING RETURNING attempt_id
)
UPDATE loyalty.frequency_reservations SET state = :state
FROM told JOIN loyalty.send_attempts a ON a.id = told.attempt_id
WHERE frequency_reservations.decision_id = a.decision_id
""")
STATES = {
    "accepted": "COMMITTED",
    "delivered": "COMMITTED",
    "bounced": "COMMITTED",
    "complained": "COMMITTED",
    "replied": "COMMITTED",
    "undelivered": "COMMITTED",
    "refused": "RELEASED",
    "withheld": "RELEASED",
    "unknown": "UNKNOWN",
}


class Kind(StrEnum):
    """What a gateway's answer means: it has the message, it will not, or nobody knows."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A gateway's answer: `code` is a short word of its own, `reference` its name for it."""

    kind: Kind
    code: str = ""
    reference: str = ""
    raw: bytes = b""


class Gateway(Protocol):
    """What an adapter offers. `hand_over` never raises for what a gateway does: it says so."""

    @property
    def name(self) -> str:
        """The name under which attempts are kept."""
        ...

    def is_ready(self) -> bool:
        """Return whether it answers: while it does not, permits lapse and requests wait."""
        ...

    def hand_over(self, message: Message, reference: str) -> Receipt:
        """Give `message` to the gateway under our `reference`; takes a few seconds at most."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was written, with the message that is to be handed over."""

    id: int
    customer_id: int
    revision: int
    reference: str
    message: Message


@dataclass(frozen=True, slots=True)
class Live:
    """A permit that still holds: what it is for, and the message made anew."""

    row: Row[Any]
    template: Template
    message: Message


def claim(session: Session, channels: Sequence[str], limit: int) -> list[Live]:
    """Return live permits of these channels with their messages, under the customers' locks.

    Where a permit does not hold any more (forged, lapsed, anything about the customer changed,
    the message would be another), its request goes back to the gate at once.
    """
    rows = session.execute(_CLAIM, {"channels": list(channels), "limit": limit}).all()
    if not rows:
        return []
    revisions = consent.lock(session, [row.customer_id for row in rows])
    now: datetime = session.execute(_NOW).scalar_one()
    templates = registered.templates_by_id(session, [row.template_version_id for row in rows])
    ways = deciding.reach(session, rows, deciding.read_known(session, rows, templates))
    found = [
        _check(row, templates[row.template_version_id], ways.get(row.id), now)
        if revisions.get(row.customer_id) == row.revision
        else None
        for row in rows
    ]
    stale = [row for row, live in zip(rows, found, strict=True) if live is None]
    if stale:
        session.execute(_AGAIN, {"ids": [row.id for row in stale]})
        session.execute(_RELEASE, {"ids": [row.decision_id for row in stale]})
    return [live for live in found if live is not None]


def _check(row: Row[Any], template: Template, way: Way | None, now: datetime) -> Live | None:
    content, contact = bytes(row.content_digest), bytes(row.contact_digest)
    mac = deciding.permit_mac(row.decision_id, content, contact, row.permit_expires_at)
    if not compare_digest(mac, bytes(row.mac)) or now >= row.permit_expires_at:
        return None
    if way is None or way.digest != contact:
        return None
    try:
        message = deciding.compose_for(row, template, way)
    except Unsendable:
        return None
    is_same = deciding.message_digest(message) == content
    return Live(row, template, message) if is_same else None


def begin(session: Session, live: Live, gateway: str, reference: str) -> Attempt:
    """Write the attempt that uses up a permit; its outcome is unknown until something is told."""
    row = live.row
    key = vault.open_key(session, row.customer_id)
    content = key.seal(CONTENT, dump_message(live.message))
    number: int = session.execute(
        _ATTEMPT,
        {
            "decision": row.decision_id,
            "request": row.id,
            "permit": row.permit_id,
            "permit_expires_at": row.permit_expires_at,
            "content_digest": row.content_digest,
            "content": content,
            "gateway": gateway,
            "reference": reference,
        },
    ).scalar_one()
    return Attempt(number, row.customer_id, row.revision, reference, live.message)


def finish(session: Session, attempt: Attempt, gateway: Gateway) -> Receipt | None:
    """Hand the message over, unless the customer said anything since; write what came of it.

    Returns None where it was withheld. The customer's lock is held until the caller commits.
    """
    revisions = consent.lock(session, [attempt.customer_id])
    if revisions.get(attempt.customer_id) != attempt.revision:
        tell(session, attempt.id, "withheld", "consent-changed")
        return None
    receipt = gateway.hand_over(attempt.message, attempt.reference)
    tell(session, attempt.id, receipt.kind, receipt.code, receipt.reference, receipt.raw)
    return receipt


def tell(
    session: Session,
    attempt_id: int,
    kind: str,
    code: str = "",
    gateway_reference: str = "",
    raw: bytes = b"",
) -> None:
    """Write what became of an attempt, once however often it is told."""
    session.execute(
        _EVENT,
        {
            "attempt": attempt_id,
            "kind": kind,
            "code": code[:60],
            "gateway_reference": gateway_reference[:200],
            "digest": sha256(raw).digest(),
            "state": STATES[kind],
        },
    )


def reference_of(row: Row[Any]) -> str:
    """Return our name for a hand-over, known before it begins and never used twice."""
    return f"q{row.id}-{row.decision_id}"


def dump_message(message: Message) -> str:
    """Return a message as JSON, for sealing."""
    return orjson.dumps(
        {
            "channel": message.channel,
            "contact": message.contact,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "headers": message.headers,
        }
    ).decode()
