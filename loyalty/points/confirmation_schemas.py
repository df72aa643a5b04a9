"""Confirmations as JSON: an event about one purchase or one customer, and what it made usable."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.points import confirmation
from loyalty.points.schemas import CODE, MOST_AT_ONCE
from loyalty.web import ids, validation
from loyalty.web.fields import Code, Instant, PublicId, Reference, Text

SUBJECTS = ("purchase", "purchase_id", "customer")

validation.MESSAGES.setdefault(
    "one_subject",
    (
        "one_subject",
        "purchase、purchase_id、customer 须且只能给出一项",
        "takes exactly one of purchase, purchase_id and customer",
    ),
)


class NewConfirmationSchema(Schema):
    """An event that happened, about exactly one of these.

    `purchase` is the reference that the same system gave when it reported the purchase,
    `purchase_id` our id of any purchase, `customer` the bank's reference of a customer.
    """

    reference = Reference(required=True)
    event = Code(required=True)
    occurred_at = Instant(required=True)
    purchase = Reference(load_default=None, allow_none=False)
    purchase_id = PublicId("pur", load_default=None, allow_none=False)
    customer = Text(64, load_default=None, allow_none=False)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if sum(content.get(name) is not None for name in SUBJECTS) != 1:
            raise ValidationError("one_subject", "purchase")


class NewConfirmationsSchema(Schema):
    """One to a thousand events."""

    programme = Text(CODE, load_default=None)
    confirmations = fields.List(
        fields.Nested(NewConfirmationSchema),
        required=True,
        validate=validate.Length(1, MOST_AT_ONCE),
    )


class ConfirmedSchema(Schema):
    """What became of one event: `points` became usable; `problem` says why it is not on record.

    0 points: nothing waited for it, or it came after what waited had lapsed or become usable.
    """

    reference = fields.String(required=True)
    outcome = fields.String(
        required=True, validate=validate.OneOf(("recorded", "known", "refused"))
    )
    confirmation_id = PublicId("con", required=True, allow_none=True)
    points = fields.Integer(required=True)
    problem = fields.String(required=True, allow_none=True)


class ConfirmationsSchema(Schema):
    """One result for each event that was sent, in the same order."""

    confirmations = fields.List(fields.Nested(ConfirmedSchema), required=True)


def load_confirmation(content: Mapping[str, Any]) -> confirmation.NewConfirmation:
    """Return what `NewConfirmationSchema` loaded as the process takes it."""
    return confirmation.NewConfirmation(**content)


def dump_confirmed(outcome: confirmation.Outcome) -> dict[str, Any]:
    """Return what became of an event in the shape of `ConfirmedSchema`."""
    if isinstance(outcome, confirmation.Unconfirmed):
        return {
            "reference": outcome.reference,
            "outcome": "refused",
            "confirmation_id": None,
            "points": 0,
            "problem": outcome.code,
        }
    return {
        "reference": outcome.reference,
        "outcome": "known" if outcome.replayed else "recorded",
        "confirmation_id": ids.encode("con", outcome.confirmation_id),
        "points": outcome.points,
        "problem": None,
    }
