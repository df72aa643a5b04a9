"""Evidence: everything that stands behind one message, or behind all of a customer's, as JSON."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty import policy, vault
from loyalty.messages import gate
from loyalty.messages.handover import CONTENT
from loyalty.settings import settings
from loyalty.web import NotFound, ids
from loyalty.web.fields import dump_instant

FORM = "quanyi.message-evidence/1"
MOST_DECISIONS = 1_000

_REQUEST = text("""
SELECT r.*, t.code, t.class AS class_, t.purpose, v.version, v.digest AS template_digest,
    v.approval AS template_approval
FROM loyalty.send_requests r JOIN loyalty.template_versions v ON v.id = r.template_version_id
JOIN loyalty.message_templates t ON t.id = v.template_id WHERE r.id = :id
""")
_DECISIONS = text("SELECT * FROM loyalty.decisions WHERE request_id = :id ORDER BY id LIMIT 1000")
_SEALED = text("""
SELECT entry_id, seal_no, leaf FROM ledger.seals
WHERE log = 'decisions' AND entry_id = ANY(CAST(:ids AS bigint[]))
""")
_ATTEMPT = text("SELECT * FROM loyalty.send_attempts WHERE request_id = :id")
_EVENTS = text("""
SELECT kind, code, gateway_reference, digest, at FROM loyalty.delivery_events
WHERE attempt_id = :id ORDER BY id
""")
_RESERVATION = text("SELECT state FROM loyalty.frequency_reservations WHERE decision_id = :id")
_NOTICE = text("""
SELECT n.id, n.version, n.body_zh, n.body_en, n.sha256_zh, n.sha256_en
FROM loyalty.consent_notices n WHERE n.id = ANY(CAST(:ids AS bigint[]))
""")
_CONSENTS = text("""
SELECT e.seq, p.code AS purpose, e.channel, e.action, e.mechanism, e.notice_id, e.proof,
    e.occurred_at, e.recorded_at
FROM loyalty.consent_events e JOIN loyalty.consent_purposes p ON p.id = e.purpose_id
WHERE e.customer_id = :id ORDER BY e.seq LIMIT 1000
""")
_OF_CUSTOMER = text("""
SELECT id FROM loyalty.send_requests WHERE customer_id = :id ORDER BY id DESC LIMIT :limit
""")


def evidence_of_message(session: Session, request_id: int) -> dict[str, Any]:
    """Return everything that stands behind one message. Raises `NotFound`.

    The text that left is readable as long as the customer's key is; its digest is for ever.
    """
    request = session.execute(_REQUEST, {"id": request_id}).one_or_none()
    if request is None:
        raise NotFound
    decisions = session.execute(_DECISIONS, {"id": request_id}).all()
    attempt = session.execute(_ATTEMPT, {"id": request_id}).one_or_none()
    return {
        "form": FORM,
        "request": _request(request),
        "decisions": _dump_decisions(session, decisions),
        "notices": _notices(session, decisions),
        "attempt": None if attempt is None else _attempt(session, request.customer_id, attempt),
    }


def evidence_of_customer(session: Session, customer_id: int, limit: int = 100) -> dict[str, Any]:
    """Return a customer's consent events and what stands behind their newest messages."""
    asked = {"id": customer_id, "limit": limit}
    requests = session.scalars(_OF_CUSTOMER, asked).all()
    return {
        "form": FORM,
        "customer": ids.encode("cus", customer_id),
        "consents": [_plain(row) for row in session.execute(_CONSENTS, {"id": customer_id})],
        "messages": [evidence_of_message(session, number) for number in requests],
    }


def _request(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": ids.encode("req", row.id),
        "customer": ids.encode("cus", row.customer_id),
        "source": row.source,
        "reference": row.reference,
        "template": {
            "code": row.code,
            "version": row.version,
            "class": row.class_,
            "purpose": row.purpose,
            "digest": bytes(row.template_digest).hex(),
            "approval": row.template_approval,
        },
        "channel": row.channel,
        "language": row.language,
        "filling": row.filling,
        "origin": {"kind": row.origin_kind, "id": row.origin},
        "requested_at": dump_instant(row.requested_at),
    }


def _dump_decisions(session: Session, decisions: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    numbers = [row.id for row in decisions]
    seals = {row.entry_id: row for row in session.execute(_SEALED, {"ids": numbers})}
    return [_decision(session, row, seals.get(row.id)) for row in decisions]


def _decision(session: Session, row: Row[Any], seal: Row[Any] | None) -> dict[str, Any]:
    rule = row.primary_rule
    return {
        **_plain(row),
        "primary_reason": None if rule is None else _reason(session, row.policy_pack, rule),
        "inputs_are_whole": gate.digest(row.inputs) == bytes(row.input_digest),
        "reservation": session.scalar(_RESERVATION, {"id": row.id}),
        "seal": None if seal is None else {"leaf": bytes(seal.leaf).hex(), "number": seal.seal_no},
    }


def _reason(session: Session, version: str, rule: str) -> dict[str, str]:
    """Return a rule's texts as the pack that decided had them."""
    pack = policy.find_pack(session, settings().keys, version)
    return pack.say(rule, {})


def _notices(session: Session, decisions: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    numbers = {row.notice for row in decisions} - {None}
    return [_plain(row) for row in session.execute(_NOTICE, {"ids": list(numbers)})]


def _attempt(session: Session, customer_id: int, row: Row[Any]) -> dict[str, Any]:
    keys = vault.open_keys(session, [customer_id])
    content = None
    if customer_id in keys:
        content = orjson.loads(keys[customer_id].unseal(CONTENT, bytes(row.content)))
    return {
        "gateway": row.gateway,
        "reference": row.reference,
        "at": dump_instant(row.at),
        "content_digest": bytes(row.content_digest).hex(),
        "content": content,
        "events": [_plain(event) for event in session.execute(_EVENTS, {"id": row.id})],
    }


def _plain(row: Row[Any]) -> dict[str, Any]:
    """Return a row as JSON can say it."""
    return {
        name: bytes(value).hex() if isinstance(value, bytes | memoryview) else value
        for name, value in row._asdict().items()
    }
