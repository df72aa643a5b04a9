"""Dispatch: decide about what is due, many at once, in one transaction under the persons' locks.

A request stays in the queue until it is refused for good or handed over: a permit that lapses
unused lets the gate decide anew, and an attempt takes the request out.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty import consent, customers, policy
from loyalty.consent import Snapshot
from loyalty.customers import Purpose
from loyalty.database import driver
from loyalty.messages import consents, gate, placeholders, registered
from loyalty.messages.contacts import (
    contact_digest,
    contact_of,
    read_unsubscribe_token,
    unsubscribe_token,
)
from loyalty.messages.gateways import gateways
from loyalty.messages.rules import (
    Message,
    Template,
    Unsendable,
    compose,
    offers,
    optout_line,
)
from loyalty.policy import Pack
from loyalty.settings import settings
from loyalty.web.keyfiles import read_secret

BATCH = 500
PERMIT_LIFE = timedelta(seconds=60)
LAPSED = timedelta(minutes=2)  # after which no attempt by an old permit can be under way

_COLUMN_OF = {"email": "email", "sms": "phone"}
_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT request_id FROM loyalty.send_queue WHERE due_at <= :now
    ORDER BY due_at, request_id LIMIT :limit FOR UPDATE SKIP LOCKED
)
SELECT r.* FROM due JOIN loyalty.send_requests r ON r.id = due.request_id ORDER BY r.id
""")
_NOW = text("SELECT clock_timestamp()")
_STOPS = text("""
SELECT DISTINCT ON (scope, name) scope, name, act FROM loyalty.sending_stops
ORDER BY scope, name, id DESC
""")
_RELEASES = text("""
SELECT id, digest, approval, terms, starts_at, expires_at FROM loyalty.send_releases
WHERE id = ANY(:ids)
""")
_TAKEN = text("""
SELECT customer_id, array_agg(reserved_at ORDER BY reserved_at) AS taken
FROM loyalty.frequency_reservations
WHERE customer_id = ANY(:ids) AND reserved_at > :since
    AND (state IN ('COMMITTED', 'UNKNOWN') OR (state = 'RESERVED' AND expires_at > :now))
GROUP BY customer_id
""")
_DECIDE = """
INSERT INTO loyalty.decisions (request_id, customer_id, verdict, primary_rule, results, inputs,
    input_digest, consent_seq, notice, template_version_id, content_digest, contact_digest,
    release_id, approval, policy_pack, decided_at, expires_at, defer_until)
SELECT request_id, customer_id, verdict, primary_rule, results, inputs,
    decode(input_digest, 'hex'), consent_seq, notice, template_version_id,
    decode(content_digest, 'hex'), decode(contact_digest, 'hex'), release_id, approval,
    policy_pack, decided_at, expires_at, defer_until
FROM json_to_recordset(%s::json) AS r (request_id bigint, customer_id bigint, verdict text,
    primary_rule text, results jsonb, inputs jsonb, input_digest text, consent_seq bigint,
    notice bigint, template_version_id bigint, content_digest text, contact_digest text,
    release_id bigint, approval text, policy_pack text, decided_at timestamptz,
    expires_at timestamptz, defer_until timestamptz)
RETURNING id, request_id
"""
_FOLLOW = """
WITH permitted AS (
    SELECT * FROM json_to_recordset(%(permits)s::json) AS p (decision_id bigint,
        request_id bigint, customer_id bigint, channel text, content_digest text,
        contact_digest text, mac text, issued_at timestamptz, expires_at timestamptz,
        is_counted boolean)
), permits AS (
    INSERT INTO loyalty.permits (decision_id, request_id, channel, content_digest,
        contact_digest, mac, issued_at, expires_at)
    SELECT decision_id, request_id, channel, decode(content_digest, 'hex'),
        decode(contact_digest, 'hex'), decode(mac, 'hex'), issued_at, expires_at FROM permitted
), reservations AS (
    INSERT INTO loyalty.frequency_reservations (decision_id, customer_id, reserved_at, expires_at)
    SELECT decision_id, customer_id, issued_at, expires_at FROM permitted WHERE is_counted
), moved AS (
    UPDATE loyalty.send_queue q SET due_at = w.due_at
    FROM json_to_recordset(%(waits)s::json) AS w (request_id bigint, due_at timestamptz)
    WHERE q.request_id = w.request_id
)
DELETE FROM loyalty.send_queue WHERE request_id = ANY(%(ended)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """How many requests were decided, by verdict."""

    allowed: int = 0
    denied: int = 0
    deferred: int = 0

    @property
    def total(self) -> int:
        """How many requests were decided."""
        return self.allowed + self.denied + self.deferred

    def __add__(self, other: "Dispatched") -> "Dispatched":
        return Dispatched(
            self.allowed + other.allowed,
            self.denied + other.denied,
            self.deferred + other.deferred,
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One request with everything that its decision may look at."""

    request: Row[Any]
    template: Template
    inputs: gate.Inputs
    verdict: gate.Verdict
    pack: str


@dataclass(frozen=True, slots=True)
class Way:
    """Where a message goes, in clear, and for whom. Shows nothing of itself in logs."""

    address: str
    digest: bytes
    name: str

    def __repr__(self) -> str:
        return "Way(…)"


def dispatch(session: Session, limit: int = BATCH, now: datetime | None = None) -> Dispatched:
    """Decide about up to `limit` due requests; fewer means that no more are due.

    Runs as the gate's role. Decision, reservation and permit are one transaction, under the lock
    that a withdrawal takes too: whichever comes second sees the first. Raises `NoPack` where no
    policy pack is in force: then nothing is decided, and nothing leaves.
    """
    due = session.execute(_CLAIM, {"limit": limit, "now": now or session.scalar(_NOW)}).all()
    if not due:
        return Dispatched()
    consent.lock(session, [request.customer_id for request in due])
    moment: datetime = now or session.execute(_NOW).scalar_one()
    pack = policy.pack_in_force(session, settings().keys)
    return _write(session, list(_cases(session, due, moment, pack)), moment)


def _cases(session: Session, due: Sequence[Row[Any]], now: datetime, pack: Pack) -> Iterator[Case]:
    """Yield each request's case; a place that one takes is taken for the next of that person."""
    ids = sorted({request.customer_id for request in due})
    templates = registered.templates_by_id(session, [r.template_version_id for r in due])
    known = read_known(session, due, templates)
    reached = reach(session, due, known)
    releases, stops = _read_releases(session, due), _read_stops(session)
    taken = _read_taken(session, ids, now)
    for_all = {
        "at": _instant(now),
        "policy": {"version": pack.version, "digest": pack.sha256.hex()},
        "optout": {"is_ok": optout_works(), "checked_at": _instant(now)},
    }
    for request in due:
        template, snapshot = templates[request.template_version_id], known[request.id]
        way = reached.get(request.id)
        inputs = {
            **consents.facts(snapshot),
            **for_all,
            "request": _request_facts(request),
            "sender": _sender_facts(request),
            "template": _template_facts(template, request),
            "contact": contact_facts(way, snapshot),
            "content": _content_facts(request, template, way),
            "release": releases.get(request.release_id),
            "stops": sorted(stops & _scopes(request)),
            "frequency": {"taken": list(taken.get(request.customer_id, []))},
        }
        verdict = gate.decide(inputs, now, pack)
        yield Case(request, template, inputs, verdict, pack.version)
        if template.is_marketing and verdict.verdict == gate.ALLOW:
            taken.setdefault(request.customer_id, []).append(_instant(now))


def read_known(
    session: Session, due: Sequence[Row[Any]], templates: Mapping[int, Template]
) -> dict[int, Snapshot]:
    """Return the snapshot of each request's customer, read once for each kind of message."""
    kinds: dict[tuple[str, str], list[Row[Any]]] = {}
    for request in due:
        purpose = templates[request.template_version_id].purpose
        kinds.setdefault((purpose, request.channel), []).append(request)
    found: dict[int, Snapshot] = {}
    for (purpose, channel), requests in kinds.items():
        ids = {request.customer_id for request in requests}
        snapshots = consents.read(session, ids, purpose, channel)
        found |= {request.id: snapshots[request.customer_id] for request in requests}
    return found


def reach(
    session: Session, requests: Sequence[Row[Any]], known: Mapping[int, Snapshot]
) -> dict[int, Way]:
    """Return by request how its customer is reached: at the contact point, else as on file."""
    ids = sorted({request.customer_id for request in requests})
    wanted = {"name"} | {_COLUMN_OF[r.channel] for r in requests if r.channel in _COLUMN_OF}
    people = customers.read_people(session, ids, Purpose.DELIVERY, wanted)
    points = {k.contact.id for k in known.values() if k.contact and not k.contact.dead_reason}
    values = consent.unseal_contacts(session, points) if points else {}
    found = {}
    for request in requests:
        person, contact = people.get(request.customer_id), known[request.id].contact
        if person is None:
            continue
        address = contact_of(request.channel, request.customer_id, person)
        if contact is not None:
            address = values.get(contact.id)
        if address is not None:
            digest = contact_digest(request.channel, address)
            found[request.id] = Way(address, digest, person.name or "")
    return found


def contact_facts(way: Way | None, snapshot: Snapshot) -> dict[str, Any]:
    """Return where it goes. Who proved that an address is theirs showed whose it is, too."""
    contact = snapshot.contact
    verified_at = None if contact is None else contact.verified_at
    checked_at = None if contact is None else contact.ownership_checked_at
    checked_at = max((at for at in (verified_at, checked_at) if at is not None), default=None)
    return {
        "digest": None if way is None else way.digest.hex(),
        "point": None if contact is None else contact.id,
        "verified_at": None if verified_at is None else _instant(verified_at),
        "checked_at": None if checked_at is None else _instant(checked_at),
    }


def _content_facts(request: Row[Any], template: Template, way: Way | None) -> dict[str, Any]:
    """Return what the rules must know of the message as it would leave, and no name.

    The words of a service message stand there, with the customer's name left out, because its
    rule reads them; of marketing they were read when it was approved.
    """
    sender = gateways().sender
    try:
        message = compose_for(request, template, way or Way("", b"", ""))
    except Unsendable:
        return {**_NO_CONTENT, "contact_line": sender.contact, "signature": sender.name}
    optout = optout_line(request.channel, request.language, _link_of(request))
    by_port = request.channel == "sms"  # an answer goes to the number that it comes from
    return {
        "digest": None if way is None else message_digest(message).hex(),
        "is_composed": True,
        "subject": message.subject[:2],
        "texts": [] if template.is_marketing else _words(request, template),
        "signature": sender.name if sender.name in message.text else "",
        "contact_line": sender.contact if by_port or sender.contact in message.text else "",
        "has_optout": optout in message.text,
    }


_NO_CONTENT: dict[str, Any] = {
    "digest": None,
    "is_composed": False,
    "subject": "",
    "texts": [],
    "has_optout": True,
}


def _words(request: Row[Any], template: Template) -> list[str]:
    parts = template.contents[request.channel][request.language]
    filling = {**request.filling, "customer_name": ""}
    return [placeholders.fill(words, filling) for _, words in sorted(parts.items())]


def _sender_facts(request: Row[Any]) -> dict[str, Any]:
    here = gateways()
    ports = here.sms_ports if request.channel == "sms" else ("MARKETING", "SERVICE")
    return {"name": here.sender.name, "ports": sorted(ports)}


def compose_for(request: Any, template: Template, way: Way) -> Message:
    """Return the message of a request, the same at the decision and at the hand-over.

    Raises `Unsendable`.
    """
    filling = {**request.filling, "customer_name": way.name}
    return compose(
        template,
        request.channel,
        request.language,
        filling,
        way.address,
        gateways().sender,
        _link_of(request),
    )


def _link_of(request: Any) -> str:
    return f"{gateways().base_url}/v1/unsubscribe/{unsubscribe_token(request.id)}"


def optout_works() -> bool:
    """Return whether a link that is made now would be understood when it comes back."""
    return read_unsubscribe_token(unsubscribe_token(0)) == 0


def message_digest(message: Message) -> bytes:
    """Return the digest of a message as it leaves."""
    return sha256(message.canonical()).digest()


def permit_mac(
    decision_id: int, content_digest: bytes, contact: bytes, expires_at: datetime
) -> bytes:
    """Return the mark by which the adapter knows that the gate issued a permit."""
    content = orjson.dumps(
        [decision_id, content_digest.hex(), contact.hex(), int(expires_at.timestamp() * 1_000_000)]
    )
    return hmac.digest(read_secret("permits"), content, sha256)


def _request_facts(request: Row[Any]) -> dict[str, Any]:
    digest = request.origin_digest
    return {
        "id": request.id,
        "customer": request.customer_id,
        "channel": request.channel,
        "language": request.language,
        "origin_kind": request.origin_kind,
        "origin": request.origin,
        "origin_digest": None if digest is None else bytes(digest).hex(),
        "consent_seq": request.consent_seq,
        "requested_at": _instant(request.requested_at),
        "zone": request.zone,
        "expires_at": _instant(request.expires_at),
    }


def _template_facts(template: Template, request: Row[Any]) -> dict[str, Any]:
    parts = template.contents.get(request.channel, {}).get(request.language, {})
    words = [*parts.values(), *request.filling.values()]
    found = [] if template.is_marketing else offers("\n".join(words), gateways().sender)
    return {
        "version": template.version_id,
        "class": template.class_,
        "purpose": template.purpose,
        "digest": template.digest.hex(),
        "offers": found,
    }


def _read_releases(session: Session, due: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    ids = sorted({request.release_id for request in due if request.release_id is not None})
    if not ids:
        return {}
    return {
        row.id: {
            "id": row.id,
            "digest": bytes(row.digest).hex(),
            "approval": row.approval,
            "terms": row.terms,
            "starts_at": _instant(row.starts_at),
            "expires_at": _instant(row.expires_at),
        }
        for row in session.execute(_RELEASES, {"ids": ids})
    }


def _read_stops(session: Session) -> set[str]:
    return {f"{row.scope}:{row.name}" for row in session.execute(_STOPS) if row.act == "stop"}


def _scopes(request: Row[Any]) -> set[str]:
    """Return the stops that would hold a request back."""
    return {"all:", f"channel:{request.channel}", f"release:{request.release_id}"}


def _read_taken(session: Session, ids: Sequence[int], now: datetime) -> dict[int, list[str]]:
    asked = {"ids": ids, "now": now, "since": now - timedelta(days=7)}
    return {
        row.customer_id: [_instant(at) for at in row.taken]
        for row in session.execute(_TAKEN, asked)
    }


def _write(session: Session, cases: Sequence[Case], now: datetime) -> Dispatched:
    connection = driver(session)
    rows = orjson.dumps([_decision_row(case, now) for case in cases]).decode()
    ids = {request: number for number, request in connection.execute(_DECIDE, (rows,))}
    allowed = [case for case in cases if case.verdict.verdict == gate.ALLOW]
    deferred = [case for case in cases if case.verdict.verdict == gate.DEFER]
    ended = [case.request.id for case in cases if case.verdict.verdict == gate.DENY]
    permits = [_permit_row(ids[case.request.id], case, now) for case in allowed]
    waits = [{"request_id": case.request.id, "due_at": now + LAPSED} for case in allowed]
    waits += [
        {"request_id": case.request.id, "due_at": case.verdict.defer_until} for case in deferred
    ]
    connection.execute(
        _FOLLOW,
        {
            "permits": orjson.dumps(permits).decode(),
            "waits": orjson.dumps(waits).decode(),
            "ended": ended,
        },
    )
    return Dispatched(len(allowed), len(ended), len(deferred))


def _decision_row(case: Case, now: datetime) -> dict[str, Any]:
    inputs, request, verdict = case.inputs, case.request, case.verdict
    release, notice = inputs["release"], inputs["consent"]["notice"]
    return {
        "request_id": request.id,
        "customer_id": request.customer_id,
        "verdict": verdict.verdict,
        "primary_rule": verdict.primary_rule,
        "results": verdict.results,
        "inputs": inputs,
        "input_digest": gate.digest(inputs).hex(),
        "consent_seq": inputs["consent"]["newest_seq"],
        "notice": notice,
        "template_version_id": case.template.version_id,
        "content_digest": inputs["content"]["digest"],
        "contact_digest": inputs["contact"]["digest"],
        "release_id": request.release_id,
        "approval": None if release is None else release["approval"],
        "policy_pack": case.pack,
        "decided_at": now,
        "expires_at": now + PERMIT_LIFE,
        "defer_until": verdict.defer_until,
    }


def _permit_row(decision_id: int, case: Case, now: datetime) -> dict[str, Any]:
    content = bytes.fromhex(case.inputs["content"]["digest"])
    contact = bytes.fromhex(case.inputs["contact"]["digest"])
    expires_at = now + PERMIT_LIFE
    return {
        "decision_id": decision_id,
        "request_id": case.request.id,
        "customer_id": case.request.customer_id,
        "channel": case.request.channel,
        "content_digest": content.hex(),
        "contact_digest": contact.hex(),
        "mac": permit_mac(decision_id, content, contact, expires_at).hex(),
        "issued_at": now,
        "expires_at": expires_at,
        "is_counted": case.template.is_marketing,
    }


def _instant(at: datetime) -> str:
    return at.isoformat()
