"""Webhooks as JSON."""

from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import Row

from loyalty.messages.webhooks import TOPICS
from loyalty.web import ids
from loyalty.web.fields import Instant, PublicId, Text, dump_instant


class NewWebhookSchema(Schema):
    """An address to be told of events.

    With `partner_id` it is told of what names that partner and of nothing else; without, it is
    the bank's and told of everything.
    """

    url = Text(2000, required=True)
    topics = fields.List(
        fields.String(validate=validate.OneOf(TOPICS)),
        required=True,
        validate=validate.Length(1, len(TOPICS)),
    )
    partner_id = PublicId("prt", load_default=None)


class WebhookSecretSchema(Schema):
    """The secret that signs what this endpoint gets; shown this once."""

    webhook_id = PublicId("whk", required=True)
    secret = fields.String(required=True)


class WebhookSchema(Schema):
    """An endpoint without its secret."""

    id = PublicId("whk", required=True)
    partner_id = fields.String(required=True, allow_none=True)
    url = fields.String(required=True)
    topics = fields.List(fields.String(), required=True)
    opened_at = Instant(required=True)
    failing_since = Instant(required=True, allow_none=True)
    disabled_at = Instant(required=True, allow_none=True)
    disabled_reason = fields.String(required=True, allow_none=True)


class WebhookPageSchema(Schema):
    """One page of endpoints, oldest first."""

    items = fields.List(fields.Nested(WebhookSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SwitchSchema(Schema):
    """Whether an endpoint is to be told of events from now on."""

    state = fields.String(required=True, validate=validate.OneOf(("on", "off")))


class SwitchedSchema(Schema):
    """What an endpoint is from now on."""

    webhook_id = PublicId("whk", required=True)
    state = fields.String(required=True)


class DeliverySchema(Schema):
    """One event that an endpoint was or is to be told of, with its last try."""

    id = PublicId("dlv", required=True)
    event = fields.String(required=True)
    topic = fields.String(required=True)
    subject = fields.String(required=True)
    state = fields.String(required=True)
    attempts = fields.Integer(required=True)
    due_at = Instant(required=True)
    happened_at = Instant(required=True)
    outcome = fields.String(required=True, allow_none=True)
    status = fields.Integer(required=True, allow_none=True)
    tried_at = Instant(required=True, allow_none=True)


class DeliveryPageSchema(Schema):
    """One page of deliveries, newest first."""

    items = fields.List(fields.Nested(DeliverySchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ReplayedSchema(Schema):
    """The delivery that is due again."""

    delivery_id = PublicId("dlv", required=True)


def dump_webhook(row: Row[Any]) -> dict[str, Any]:
    """Return an endpoint in the shape of `WebhookSchema`."""
    return {
        "id": ids.encode("whk", row.id),
        "partner_id": row.owner or None,
        "url": row.url,
        "topics": row.topics,
        "opened_at": dump_instant(row.opened_at),
        "failing_since": row.failing_since and dump_instant(row.failing_since),
        "disabled_at": row.disabled_at and dump_instant(row.disabled_at),
        "disabled_reason": row.disabled_reason,
    }


def dump_delivery(row: Row[Any]) -> dict[str, Any]:
    """Return a delivery in the shape of `DeliverySchema`."""
    return {
        "id": ids.encode("dlv", row.id),
        "event": row.event,
        "topic": row.topic,
        "subject": row.subject,
        "state": row.state,
        "attempts": row.attempts,
        "due_at": dump_instant(row.due_at),
        "happened_at": dump_instant(row.happened_at),
        "outcome": row.outcome,
        "status": row.status,
        "tried_at": row.tried_at and dump_instant(row.tried_at),
    }
