"""Webhooks: endpoints with secrets, what each is to be told, and how often it is tried.

Signed by Standard Webhooks 1.0, worded as CloudEvents 1.0. A secret is made from a nonce in the
database and a key outside it, so it stands nowhere and is shown once.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty.messages.reaching import Reached
from loyalty.web import NotFound, Refused
from loyalty.web.fields import dump_instant
from loyalty.web.keyfiles import read_secret

# What names a partner goes to that partner's endpoints as well as to the bank's.
TOPICS = (
    "customer.erasure_asked",
    "purchases.recorded",
    "purchases.refunded",
    "coupon.redeemed",
    "coupon.redemption_voided",
    "coupon.redemption_reversed",
    "coupon.spent_twice",
    "settlement.closed",
    "settlement.released",
    "settlement.disputed",
    "settlement.dispute_decided",
)
MOST_ENDPOINTS = 20
AT_ONCE = 2  # requests under way to one endpoint
LEASE = timedelta(seconds=60)
OVERLAP = timedelta(hours=24)  # that the secret before still signs along
PATIENCE = timedelta(days=5)
BACKOFF = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)

_COUNT = text("SELECT count(*) FROM loyalty.webhooks WHERE owner = :owner AND disabled_at IS NULL")
_OPEN = text("""
INSERT INTO loyalty.webhooks (owner, url, topics, opened_by)
VALUES (:owner, :url, :topics, :opened_by) RETURNING id
""")
_LOCK = text("SELECT id FROM loyalty.webhooks WHERE id = :id FOR NO KEY UPDATE")
_RETIRE = text("""
UPDATE loyalty.webhook_secrets SET retired_at = clock_timestamp() + :overlap
WHERE webhook_id = :id AND (retired_at IS NULL OR retired_at > clock_timestamp() + :overlap)
""")
_ADD_SECRET = text("""
INSERT INTO loyalty.webhook_secrets (webhook_id, nonce) VALUES (:id, :nonce)
""")
_NONCES = text("""
SELECT nonce FROM loyalty.webhook_secrets
WHERE webhook_id = :id AND (retired_at IS NULL OR retired_at > clock_timestamp())
ORDER BY id DESC LIMIT 3
""")
_SWITCH_OFF = text("""
UPDATE loyalty.webhooks SET disabled_at = clock_timestamp(), disabled_reason = :reason
WHERE id = :id AND disabled_at IS NULL
""")
_SWITCH_ON = text("""
UPDATE loyalty.webhooks SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL
WHERE id = :id
""")
_LIST = text("""
SELECT w.id, w.owner, w.url, w.topics, w.opened_at, w.failing_since, w.disabled_at,
    w.disabled_reason
FROM loyalty.webhooks w WHERE w.id > :after ORDER BY w.id LIMIT :limit
""")
_FAN_OUT = text("""
INSERT INTO loyalty.webhook_deliveries (webhook_id, event, topic, subject, sequence, payload,
    happened_at)
SELECT id, :event, :topic, :subject, :sequence, CAST(:payload AS jsonb), :happened_at
FROM loyalty.webhooks
WHERE disabled_at IS NULL AND :topic = ANY(topics) AND owner IN ('', :owner)
ON CONFLICT DO NOTHING
""")
_CLAIM = text("""
WITH due AS (
    SELECT d.id FROM loyalty.webhooks w CROSS JOIN LATERAL (
        SELECT d.id, d.due_at FROM loyalty.webhook_deliveries d
        WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.due_at <= clock_timestamp()
            AND (d.leased_until IS NULL OR d.leased_until < clock_timestamp())
        ORDER BY d.due_at, d.id
        LIMIT greatest(0, :at_once - (
            SELECT count(*) FROM loyalty.webhook_deliveries b
            WHERE b.webhook_id = w.id AND b.state = 'waiting'
                AND b.leased_until > clock_timestamp()))
        FOR NO KEY UPDATE SKIP LOCKED
    ) d
    WHERE w.disabled_at IS NULL ORDER BY d.due_at LIMIT :limit
)
UPDATE loyalty.webhook_deliveries d
SET leased_until = clock_timestamp() + :lease, attempts = attempts + 1
FROM due, loyalty.webhooks w WHERE d.id = due.id AND w.id = d.webhook_id
RETURNING d.id, d.webhook_id, d.event, d.topic, d.subject, d.sequence, d.payload,
    d.happened_at, d.attempts, d.leased_until, w.url
""")
_NOTE = text("""
INSERT INTO loyalty.webhook_attempts (delivery_id, outcome, status, milliseconds)
VALUES (:delivery, :outcome, :status, :milliseconds)
""")
_FINISH = text("""
UPDATE loyalty.webhook_deliveries
SET state = :state, leased_until = NULL, due_at = clock_timestamp() + :pause
WHERE id = :delivery AND leased_until = :leased_until
""")
_FINE = text("""
UPDATE loyalty.webhooks SET failing_since = NULL WHERE id = :id AND failing_since IS NOT NULL
""")
_FAILS = text("""
UPDATE loyalty.webhooks SET failing_since = coalesce(failing_since, clock_timestamp())
WHERE id = :id RETURNING failing_since < clock_timestamp() - :patience
""")
_DELIVERIES = text("""
SELECT d.id, d.event, d.topic, d.subject, d.state, d.attempts, d.due_at, d.happened_at,
    a.outcome, a.status, a.at AS tried_at
FROM loyalty.webhook_deliveries d LEFT JOIN LATERAL (
    SELECT outcome, status, at FROM loyalty.webhook_attempts
    WHERE delivery_id = d.id ORDER BY id DESC LIMIT 1
) a ON true
WHERE d.webhook_id = :id AND (CAST(:before AS bigint) IS NULL OR d.id < :before)
ORDER BY d.id DESC LIMIT :limit
""")
_REPLAY = text("""
UPDATE loyalty.webhook_deliveries
SET state = 'waiting', attempts = 0, due_at = clock_timestamp(), leased_until = NULL
WHERE id = :id AND state <> 'waiting' RETURNING webhook_id
""")
_EXISTS = text("SELECT webhook_id FROM loyalty.webhook_deliveries WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that is ready to be sent, and the row that it is for."""

    row: Row[Any]
    body: bytes
    headers: dict[str, str]


def open_webhook(
    session: Session, url: str, topics: Sequence[str], owner: str, opened_by: str
) -> tuple[int, str]:
    """Open an endpoint and return its id and its secret, which is shown this once.

    Raises `Refused` with `too-many-webhooks`.
    """
    if session.execute(_COUNT, {"owner": owner}).scalar_one() >= MOST_ENDPOINTS:
        raise Refused("too-many-webhooks")
    row = {"owner": owner, "url": url, "topics": sorted(set(topics)), "opened_by": opened_by}
    number: int = session.execute(_OPEN, row).scalar_one()
    return number, _new_secret(session, number)


def rotate_secret(session: Session, webhook_id: int) -> str:
    """Return a new secret, shown this once; the one before signs along for a day.

    Raises `NotFound`.
    """
    _lock(session, webhook_id)
    session.execute(_RETIRE, {"id": webhook_id, "overlap": OVERLAP})
    return _new_secret(session, webhook_id)


def switch(session: Session, webhook_id: int, *, on: bool) -> None:
    """Switch an endpoint on or off. Raises `NotFound`."""
    _lock(session, webhook_id)
    session.execute(_SWITCH_ON if on else _SWITCH_OFF, {"id": webhook_id, "reason": "by-hand"})


def list_webhooks(session: Session, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return up to `limit` endpoints behind an id, oldest first."""
    return session.execute(_LIST, {"after": after, "limit": limit}).all()


def list_deliveries(
    session: Session, webhook_id: int, before: int | None, limit: int
) -> Sequence[Row[Any]]:
    """Return what an endpoint was or is to be told, newest first. Raises `NotFound`."""
    _lock(session, webhook_id)
    asked = {"id": webhook_id, "before": before, "limit": limit}
    return session.execute(_DELIVERIES, asked).all()


def replay(session: Session, delivery_id: int) -> None:
    """Tell an endpoint once more; one that still waits goes on waiting. Raises `NotFound`."""
    if session.execute(_EXISTS, {"id": delivery_id}).first() is None:
        raise NotFound
    session.execute(_REPLAY, {"id": delivery_id})


def fan_out(
    session: Session,
    *,
    event: str,
    topic: str,
    subject: str,
    sequence: int,
    payload: dict[str, Any],
    happened_at: datetime,
) -> bool:
    """Have everybody who asked for a topic told of an event, once each; return if anybody is new.

    A partner is told of what names it, and the bank of everything.
    """
    told = session.execute(
        _FAN_OUT,
        {
            "event": event,
            "topic": topic,
            "subject": subject,
            "sequence": sequence,
            "payload": orjson.dumps(payload).decode(),
            "happened_at": happened_at,
            "owner": str(payload.get("partner_id", "")),
        },
    )
    return told.rowcount > 0  # type: ignore[attr-defined,no-any-return]


def claim(session: Session, limit: int, source: str, now: datetime) -> list[Outgoing]:
    """Lease what is due, at most two requests an endpoint; commit before sending them."""
    asked = {"limit": limit, "at_once": AT_ONCE, "lease": LEASE}
    return [_outgoing(session, row, source, now) for row in session.execute(_CLAIM, asked).all()]


def finish(session: Session, sent: Outgoing, reached: Reached) -> None:
    """Write what came of a request, and when it is tried again, if it is.

    An endpoint that is gone (410), or that failed for days, is told nothing more.
    """
    row = sent.row
    is_fine = reached.outcome == "answered" and 200 <= (reached.status or 0) < 300
    is_last = row.attempts > len(BACKOFF)
    note = {"delivery": row.id, "outcome": reached.outcome, "status": reached.status}
    session.execute(_NOTE, {**note, "milliseconds": reached.milliseconds})
    state = "delivered" if is_fine else "given_up" if is_last else "waiting"
    pause = timedelta(0) if is_fine or is_last else BACKOFF[row.attempts - 1]
    end = {"delivery": row.id, "leased_until": row.leased_until, "state": state, "pause": pause}
    session.execute(_FINISH, end)
    if is_fine:
        session.execute(_FINE, {"id": row.webhook_id})
        return
    too_long = session.scalar(_FAILS, {"id": row.webhook_id, "patience": PATIENCE})
    reason = "gone" if reached.status == 410 else "failing" if too_long else None
    if reason is not None:
        session.execute(_SWITCH_OFF, {"id": row.webhook_id, "reason": reason})


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of Standard Webhooks 1.0."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, content, sha256)).decode()


def _outgoing(session: Session, row: Row[Any], source: str, now: datetime) -> Outgoing:
    body = orjson.dumps(
        {
            "specversion": "1.0",
            "id": row.event,
            "source": source,
            "type": row.topic,
            "subject": row.subject,
            "time": dump_instant(row.happened_at),
            "datacontenttype": "application/json",
            "sequence": str(row.sequence),
            "data": row.payload,
        }
    )
    timestamp = int(now.timestamp())
    nonces = session.scalars(_NONCES, {"id": row.webhook_id}).all()
    signatures = [sign(_secret(bytes(nonce)), row.event, timestamp, body) for nonce in nonces]
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": "quanyi-webhooks/1",
        "webhook-id": row.event,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
    return Outgoing(row, body, headers)


def _lock(session: Session, webhook_id: int) -> None:
    if session.execute(_LOCK, {"id": webhook_id}).first() is None:
        raise NotFound


def _new_secret(session: Session, webhook_id: int) -> str:
    nonce = secrets.token_bytes(32)
    session.execute(_ADD_SECRET, {"id": webhook_id, "nonce": nonce})
    return "whsec_" + base64.b64encode(_secret(nonce)).decode()


def _secret(nonce: bytes) -> bytes:
    return hmac.digest(read_secret("webhooks"), nonce, sha256)
