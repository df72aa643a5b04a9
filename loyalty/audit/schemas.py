"""The trail as JSON."""

from typing import Any

from marshmallow import Schema, fields

from loyalty.audit.models import AuditEvent
from loyalty.web import ids
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Instant, PublicId, Text, dump_instant


class AuditQuery(PageQuery):
    """Which events: those of an actor, those about a subject, or all."""

    actor_id = Text(100, load_default=None)
    subject_type = Text(100, load_default=None)
    subject_id = Text(200, load_default=None)


class ActorSchema(Schema):
    """Who did it."""

    kind = Text(20, required=True)
    id = fields.String(required=True)


class SubjectSchema(Schema):
    """What it was done to."""

    type = Text(100, required=True)
    id = fields.String(required=True)


class AuditEventSchema(Schema):
    """One act."""

    id = PublicId("aud", required=True)
    at = Instant(required=True)
    actor = fields.Nested(ActorSchema, required=True)
    action = Text(100, required=True)
    subject = fields.Nested(SubjectSchema, required=True)
    request_id = fields.String(required=True)
    token_fingerprint = fields.String(required=True)
    detail = fields.Dict(keys=fields.String(), required=True, allow_none=True)


class AuditPageSchema(Schema):
    """One page of the trail, newest first."""

    items = fields.List(fields.Nested(AuditEventSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def dump_event(event: AuditEvent) -> dict[str, Any]:
    """Return `event` in the shape of `AuditEventSchema`."""
    return {
        "id": ids.encode("aud", event.id),
        "at": dump_instant(event.at),
        "actor": {"kind": event.actor_kind, "id": event.actor_id},
        "action": event.action,
        "subject": {"type": event.subject_type, "id": event.subject_id},
        "request_id": event.request_id,
        "token_fingerprint": event.token_fingerprint,
        "detail": event.detail,
    }
