"""What tills send and get, as JSON."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.coupons.acts import Act, Taken
from loyalty.coupons.checking import Ticket, Verdict
from loyalty.coupons.codes import LONGEST_TYPED
from loyalty.coupons.rules import Line
from loyalty.coupons.wording import REASONS
from loyalty.web import ids
from loyalty.web.fields import (
    Code,
    Instant,
    PublicId,
    Reference,
    Text,
    Truth,
    Whole,
    dump_instant,
)

MOST_COUPONS = 20
MOST_LINES = 200
LONGEST_HOLD = 60  # minutes
LARGEST_LINE = 10**12  # minor units: two hundred lines of these are still a whole JSON number


class TypedCode(fields.String):
    """What somebody typed or scanned as a code: any text, for whatever it is not is unknown."""

    def __init__(self, **options: Any) -> None:
        metadata = {"minLength": 1, "maxLength": LONGEST_TYPED, **options.pop("metadata", {})}
        super().__init__(validate=validate.Length(1, LONGEST_TYPED), metadata=metadata, **options)


class BasketLineSchema(Schema):
    """What is bought: the price of it together, in minor units, and what kind of thing it is."""

    amount = Whole(0, LARGEST_LINE, required=True)
    category = Reference(load_default="")


class _ShownSchema(Schema):
    """Coupons shown at an outlet with a basket; `customer_id` where the till knows who it is."""

    programme = Reference(load_default=None)
    outlet_id = PublicId("otl", required=True)
    basket = fields.List(
        fields.Nested(BasketLineSchema),
        load_default=list,
        validate=validate.Length(0, MOST_LINES),
    )
    customer_id = PublicId("cus", load_default=None)


def _codes(**options: Any) -> fields.Field[Any]:
    return fields.List(TypedCode(), validate=validate.Length(1, MOST_COUPONS), **options)


class CouponCheckSchema(_ShownSchema):
    """Which coupons are shown, with what basket, where."""

    coupons = _codes(required=True)


class NewHoldOfCouponsSchema(_ShownSchema):
    """Coupons to be kept for this till for some minutes."""

    reference = Reference(required=True)
    coupons = _codes(required=True)
    minutes = Whole(1, LONGEST_HOLD, load_default=5)


class NewCouponRedemptionSchema(_ShownSchema):
    """Coupons to be redeemed: by their codes, or those of a hold."""

    reference = Reference(required=True)
    coupons = _codes(load_default=list)
    hold_id = PublicId("hld", load_default=None)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if bool(content["coupons"]) == (content["hold_id"] is not None):
            raise ValidationError("one_of", "coupons")


class ReferenceSchema(Schema):
    """A reference of the caller's, under which this is done once."""

    programme = Reference(load_default=None)
    reference = Reference(required=True)


class NewCouponReversalSchema(ReferenceSchema):
    """The reversal of a redemption, and why."""

    reason = Code(required=True)


class TextsSchema(Schema):
    """The same in Chinese and in English."""

    zh = Text(500, required=True)
    en = Text(500, required=True)


class WhyNotSchema(Schema):
    """Why a coupon cannot be used."""

    code = fields.String(required=True)
    explanation = fields.Nested(TextsSchema, required=True)


class VerdictSchema(Schema):
    """What may be done with one coupon; an unknown one has no id, and says nothing else."""

    accepted = Truth(required=True)
    coupon_id = PublicId("cpn", required=True, allow_none=True)
    series = fields.String(required=True, allow_none=True)
    names = fields.Nested(TextsSchema, required=True, allow_none=True)
    discount = fields.Integer(required=True)
    worth = fields.Integer(required=True)
    remaining = fields.Integer(required=True, allow_none=True)
    valid_until = Instant(required=True, allow_none=True)
    reasons = fields.List(fields.Nested(WhyNotSchema), required=True)


class CouponCheckedSchema(Schema):
    """A verdict for each coupon in the order in which they were sent, and what is left to pay."""

    coupons = fields.List(fields.Nested(VerdictSchema), required=True)
    discount = fields.Integer(required=True)
    payable = fields.Integer(required=True)


class TakenSchema(Schema):
    """One coupon of an act: what it took off, what the partner is owed, and by whose share."""

    coupon_id = PublicId("cpn", required=True)
    series = fields.String(required=True)
    discount = fields.Integer(required=True)
    worth = fields.Integer(required=True)
    ours = fields.Integer(required=True)
    remaining = fields.Integer(required=True)


class CouponActSchema(Schema):
    """What a till did, as it is on record. `follows` names the act that it redeems or undoes."""

    redemption_id = fields.String(required=True)
    kind = fields.String(required=True)
    reference = fields.String(required=True)
    outlet_id = PublicId("otl", required=True)
    follows = fields.String(required=True, allow_none=True)
    basket = fields.Integer(required=True)
    discount = fields.Integer(required=True)
    payable = fields.Integer(required=True)
    worth = fields.Integer(required=True)
    ours = fields.Integer(required=True)
    lapses_at = Instant(required=True, allow_none=True)
    occurred_at = Instant(required=True)
    recorded_at = Instant(required=True)
    coupons = fields.List(fields.Nested(TakenSchema), required=True)


class OfflineRedemptionSchema(Schema):
    """A coupon that was accepted by its token while there was no network."""

    token = Text(2_000, required=True)
    reference = Reference(required=True)
    outlet_id = PublicId("otl", required=True)
    redeemed_at = Instant(required=True)
    basket = fields.List(
        fields.Nested(BasketLineSchema), load_default=list, validate=validate.Length(0, MOST_LINES)
    )


class NewOfflineRedemptionsSchema(Schema):
    """What a till accepted without a network, in the order in which it did."""

    programme = Reference(load_default=None)
    redemptions = fields.List(
        fields.Nested(OfflineRedemptionSchema), required=True, validate=validate.Length(1, 100)
    )


class ReconciledSchema(Schema):
    """What became of one: `redeemed`, `spent-twice` or `refused`, with the reasons."""

    reference = fields.String(required=True)
    outcome = fields.String(required=True)
    redemption_id = fields.String(required=True, allow_none=True)
    reasons = fields.List(fields.Nested(WhyNotSchema), required=True)


class ReconciledListSchema(Schema):
    """An outcome for each, in their order."""

    redemptions = fields.List(fields.Nested(ReconciledSchema), required=True)


class KeySchema(Schema):
    """A public key as a JWK (RFC 8037)."""

    kty = fields.String(required=True)
    crv = fields.String(required=True)
    x = fields.String(required=True)
    kid = fields.String(required=True)
    alg = fields.String(required=True)
    use = fields.String(required=True)


class KeysSchema(Schema):
    """A JWK set."""

    keys = fields.List(fields.Nested(KeySchema), required=True)


def load_ticket(content: dict[str, Any], reference: str = "") -> Ticket:
    """Return what a body of these schemas shows as a ticket."""
    return Ticket(
        reference=content.get("reference", reference),
        outlet_id=content["outlet_id"],
        codes=tuple(content.get("coupons", ())),
        basket=load_basket(content["basket"]),
        customer_id=content["customer_id"],
        hold=content.get("hold_id"),
    )


def load_basket(lines: list[dict[str, Any]]) -> tuple[Line, ...]:
    """Return the lines of a basket."""
    return tuple(Line(line["amount"], line["category"]) for line in lines)


def dump_checked(ticket: Ticket, verdicts: list[Verdict]) -> dict[str, Any]:
    """Return verdicts in the shape of `CouponCheckedSchema`."""
    discount = sum(verdict.answer.discount for verdict in verdicts)
    return {
        "coupons": [_dump_verdict(verdict) for verdict in verdicts],
        "discount": discount,
        "payable": ticket.total - discount,
    }


def _dump_verdict(verdict: Verdict) -> dict[str, Any]:
    series = verdict.series
    return {
        "accepted": verdict.answer.is_yes,
        "coupon_id": None if verdict.coupon_id is None else ids.encode("cpn", verdict.coupon_id),
        "series": None if series is None else series.code,
        "names": None if series is None else series.names,
        "discount": verdict.answer.discount,
        "worth": verdict.answer.worth,
        "remaining": None if series is None else verdict.remaining,
        "valid_until": None if verdict.valid_until is None else dump_instant(verdict.valid_until),
        "reasons": [dump_reason(reason) for reason in verdict.answer.reasons],
    }


def dump_reason(reason: str) -> dict[str, Any]:
    """Return why not, in both languages."""
    return {"code": reason, "explanation": REASONS[reason]._asdict()}


def list_faults(verdicts: tuple[Verdict, ...]) -> list[dict[str, Any]]:
    """Return what stands against each coupon as the errors of a problem."""
    return [
        {"pointer": f"/coupons/{place}", "code": reason, "detail": REASONS[reason]}
        for place, verdict in enumerate(verdicts)
        for reason in verdict.answer.reasons
    ]


def dump_act(act: Act) -> dict[str, Any]:
    """Return what a till did in the shape of `CouponActSchema`."""
    of_hold = act.kind in ("redemption", "release")
    return {
        "redemption_id": ids.encode("hld" if act.kind == "hold" else "rdm", act.id),
        "kind": act.kind,
        "reference": act.reference,
        "outlet_id": ids.encode("otl", act.outlet_id),
        "follows": None
        if act.follows is None
        else ids.encode("hld" if of_hold else "rdm", act.follows),
        "basket": act.basket,
        "discount": act.discount,
        "payable": act.basket - act.discount,
        "worth": act.worth,
        "ours": act.ours,
        "lapses_at": None if act.lapses_at is None else dump_instant(act.lapses_at),
        "occurred_at": dump_instant(act.occurred_at),
        "recorded_at": dump_instant(act.recorded_at),
        "coupons": [_dump_taken(taken) for taken in act.taken],
    }


def _dump_taken(taken: Taken) -> dict[str, Any]:
    return {
        "coupon_id": ids.encode("cpn", taken.coupon_id),
        "series": taken.series,
        "discount": taken.discount,
        "worth": taken.worth,
        "ours": taken.ours,
        "remaining": taken.remaining,
    }
