"""Rewards and claims as JSON."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.rewards.catalogue import Reward
from loyalty.rewards.claiming import Claim
from loyalty.web import ids
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Code, Instant, PublicId, Reference, Text, Whole, dump_instant

MOST_POINTS = 10**12
MOST_CASH = 10**12
MOST_STOCK = 10**9
MOST_TIERS = 20


class RewardPageQuery(PageQuery):
    """Which page of which programme."""

    programme = Reference(load_default=None)


class RewardWordsSchema(Schema):
    """The same in Chinese and in English."""

    zh = Text(500, required=True)
    en = Text(500, required=True)


class PriceSchema(Schema):
    """What it costs in a tier (`*`: in every other): points, and minor units of money beside."""

    tier = Reference(required=True)
    points = Whole(0, MOST_POINTS, required=True)
    cash = Whole(0, MOST_CASH, load_default=0)


class RewardTermsSchema(Schema):
    """What a reward is and costs; with `series` a coupon is given, without it goods are sent.

    `stock` is added to what there is.
    """

    names = fields.Nested(RewardWordsSchema, required=True)
    description = fields.Nested(RewardWordsSchema, required=True)
    series = Reference(load_default=None)
    prices = fields.List(
        fields.Nested(PriceSchema), required=True, validate=validate.Length(1, MOST_TIERS)
    )
    stock = Whole(0, MOST_STOCK, required=True)
    per_customer = Whole(1, MOST_STOCK, load_default=None)
    starts_at = Instant(load_default=None)
    ends_at = Instant(load_default=None)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        starts, ends = content["starts_at"], content["ends_at"]
        if starts is not None and ends is not None and ends <= starts:
            raise ValidationError("before_start", "ends_at")
        seen: set[str] = set()
        for place, price in enumerate(content["prices"]):
            if price["tier"] in seen:
                raise ValidationError({"prices": {place: {"tier": ["repeated"]}}})
            seen.add(price["tier"])


class NewRewardSchema(Schema):
    """A reward to be opened, or the next version of its terms; a second person must agree."""

    programme = Reference(load_default=None)
    code = Code(required=True)
    effective_from = Instant(load_default=None)
    terms = fields.Nested(RewardTermsSchema, required=True)


class RewardSchema(Schema):
    """A reward with the terms in force and how many are left."""

    code = fields.String(required=True)
    version = fields.Integer(required=True)
    effective_from = Instant(required=True)
    left = fields.Integer(required=True)
    terms = fields.Nested(RewardTermsSchema, required=True)


class RewardPageSchema(Schema):
    """One page of the catalogue, the newest first."""

    items = fields.List(fields.Nested(RewardSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewClaimSchema(Schema):
    """A reward to be claimed under a reference of the caller's."""

    programme = Reference(load_default=None)
    reward = Reference(required=True)
    reference = Reference(required=True)


class ClaimEndSchema(Schema):
    """Why a claim is cancelled."""

    programme = Reference(load_default=None)
    reason = Code(required=True)


class ProgrammeBodySchema(Schema):
    """Which programme."""

    programme = Reference(load_default=None)


class ClaimSchema(Schema):
    """A claim as it stands: `open`, `delivered` or `cancelled`."""

    claim_id = PublicId("clm", required=True)
    reward = fields.String(required=True)
    reference = fields.String(required=True)
    tier = fields.String(required=True)
    points = fields.Integer(required=True)
    cash = fields.Integer(required=True)
    coupon_id = PublicId("cpn", required=True, allow_none=True)
    state = fields.String(required=True)
    claimed_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)


class ClaimPageSchema(Schema):
    """One page of a customer's claims, the newest first."""

    items = fields.List(fields.Nested(ClaimSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def write_document(terms: dict[str, Any]) -> dict[str, Any]:
    """Return loaded terms as the document that is kept."""
    instants = {name: _iso(terms[name]) for name in ("starts_at", "ends_at")}
    return {**terms, **instants}


def _iso(instant: Any) -> str | None:
    return None if instant is None else dump_instant(instant)


def dump_reward(reward: Reward) -> dict[str, Any]:
    """Return a reward in the shape of `RewardSchema`."""
    return {
        "code": reward.code,
        "version": reward.version,
        "effective_from": dump_instant(reward.effective_from),
        "left": reward.left_in_stock,
        "terms": reward.document,
    }


def dump_claim(claim: Claim) -> dict[str, Any]:
    """Return a claim in the shape of `ClaimSchema`."""
    return {
        "claim_id": ids.encode("clm", claim.id),
        "reward": claim.reward,
        "reference": claim.reference,
        "tier": claim.tier,
        "points": claim.points,
        "cash": claim.cash,
        "coupon_id": None if claim.coupon_id is None else ids.encode("cpn", claim.coupon_id),
        "state": claim.outcome or "open",
        "claimed_at": dump_instant(claim.claimed_at),
        "ended_at": _iso(claim.ended_at),
    }
