"""Earning rules as JSON: each number has bounds, and what does not belong together is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

import ledger
from loyalty import criteria
from loyalty.points.facts import CATALOGUE
from loyalty.points.proposals import STATES, Proposal
from loyalty.points.rule_wording import describe
from loyalty.points.rules import AVAILABLE, CUSTOMER, GIVES, LAPSE, PURCHASE
from loyalty.points.trial import Share, Trial
from loyalty.web import ids
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Code, Instant, PublicId, Reference, Text, Truth, Whole, dump_instant

SLACK = timedelta(minutes=1)  # by which another host's clock may be behind ours
MOST_POINTS = 1_000_000
MOST_PER = 100_000_000  # minor units
MOST_RATE = 100  # points for each minor unit
MOST_TIMES = 10
MOST_PENDING = 730  # days
MOST_MONTHS = 120
MOST_YEARS = 10
MOST_DAYS = 400
SHORTEST_MONTH, SHORTEST_YEAR = 28, 365

_MISSING = "Missing data for required field."
_COMMON = frozenset({"when", "status", "caps", "pending", "expiry", "names"})
_NEEDED = {
    "per_amount": frozenset({"points", "per"}),
    "fixed": frozenset({"points"}),
    "multiplier": frozenset({"times"}),
    "nothing": frozenset[str](),
}
_ALLOWED = {
    "per_amount": _COMMON | {"rounding"},
    "fixed": _COMMON,
    "multiplier": _COMMON,
    "nothing": frozenset({"names"}),
}


class CapsSchema(Schema):
    """At most so many points for a customer, at a purchase and in a day, a month, a year."""

    purchase = Whole(1, ledger.MAX_AMOUNT)
    day = Whole(1, ledger.MAX_AMOUNT)
    month = Whole(1, ledger.MAX_AMOUNT)
    year = Whole(1, ledger.MAX_AMOUNT)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if not content:
            raise ValidationError("length")


class PendingSchema(Schema):
    """When points become usable: after so many days, or once an event is confirmed.

    `event` is a name that is reported about the `purchase` or (as `about` says) the `customer`.
    With an event, `days` says after how many what waits will `lapse` or become `available`, as
    `then` says; without `days` it goes on waiting until it expires.
    """

    days = Whole(1, MOST_PENDING)
    event = Code()
    about = fields.String(validate=validate.OneOf((PURCHASE, CUSTOMER)))
    then = fields.String(validate=validate.OneOf((LAPSE, AVAILABLE)))

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if "event" in content:
            if "about" not in content:
                raise ValidationError(_MISSING, "about")
            if ("then" in content) != ("days" in content):
                raise ValidationError("days_then", "then")
            return
        if "days" not in content:
            raise ValidationError(_MISSING, "days")
        strange = content.keys() - {"days"}
        if strange:
            raise ValidationError({name: ["with_event"] for name in sorted(strange)})


class ExpirySchema(Schema):
    """When points lapse: months after the purchase, or at the end of a later calendar year."""

    months = Whole(1, MOST_MONTHS)
    years = Whole(1, MOST_YEARS)
    round = fields.String(validate=validate.OneOf(("month", "year")))

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if ("months" in content) == ("years" in content):
            raise ValidationError("months_or_years")
        if "round" in content and "months" not in content:
            raise ValidationError("round_months", "round")


class RuleNamesSchema(Schema):
    """What the rule is called."""

    zh = Text(60, required=True)
    en = Text(60, required=True)


class DocumentSchema(Schema):
    """What a rule gives, to whom, how much at most, and how long it lasts.

    `per_amount`: `points` for each `per` minor units. `fixed`: `points` a purchase. `multiplier`:
    `times` [3, 2] makes three of every two points that other rules give. `nothing`: ends the rule.
    """

    gives = fields.String(required=True, validate=validate.OneOf(GIVES))
    points = Whole(1, MOST_POINTS)
    per = Whole(1, MOST_PER)
    rounding = fields.String(validate=validate.OneOf(("floor", "half_up")))
    times = fields.List(Whole(1, 1_000), validate=validate.Length(equal=2))
    when = criteria.CriteriaField(CATALOGUE, criteria.MARKETING)
    status = Truth()
    caps = fields.Nested(CapsSchema)
    pending = fields.Nested(PendingSchema)
    expiry = fields.Nested(ExpirySchema)
    names = fields.Nested(RuleNamesSchema)

    @validates_schema
    def _check_parts(self, content: dict[str, Any], **_: Any) -> None:
        gives = content["gives"]
        needed = _NEEDED[gives]
        faults = {name: [_MISSING] for name in needed - content.keys()}
        strange = content.keys() - needed - _ALLOWED[gives] - {"gives"}
        faults |= {name: ["not_with_gives"] for name in strange}
        if faults:
            raise ValidationError(dict(sorted(faults.items())))

    @validates_schema
    def _check_numbers(self, content: dict[str, Any], **_: Any) -> None:
        times = content.get("times")
        if times is not None and not times[1] < times[0] <= MOST_TIMES * times[1]:
            raise ValidationError("times", "times")
        if content.get("points", 0) > MOST_RATE * content.get("per", MOST_POINTS):
            raise ValidationError("rate", "points")
        expiry, pending = content.get("expiry"), content.get("pending")
        if expiry and pending and pending.get("days", 0) >= _shortest_life(expiry):
            raise ValidationError("lapses_before", "expiry")


def _shortest_life(expiry: dict[str, int]) -> int:
    """Return for how many days points last at the least."""
    return expiry.get("months", 0) * SHORTEST_MONTH + expiry.get("years", 0) * SHORTEST_YEAR


class NewRuleSchema(Schema):
    """A new rule, or the next version of one; it counts from its date once somebody else agreed."""

    programme = Reference(load_default=None)
    code = Code(required=True)
    effective_from = Instant(required=True)
    effective_until = Instant(load_default=None)
    document = fields.Nested(DocumentSchema, required=True)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        since, until = content["effective_from"], content["effective_until"]
        if since < datetime.now(UTC) - SLACK:
            raise ValidationError("past", "effective_from")
        if until is not None and until <= since:
            raise ValidationError("before_start", "effective_until")


class RulesQuery(PageQuery):
    """Which page of which rules: those of a programme, in a state, or all."""

    programme = Reference(load_default=None)
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class SentenceSchema(Schema):
    """The same in Chinese and in English."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class RuleDecidedSchema(Schema):
    """Who decided and when, with their comment."""

    by = fields.String(required=True)
    at = Instant(required=True)
    comment = fields.String(required=True, allow_none=True)


class RuleSchema(Schema):
    """A version of a rule. `digest` covers everything but the decision."""

    rule_id = PublicId("rul", required=True)
    programme = fields.String(required=True)
    code = fields.String(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    effective_from = Instant(required=True)
    effective_until = Instant(required=True, allow_none=True)
    document = fields.Dict(required=True)
    sentence = fields.Nested(SentenceSchema, required=True)
    digest = fields.String(required=True)
    proposed_by = fields.String(required=True)
    proposed_at = Instant(required=True)
    decision = fields.Nested(RuleDecidedSchema, required=True, allow_none=True)


class RulesPageSchema(Schema):
    """One page of rules, newest first."""

    items = fields.List(fields.Nested(RuleSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class RuleDecisionSchema(Schema):
    """What a second person decides on the content that has this digest."""

    decision = fields.String(required=True, validate=validate.OneOf(("approve", "reject")))
    digest = Text(64, required=True)
    comment = Text(500, lines=True, load_default=None)


class NewTrialSchema(Schema):
    """On the purchases of how many days the rule is to be tried."""

    days = Whole(1, MOST_DAYS, load_default=30)


class ShareSchema(Schema):
    """Purchases looked at, those that met the conditions, and what the rule would have given.

    `given` is what earlier versions gave to the same purchases, and `cost` what this one costs
    more (or, below zero, less). `gaining` customers would have got more than was given to them,
    `gained` points in all; `losing` would have got less. All after refunds.
    """

    purchases = fields.Integer(required=True)
    matching = fields.Integer(required=True)
    points = fields.Integer(required=True)
    given = fields.Integer(required=True)
    cost = fields.Integer(required=True)
    customers = fields.Integer(required=True)
    gaining = fields.Integer(required=True)
    gained = fields.Integer(required=True)
    losing = fields.Integer(required=True)
    lost = fields.Integer(required=True)


class TierShareSchema(ShareSchema):
    """The share of what was bought by customers who were in a tier when they bought it."""

    tier = fields.String(required=True)


class TrialSchema(ShareSchema):
    """What the rule would have given since an instant; nothing was written.

    `most` is the most for one customer. Not `complete`: there are more purchases, and the latest
    were looked at.
    """

    rule_id = PublicId("rul", required=True)
    since = Instant(required=True)
    complete = fields.Boolean(required=True)
    most = fields.Integer(required=True)
    tiers = fields.List(fields.Nested(TierShareSchema), required=True)


def load_document(content: dict[str, Any]) -> dict[str, Any]:
    """Return what `DocumentSchema` loaded as it is stored."""
    document = dict(content)
    if "when" in document:
        document["when"] = criteria.dump(document["when"])
    return document


def dump_rule(proposal: Proposal) -> dict[str, Any]:
    """Return a version of a rule in the shape of `RuleSchema`."""
    until = proposal.effective_until
    decision = None
    if proposal.decided_at is not None:
        decision = {
            "by": proposal.decided_by,
            "at": dump_instant(proposal.decided_at),
            "comment": proposal.comment,
        }
    return {
        "rule_id": ids.encode("rul", proposal.id),
        "programme": proposal.programme,
        "code": proposal.code,
        "version": proposal.version,
        "state": proposal.state,
        "effective_from": dump_instant(proposal.effective_from),
        "effective_until": None if until is None else dump_instant(until),
        "document": proposal.document,
        "sentence": describe(proposal.document)._asdict(),
        "digest": proposal.digest,
        "proposed_by": proposal.proposed_by,
        "proposed_at": dump_instant(proposal.proposed_at),
        "decision": decision,
    }


def dump_trial(rule_id: int, trial: Trial) -> dict[str, Any]:
    """Return a trial in the shape of `TrialSchema`."""
    return {
        "rule_id": ids.encode("rul", rule_id),
        "since": dump_instant(trial.since),
        "complete": trial.complete,
        "most": trial.most,
        **_dump_share(trial.whole),
        "tiers": [
            {"tier": tier, **_dump_share(share)} for tier, share in sorted(trial.by_tier.items())
        ],
    }


def _dump_share(share: Share) -> dict[str, int]:
    return {
        "purchases": share.purchases,
        "matching": share.matching,
        "points": share.points,
        "given": share.given,
        "cost": share.points - share.given,
        "customers": share.customers,
        "gaining": share.gaining,
        "gained": share.gained,
        "losing": share.losing,
        "lost": share.lost,
    }
