"""Adjustments as JSON."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.points.adjustment import GIVE, REASONS, TAKE
from loyalty.points.schemas import CODE
from loyalty.proposals import DECIDED_WITHIN
from loyalty.web import validation
from loyalty.web.fields import Instant, Reference, Text, Whole

MOST_POINTS = 10_000_000

validation.MESSAGES.setdefault(
    "given_only", ("given_only", "只适用于 give", "goes with `give` only")
)
validation.MESSAGES.setdefault(
    "after_decision",
    ("after_decision", "须晚于 72 小时之后", "must be later than 72 hours from now"),
)


class NewAdjustmentSchema(Schema):
    """Points to give to a customer or to take from them, and why: a code, and a case's number.

    What is given lapses at `expires_at`, which is beyond the time that others have to decide, or
    never. No words of one's own: they could name people.
    """

    programme = Text(CODE, load_default=None)
    direction = fields.String(required=True, validate=validate.OneOf((GIVE, TAKE)))
    points = Whole(1, MOST_POINTS, required=True)
    reason = fields.String(required=True, validate=validate.OneOf(tuple(REASONS)))
    case = Reference(load_default=None)
    expires_at = Instant(load_default=None)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        expires_at = content.get("expires_at")
        if expires_at is None:
            return
        if content["direction"] == TAKE:
            raise ValidationError("given_only", "expires_at")
        if expires_at <= datetime.now(UTC) + DECIDED_WITHIN:
            raise ValidationError("after_decision", "expires_at")
