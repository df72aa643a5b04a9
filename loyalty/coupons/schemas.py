"""Series, coupons and batches as JSON."""

from datetime import time
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.coupons.codes import mask_code
from loyalty.coupons.queries import Coupon, Event
from loyalty.coupons.rules import KINDS, WHOLE
from loyalty.coupons.series import Series
from loyalty.coupons.till_schemas import TextsSchema
from loyalty.coupons.wording import STATES
from loyalty.web import ids
from loyalty.web.cursors import PageQuery
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

MOST_WORTH = 10**10  # minor units
MOST_BUDGET = 10**14
MOST_LISTED = 500
LONGEST_DAYS = 3_660
MOST_COUNT = 100_000_000
MOST_ORDERS = 1_000
LARGEST_BATCH = 10_000_000


class ProgrammeQuery(Schema):
    """Which programme; may be left out where there is one."""

    programme = Reference(load_default=None)


class CouponPageQuery(PageQuery):
    """Which page of which programme."""

    programme = Reference(load_default=None)


class CouponNamesSchema(Schema):
    """What customers read, in Chinese and in English."""

    zh = Text(60, required=True)
    en = Text(60, required=True)


class CouponValueSchema(Schema):
    """What a coupon is worth: `amount` off, or for `percent` at most `amount`.

    For goods and services `amount` is what the partner is owed for handing them over.
    """

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    amount = Whole(1, MOST_WORTH, required=True)
    basis_points = Whole(1, WHOLE, load_default=None)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if (content["kind"] == "percent") != (content["basis_points"] is not None):
            raise ValidationError("percent_only", "basis_points")


class HourField(Text):
    """A time of day such as `09:30`."""

    def __init__(self, **options: Any) -> None:
        metadata = {"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", **options.pop("metadata", {})}
        super().__init__(5, metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        written = super()._deserialize(value, attr, data, **kwargs)
        if len(written) != 5 or not written.isascii():
            raise ValidationError("hour")
        try:
            found = time.fromisoformat(written)
        except ValueError:
            raise ValidationError("hour") from None
        return f"{found:%H:%M}"


class CouponHoursSchema(Schema):
    """From which hour to which, of the programme's zone; the end is not part of it."""

    opens = HourField(required=True, data_key="from")
    closes = HourField(required=True, data_key="to")

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if content["opens"] >= content["closes"]:
            raise ValidationError("before_start", "to")


class CouponValiditySchema(Schema):
    """When a coupon may be used: between instants, for days from its issue, on days and hours."""

    starts_at = Instant(load_default=None)
    ends_at = Instant(load_default=None)
    days = Whole(0, LONGEST_DAYS, load_default=None)
    weekdays = fields.List(Whole(1, 7), load_default=list, validate=validate.Length(0, 7))
    hours = fields.Nested(CouponHoursSchema, load_default=None)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if content["ends_at"] is None and content["days"] is None:
            raise ValidationError("end_needed", "ends_at")
        starts, ends = content["starts_at"], content["ends_at"]
        if starts is not None and ends is not None and ends <= starts:
            raise ValidationError("before_start", "ends_at")


class CouponLimitsSchema(Schema):
    """How many are issued in all, in a day, to a person; and how many are used in a day."""

    total = Whole(1, MOST_COUNT, load_default=None)
    day = Whole(1, MOST_COUNT, load_default=None)
    customer = Whole(1, MOST_COUNT, load_default=None)
    uses_per_day = Whole(1, MOST_COUNT, load_default=None)


class SeriesTermsSchema(Schema):
    """What the coupons of a series promise. `ours` is our share in basis points."""

    names = fields.Nested(CouponNamesSchema, required=True)
    conditions = fields.Nested(TextsSchema, required=True)
    value = fields.Nested(CouponValueSchema, required=True)
    minimum = Whole(0, MOST_WORTH, load_default=0)
    categories = fields.List(Reference(), load_default=list, validate=validate.Length(0, 100))
    partners = fields.List(
        PublicId("prt"), load_default=list, validate=validate.Length(0, MOST_LISTED)
    )
    outlets = fields.List(
        PublicId("otl"), load_default=list, validate=validate.Length(0, MOST_LISTED)
    )
    validity = fields.Nested(CouponValiditySchema, required=True)
    limits = fields.Nested(CouponLimitsSchema, load_default=lambda: CouponLimitsSchema().load({}))
    budget = Whole(0, MOST_BUDGET, load_default=None, allow_none=True)
    stackable = Truth(load_default=False)
    bound = Truth(load_default=True)
    refundable = Truth(load_default=True)
    divisible = Truth(load_default=False)
    claimable = Truth(load_default=False)
    short_code = Truth(load_default=False)
    ours = Whole(0, WHOLE, load_default=WHOLE)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if content["divisible"] and content["value"]["kind"] != "amount":
            raise ValidationError("amount_only", "divisible")
        if content["short_code"] and not content["bound"]:
            raise ValidationError("bound_only", "short_code")


class NewSeriesSchema(Schema):
    """A series to be opened, or the next version of its terms; a second person must agree."""

    programme = Reference(load_default=None)
    code = Code(required=True)
    effective_from = Instant(load_default=None)
    terms = fields.Nested(SeriesTermsSchema, required=True)


class SeriesSchema(Schema):
    """A series with the terms in force; `left` is what its budget has left."""

    code = fields.String(required=True)
    version = fields.Integer(required=True)
    effective_from = Instant(required=True)
    halted = Truth(required=True)
    left = fields.Integer(required=True)
    terms = fields.Nested(SeriesTermsSchema, required=True)


class SeriesPageSchema(Schema):
    """One page of series, the newest first."""

    items = fields.List(fields.Nested(SeriesSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SeriesHaltSchema(Schema):
    """Why a series is stopped."""

    programme = Reference(load_default=None)
    reason = Code(required=True)


class SeriesHaltedSchema(Schema):
    """A series that is stopped."""

    code = fields.String(required=True)
    halted = Truth(required=True)


class CouponOrderSchema(Schema):
    """A coupon for a customer, under a reference of the caller's."""

    reference = Reference(required=True)
    customer_id = PublicId("cus", load_default=None)


class NewCouponsSchema(Schema):
    """Coupons to be issued, each once for its reference."""

    programme = Reference(load_default=None)
    coupons = fields.List(
        fields.Nested(CouponOrderSchema),
        required=True,
        validate=validate.Length(1, MOST_ORDERS),
    )


class IssuedSchema(Schema):
    """What became of one order: the coupon, or the code of the problem."""

    reference = fields.String(required=True)
    coupon_id = PublicId("cpn", required=True, allow_none=True)
    replayed = Truth(required=True)
    problem = fields.String(required=True, allow_none=True)


class IssuedListSchema(Schema):
    """An outcome for each order, in their order."""

    coupons = fields.List(fields.Nested(IssuedSchema), required=True)


class NewClaimOfCouponSchema(Schema):
    """The series of which a customer wants a coupon."""

    programme = Reference(load_default=None)
    series = Reference(required=True)
    reference = Reference(required=True)


class CouponStateSchema(Schema):
    """A state and what it means."""

    code = fields.String(required=True)
    explanation = fields.Nested(TextsSchema, required=True)


class CouponSchema(Schema):
    """A coupon as its owner sees it in a list."""

    coupon_id = PublicId("cpn", required=True)
    series = fields.String(required=True)
    names = fields.Nested(CouponNamesSchema, required=True)
    conditions = fields.Nested(TextsSchema, required=True)
    kind = fields.String(required=True)
    amount = fields.Integer(required=True)
    basis_points = fields.Integer(required=True, allow_none=True)
    minimum = fields.Integer(required=True)
    remaining = fields.Integer(required=True)
    state = fields.Nested(CouponStateSchema, required=True)
    valid_from = Instant(required=True)
    valid_until = Instant(required=True)
    issued_at = Instant(required=True)


class CouponPageSchema(Schema):
    """One page of a customer's coupons, the newest first."""

    items = fields.List(fields.Nested(CouponSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class CouponCodeSchema(Schema):
    """A coupon's code, for its owner alone: as it is scanned, and as people read it."""

    coupon_id = PublicId("cpn", required=True)
    code = fields.String(required=True)
    shown = fields.String(required=True)


class CouponTokenSchema(Schema):
    """A token that a till checks without a network, and until when."""

    token = fields.String(required=True)
    expires_at = Instant(required=True)


class CouponEventSchema(Schema):
    """What happened to a coupon after it was issued."""

    kind = fields.String(required=True)
    redemption_id = PublicId("rdm", required=True, allow_none=True)
    partner_id = PublicId("prt", required=True, allow_none=True)
    outlet_id = PublicId("otl", required=True, allow_none=True)
    discount = fields.Integer(required=True)
    worth = fields.Integer(required=True)
    ours = fields.Integer(required=True)
    remaining = fields.Integer(required=True)
    reason = fields.String(required=True, allow_none=True)
    at = Instant(required=True)


class CouponFileSchema(CouponSchema):
    """A coupon as staff see it: whose, its events, and its code all but hidden."""

    customer_id = PublicId("cus", required=True, allow_none=True)
    version = fields.Integer(required=True)
    masked_code = fields.String(required=True)
    events = fields.List(fields.Nested(CouponEventSchema), required=True)


class CouponWithdrawalSchema(Schema):
    """Why a coupon is withdrawn."""

    programme = Reference(load_default=None)
    reason = Code(required=True)


class NewBatchSchema(Schema):
    """Coupons without customers, to be made for print."""

    programme = Reference(load_default=None)
    reference = Reference(required=True)
    size = Whole(1, LARGEST_BATCH, required=True)


class BatchSchema(Schema):
    """A batch and how far it came."""

    batch_id = PublicId("bat", required=True)
    series = fields.String(required=True)
    version = fields.Integer(required=True)
    reference = fields.String(required=True)
    size = fields.Integer(required=True)
    made = fields.Integer(required=True)
    missing = fields.Integer(required=True)
    state = fields.String(required=True)
    exported = Truth(required=True)


def write_document(terms: dict[str, Any]) -> dict[str, Any]:
    """Return loaded terms as the document that is kept: JSON with row numbers in it."""
    validity = terms["validity"]
    hours = validity["hours"]
    return {
        **terms,
        "validity": {
            **validity,
            "starts_at": _iso(validity["starts_at"]),
            "ends_at": _iso(validity["ends_at"]),
            "hours": None if hours is None else {"from": hours["opens"], "to": hours["closes"]},
        },
    }


def _iso(instant: Any) -> str | None:
    return None if instant is None else dump_instant(instant)


def dump_terms(document: dict[str, Any]) -> dict[str, Any]:
    """Return a kept document in the shape of `SeriesTermsSchema`."""
    return {
        **document,
        "partners": [ids.encode("prt", number) for number in document["partners"]],
        "outlets": [ids.encode("otl", number) for number in document["outlets"]],
    }


def dump_series(series: Series, left: int) -> dict[str, Any]:
    """Return a series in the shape of `SeriesSchema`."""
    return {
        "code": series.code,
        "version": series.version,
        "effective_from": dump_instant(series.effective_from),
        "halted": series.is_halted,
        "left": left,
        "terms": dump_terms(series.document),
    }


def dump_coupon(coupon: Coupon) -> dict[str, Any]:
    """Return a coupon in the shape of `CouponSchema`."""
    document = coupon.series.document
    return {
        "coupon_id": ids.encode("cpn", coupon.id),
        "series": coupon.series.code,
        "names": document["names"],
        "conditions": document["conditions"],
        "kind": document["value"]["kind"],
        "amount": document["value"]["amount"],
        "basis_points": document["value"]["basis_points"],
        "minimum": document["minimum"],
        "remaining": coupon.remaining,
        "state": {"code": coupon.state, "explanation": STATES[coupon.state]._asdict()},
        "valid_from": dump_instant(coupon.valid_from),
        "valid_until": dump_instant(coupon.valid_until),
        "issued_at": dump_instant(coupon.issued_at),
    }


def dump_file(coupon: Coupon, code: str, events: list[Event]) -> dict[str, Any]:
    """Return a coupon in the shape of `CouponFileSchema`."""
    return {
        **dump_coupon(coupon),
        "customer_id": _public("cus", coupon.customer_id),
        "version": coupon.series.version,
        "masked_code": mask_code(code),
        "events": [_dump_event(event) for event in events],
    }


def _dump_event(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "redemption_id": _public("rdm", event.redemption_id),
        "partner_id": _public("prt", event.partner_id),
        "outlet_id": _public("otl", event.outlet_id),
        "discount": event.discount,
        "worth": event.worth,
        "ours": event.ours,
        "remaining": event.remaining,
        "reason": event.reason,
        "at": dump_instant(event.at),
    }


def _public(prefix: str, number: int | None) -> str | None:
    return None if number is None else ids.encode(prefix, number)
