"""Requests: somebody wants customers told something. Asked twice with one reference, told once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.database import driver
from loyalty.messages import consents
from loyalty.messages.placeholders import check_filling
from loyalty.messages.registered import newest_templates, templates_by_id
from loyalty.messages.rules import Template

HOME_ZONE = "Asia/Shanghai"
LIFE = timedelta(days=3)

_INSERT = """
WITH asked AS (
    SELECT * FROM json_to_recordset(%s::json) AS r (source text, reference text,
        customer_id bigint, template_version_id bigint, channel text, language text,
        filling jsonb, origin_kind text, origin text, origin_digest text, release_id bigint,
        zone text, consent_seq bigint, due_at timestamptz, expires_at timestamptz)
), written AS (
    INSERT INTO loyalty.send_requests (source, reference, customer_id, template_version_id,
        channel, language, filling, origin_kind, origin, origin_digest, release_id, zone,
        consent_seq, due_at, expires_at)
    SELECT source, reference, customer_id, template_version_id, channel, language, filling,
        origin_kind, origin, decode(origin_digest, 'hex'), release_id, zone, consent_seq, due_at,
        expires_at
    FROM asked ORDER BY source, reference
    ON CONFLICT (source, reference) DO NOTHING RETURNING id, source, reference, due_at
), queued AS (
    INSERT INTO loyalty.send_queue (request_id, due_at) SELECT id, due_at FROM written
)
SELECT source, reference, id FROM written
"""
_KNOWN = text("""
SELECT r.source, r.reference, r.id, r.customer_id, r.template_version_id, r.channel, r.language,
    r.filling, r.release_id
FROM loyalty.send_requests r
JOIN unnest(CAST(:sources AS text[]), CAST(:references AS text[])) AS asked (source, reference)
    ON (r.source, r.reference) = (asked.source, asked.reference)
""")
_CUSTOMERS = text("SELECT id FROM loyalty.customers WHERE id = ANY(:ids)")


class Asked(StrEnum):
    """What became of one request."""

    QUEUED = "queued"
    KNOWN = "known"
    DIFFERENT = "reference-reused"
    NO_TEMPLATE = "template-unknown"
    NO_WORDS = "template-without-words"
    FILLING = "filling"
    NO_CUSTOMER = "customer-unknown"


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What somebody wants told to whom.

    `source` and `reference` name the request for ever. `origin` says on whose behalf, in words
    that mean nothing here: a kind, an id and the digest of what was approved. `filling` has the
    values of the template's places: of the matter, never of the person.
    """

    source: str
    reference: str
    customer_id: int
    template: str
    channel: str
    language: str = "zh"
    filling: Mapping[str, str] = field(default_factory=dict)
    origin_kind: str = "service"
    origin: str = ""
    origin_digest: bytes | None = None
    release_id: int | None = None
    template_version_id: int | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None
    zone: str = HOME_ZONE


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one request, with its id where it stands."""

    outcome: Asked
    request_id: int | None = None


def ask(session: Session, requests: Sequence[NewRequest]) -> list[Answer]:
    """Queue the requests for their decisions; one answer for each, in order.

    A request that makes no sense is refused in its answer and its neighbours go on. The same
    reference with the same content is the same request.
    """
    codes = [new.template for new in requests if new.template_version_id is None]
    named = [new.template_version_id for new in requests if new.template_version_id is not None]
    newest, exact = newest_templates(session, codes), templates_by_id(session, named)
    customers = set(session.scalars(_CUSTOMERS, {"ids": [new.customer_id for new in requests]}))
    answers: dict[int, Answer] = {}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for place, new in enumerate(requests):
        template = _template_of(new, newest, exact)
        wrong = _wrong(new, template, customers)
        if wrong is None and template is not None:
            rows.setdefault((new.source, new.reference), _row(new, template))
        else:
            answers[place] = Answer(wrong or Asked.NO_TEMPLATE)
    written = _write(session, list(rows.values()))
    known = _read_known(session, rows.keys() - written.keys())
    for place, new in enumerate(requests):
        if place not in answers:
            key = (new.source, new.reference)
            answers[place] = _answer(new, written.pop(key, None), known)
            known.setdefault(key, {**rows[key], "id": answers[place].request_id})
    if any(answer.outcome == Asked.QUEUED for answer in answers.values()):
        outbox.publish(session, "messages.requested", "messages", {"count": len(rows)})
    return [answers[place] for place in range(len(requests))]


def _template_of(
    new: NewRequest, newest: Mapping[str, Template], exact: Mapping[int, Template]
) -> Template | None:
    if new.template_version_id is None:
        return newest.get(new.template)
    return exact.get(new.template_version_id)


def _wrong(new: NewRequest, template: Template | None, customers: set[int]) -> Asked | None:
    if template is None:
        return Asked.NO_TEMPLATE
    if not template.says(new.channel, new.language):
        return Asked.NO_WORDS
    if check_filling(template.placeholders, new.filling):
        return Asked.FILLING
    return None if new.customer_id in customers else Asked.NO_CUSTOMER


def _row(new: NewRequest, template: Template) -> dict[str, Any]:
    due = new.due_at or datetime.now(UTC)
    return {
        "source": new.source,
        "reference": new.reference,
        "customer_id": new.customer_id,
        "template_version_id": template.version_id,
        "channel": new.channel,
        "language": new.language,
        "filling": dict(new.filling),
        "origin_kind": new.origin_kind,
        "origin": new.origin,
        "origin_digest": None if new.origin_digest is None else new.origin_digest.hex(),
        "release_id": new.release_id,
        "zone": new.zone,
        "due_at": due,
        "expires_at": new.expires_at or due + LIFE,
    }


def _write(session: Session, rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], int]:
    if not rows:
        return {}
    sequences = consents.newest_sequences(session, [row["customer_id"] for row in rows])
    for row in rows:
        row["consent_seq"] = sequences.get(row["customer_id"], 0)
    written = driver(session).execute(_INSERT, (orjson.dumps(rows).decode(),))
    return {(source, reference): number for source, reference, number in written}


def _read_known(session: Session, keys: Any) -> dict[tuple[str, str], dict[str, Any]]:
    if not keys:
        return {}
    asked = {"sources": [key[0] for key in keys], "references": [key[1] for key in keys]}
    return {(row.source, row.reference): row._asdict() for row in session.execute(_KNOWN, asked)}


def _answer(
    new: NewRequest,
    written: int | None,
    known: Mapping[tuple[str, str], Mapping[str, Any]],
) -> Answer:
    if written is not None:
        return Answer(Asked.QUEUED, written)
    earlier = known[new.source, new.reference]
    mine = {"customer_id": new.customer_id, "channel": new.channel, "language": new.language}
    mine |= {"filling": dict(new.filling), "release_id": new.release_id}
    if any(earlier[name] != value for name, value in mine.items()):
        return Answer(Asked.DIFFERENT)
    return Answer(Asked.KNOWN, earlier["id"])
