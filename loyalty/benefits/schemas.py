"""Benefits as JSON."""

from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.benefits.queries import Offer
from loyalty.benefits.rules import KINDS, PERIODS
from loyalty.benefits.usage import Standing, Used
from loyalty.benefits.wording import REASONS
from loyalty.programmes import Programme
from loyalty.web import ids
from loyalty.web.fields import Code, Instant, PublicId, Reference, Text, Whole, dump_instant

MOST_TIERS = 20
MOST_USES = 10_000
MOST_GUESTS = 100
LONGEST_PROMISE = 60 * 24 * 90  # minutes
SLACK = timedelta(minutes=1)  # by which another host's clock may be behind ours


class ProgrammeQuery(Schema):
    """Which programme; may be left out where there is one."""

    programme = Reference(load_default=None)


class NameSchema(Schema):
    """The same in Chinese and in English."""

    zh = Text(60, required=True)
    en = Text(60, required=True)


class AllowanceSchema(Schema):
    """What a tier allows: uses in a period (null: any number), and guests at each use."""

    tier = Reference(required=True)
    quota = Whole(1, MOST_USES, required=True, allow_none=True)
    guests = Whole(0, MOST_GUESTS, load_default=0)


class NewBenefitSchema(Schema):
    """A benefit to be opened, or the next version of its terms.

    `promise_minutes` is within how many minutes we promise to serve. Without `effective_from` the
    terms hold at once.
    """

    programme = Reference(load_default=None)
    code = Code(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    name = fields.Nested(NameSchema, required=True)
    period = fields.String(required=True, validate=validate.OneOf(PERIODS))
    tiers = fields.List(
        fields.Nested(AllowanceSchema), required=True, validate=validate.Length(1, MOST_TIERS)
    )
    promise_minutes = Whole(1, LONGEST_PROMISE, load_default=None)
    effective_from = Instant(load_default=None)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        since = content["effective_from"]
        if since is not None and since < datetime.now(UTC) - SLACK:
            raise ValidationError("past", "effective_from")
        seen: set[str] = set()
        for place, allowance in enumerate(content["tiers"]):
            if allowance["tier"] in seen:
                raise ValidationError({"tiers": {place: {"tier": ["repeated"]}}})
            seen.add(allowance["tier"])


class OfferSchema(Schema):
    """A benefit with the terms in force, for each tier that has it."""

    code = fields.String(required=True)
    kind = fields.String(required=True)
    name = fields.Nested(NameSchema, required=True)
    version = fields.Integer(required=True)
    effective_from = Instant(required=True)
    period = fields.String(required=True)
    tiers = fields.List(fields.Nested(AllowanceSchema), required=True)
    promise_minutes = fields.Integer(required=True, allow_none=True)


class OffersSchema(Schema):
    """What a programme offers now."""

    programme = fields.String(required=True)
    benefits = fields.List(fields.Nested(OfferSchema), required=True)


class OfferedSchema(Schema):
    """The version that was written, and from when on it holds."""

    code = fields.String(required=True)
    version = fields.Integer(required=True)
    effective_from = Instant(required=True)


class BenefitStandingSchema(Schema):
    """A benefit as a customer has it now; null `quota` and `left`: any number of uses."""

    code = fields.String(required=True)
    kind = fields.String(required=True)
    name = fields.Nested(NameSchema, required=True)
    period = fields.String(required=True)
    period_ends_at = Instant(required=True, allow_none=True)
    quota = fields.Integer(required=True, allow_none=True)
    used = fields.Integer(required=True)
    left = fields.Integer(required=True, allow_none=True)
    guests = fields.Integer(required=True)
    promise_minutes = fields.Integer(required=True, allow_none=True)


class StandingsSchema(Schema):
    """The benefits that a customer has by their tier or by a grant."""

    customer_id = PublicId("cus", required=True)
    programme = fields.String(required=True)
    benefits = fields.List(fields.Nested(BenefitStandingSchema), required=True)


class NewUseSchema(Schema):
    """A use under a reference of the caller's; `guests` are all who come along."""

    programme = Reference(load_default=None)
    reference = Reference(required=True)
    units = Whole(1, MOST_USES, load_default=1)
    guests = Whole(0, MOST_USES, load_default=0)


class UsedSchema(Schema):
    """A use on record, and how many are left after it (null: any number)."""

    usage_id = PublicId("use", required=True)
    code = fields.String(required=True)
    units = fields.Integer(required=True)
    guests = fields.Integer(required=True)
    used_at = Instant(required=True)
    left = fields.Integer(required=True, allow_none=True)


class NewReversalSchema(Schema):
    """The undoing of a use, under a reference of the caller's."""

    programme = Reference(load_default=None)
    reference = Reference(required=True)


class ReversedSchema(Schema):
    """The row that undoes a use."""

    usage_id = PublicId("use", required=True)
    reverses = PublicId("use", required=True)


class NewEntitlementSchema(Schema):
    """Uses granted to one customer beside their tier's.

    `quota` is added in each of the benefit's periods between `starts_at` and `ends_at`. The
    reason is one of a list, so that nobody writes about a person here.
    """

    programme = Reference(load_default=None)
    reference = Reference(required=True)
    benefit = Reference(required=True)
    quota = Whole(1, MOST_USES, required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    reason = fields.String(required=True, validate=validate.OneOf(tuple(REASONS)))

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if content["ends_at"] <= content["starts_at"]:
            raise ValidationError("before_start", "ends_at")
        if content["ends_at"] <= datetime.now(UTC):
            raise ValidationError("past", "ends_at")


class EntitledSchema(Schema):
    """A grant on record."""

    customer_id = PublicId("cus", required=True)
    reference = fields.String(required=True)
    benefit = fields.String(required=True)
    quota = fields.Integer(required=True)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    reason = fields.String(required=True)
    explanation = fields.Nested(NameSchema, required=True)


def dump_offer(offer: Offer) -> dict[str, Any]:
    """Return an offer in the shape of `OfferSchema`."""
    return {
        "code": offer.code,
        "kind": offer.kind,
        "name": {"zh": offer.name_zh, "en": offer.name_en},
        "version": offer.version,
        "effective_from": dump_instant(offer.effective_from),
        "period": offer.period,
        "tiers": [{"tier": tier, **allowed} for tier, allowed in offer.tiers.items()],
        "promise_minutes": offer.promise_minutes,
    }


def dump_standings(
    customer_id: int, programme: Programme, standings: list[Standing]
) -> dict[str, Any]:
    """Return a customer's benefits in the shape of `StandingsSchema`."""
    return {
        "customer_id": ids.encode("cus", customer_id),
        "programme": programme.code,
        "benefits": [_dump_standing(standing) for standing in standings],
    }


def _dump_standing(standing: Standing) -> dict[str, Any]:
    ends_at = standing.period_ends_at
    return {
        "code": standing.code,
        "kind": standing.kind,
        "name": {"zh": standing.name_zh, "en": standing.name_en},
        "period": standing.period,
        "period_ends_at": None if ends_at is None else dump_instant(ends_at),
        "quota": standing.quota,
        "used": standing.used,
        "left": standing.left,
        "guests": standing.guests,
        "promise_minutes": standing.promise_minutes,
    }


def dump_used(used: Used) -> dict[str, Any]:
    """Return a use in the shape of `UsedSchema`."""
    return {
        "usage_id": ids.encode("use", used.use_id),
        "code": used.code,
        "units": used.units,
        "guests": used.guests,
        "used_at": dump_instant(used.used_at),
        "left": used.left,
    }


def dump_entitlement(customer_id: int, grant: dict[str, Any]) -> dict[str, Any]:
    """Return what `NewEntitlementSchema` loaded in the shape of `EntitledSchema`."""
    zh, en = REASONS[grant["reason"]]
    return {
        "customer_id": ids.encode("cus", customer_id),
        "reference": grant["reference"],
        "benefit": grant["benefit"],
        "quota": grant["quota"],
        "starts_at": dump_instant(grant["starts_at"]),
        "ends_at": dump_instant(grant["ends_at"]),
        "reason": grant["reason"],
        "explanation": {"zh": zh, "en": en},
    }
