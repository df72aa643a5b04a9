"""Campaigns as JSON: what can be wrong by itself is refused here, at its place.

What is wrong only for a campaign that is to be submitted (something still missing, a forbidden
word) is no fault of a draft: see `linting`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

import ledger
from campaigns.audience import CATALOGUE
from campaigns.disclosures import CATEGORIES
from campaigns.fields import (
    Address,
    CampaignNamesSchema,
    CampaignTextsSchema,
    CampaignWordsSchema,
    Plain,
)
from campaigns.models import OUTCOMES, STATES
from campaigns.results import FLAGS, SUMS
from campaigns.rules import CHANNELS, MOST_CONTROL, TYPES
from loyalty import criteria, points
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Code, Instant, PublicId, Reference, Text, Truth, Whole

SLACK = timedelta(minutes=1)  # by which another host's clock may be behind ours
LONGEST = timedelta(days=366)
MOST_VARIANTS = 5
MOST_PRIZES = 20
ENTRIES = ("audience", "purchase")
MOST_PRIZE_POINTS = 10_000_000


class CampaignScheduleSchema(Schema):
    """From when to when a campaign runs: instants with an offset, not in the past."""

    starts_at = Instant(required=True)
    ends_at = Instant(required=True)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        since, until = content["starts_at"], content["ends_at"]
        if since < datetime.now(UTC) - SLACK:
            raise ValidationError("past", "starts_at")
        if until <= since:
            raise ValidationError("before_start", "ends_at")
        if until - since > LONGEST:
            raise ValidationError("too_long", "ends_at")


class CampaignHoursSchema(Schema):
    """Hours of the day, in the programme's zone, in which nothing is sent: besides the house's."""

    first = Whole(0, 23, required=True, data_key="from")
    last = Whole(0, 23, required=True, data_key="until")

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if content["first"] == content["last"]:
            raise ValidationError("no_hours", "until")


class CampaignCapsSchema(Schema):
    """How many messages of all campaigns a person may get; never more than the house allows."""

    day = Whole(1, 1, required=True)
    week = Whole(1, 3, required=True)


class CampaignBudgetSchema(Schema):
    """What a campaign may cost at most: points, or money in minor units."""

    unit = fields.String(required=True, validate=validate.OneOf(("points", "money")))
    amount = Whole(1, ledger.MAX_AMOUNT, required=True)


class CampaignCouponOfferSchema(Schema):
    """The coupon series that the audience gets a coupon of."""

    series = Code(required=True)


class CampaignBenefitOfferSchema(Schema):
    """Uses of a benefit that the audience is granted for as long as the campaign runs."""

    code = Code(required=True)
    quota = Whole(1, 100, required=True)


class CampaignOfferSchema(Schema):
    """What the audience is offered: an earning rule, a coupon, or a benefit; one of them."""

    earning_rule = fields.Nested(points.DocumentSchema)
    coupon = fields.Nested(CampaignCouponOfferSchema)
    benefit = fields.Nested(CampaignBenefitOfferSchema)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if len(content) != 1:
            raise ValidationError("one_offer")


class CampaignProductRefSchema(Schema):
    """The version of a product's facts that the campaign states."""

    code = Code(required=True)
    version = Whole(1, 1_000_000, required=True)


class CampaignVariantSchema(Schema):
    """What one arm is told, by channel and language, and its share of the audience."""

    name = Code(required=True, validate=validate.NoneOf(("control",), error="reserved"))
    weight = Whole(1, 100, required=True)
    contents = fields.Dict(
        keys=fields.String(validate=validate.OneOf(CHANNELS)),
        values=fields.Dict(
            keys=fields.String(validate=validate.OneOf(("zh", "en"))),
            values=fields.Nested(CampaignWordsSchema),
        ),
        required=True,
    )


class CampaignGiftSchema(Schema):
    """What a winner is given by the programme itself: points, or a coupon of a series."""

    points = Whole(1, MOST_PRIZE_POINTS)
    coupon = fields.Nested(CampaignCouponOfferSchema)

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        if len(content) != 1:
            raise ValidationError("one_offer")


class CampaignPrizeSchema(Schema):
    """One kind of prize: its name, how many, and what one is worth in minor units.

    `gives` where the programme gives it; any other is handed over in the way that was published.
    """

    name = fields.Nested(CampaignNamesSchema, required=True)
    count = Whole(1, 1_000_000, required=True)
    value = Whole(1, ledger.MAX_AMOUNT, required=True)
    is_cash = Truth(load_default=False)
    gives = fields.Nested(CampaignGiftSchema)


class CampaignDrawSchema(Schema):
    """What is published of a prize draw before it begins.

    With the names, numbers and values of the prizes these are the fifteen things that the law
    wants; what is still missing keeps the campaign from being submitted. `entry`: a ticket is
    for everybody in the audience but the control group, or for those of them who bought.
    """

    entry = fields.String(load_default="audience", validate=validate.OneOf(ENTRIES))

    kinds = fields.Nested(CampaignTextsSchema)
    conditions = fields.Nested(CampaignTextsSchema)
    way = fields.Nested(CampaignTextsSchema)
    drawn_at = Instant()
    draw_way = fields.Nested(CampaignTextsSchema)
    prizes = fields.List(
        fields.Nested(CampaignPrizeSchema), validate=validate.Length(min=1, max=MOST_PRIZES)
    )
    odds = fields.Nested(CampaignTextsSchema)
    redeem_until = Instant()
    redeem_way = fields.Nested(CampaignTextsSchema)
    delivery = fields.Nested(CampaignTextsSchema)
    waiver = fields.Nested(CampaignTextsSchema)
    organiser = fields.Nested(CampaignTextsSchema)
    contact = fields.Nested(CampaignTextsSchema)


class CampaignDocumentSchema(Schema):
    """All that a campaign is. A draft may lack parts; then it cannot be submitted yet."""

    names = fields.Nested(CampaignNamesSchema, required=True)
    purpose = Text(60, load_default=None)
    audience = criteria.CriteriaField(CATALOGUE, criteria.MARKETING)
    offer = fields.Nested(CampaignOfferSchema)
    product = fields.Nested(CampaignProductRefSchema)
    link = Address(500)
    variants = fields.List(
        fields.Nested(CampaignVariantSchema), validate=validate.Length(min=1, max=MOST_VARIANTS)
    )
    channels = fields.List(
        fields.String(validate=validate.OneOf(CHANNELS)), validate=validate.Length(min=1, max=3)
    )
    is_public = Truth(load_default=False)
    schedule = fields.Nested(CampaignScheduleSchema)
    quiet_hours = fields.Nested(CampaignHoursSchema)
    caps = fields.Nested(CampaignCapsSchema)
    budget = fields.Nested(CampaignBudgetSchema)
    control_parts = Whole(0, MOST_CONTROL, load_default=0)
    draw = fields.Nested(CampaignDrawSchema)
    partners = fields.List(Code(), validate=validate.Length(max=20))
    impact_assessment = Reference()

    @validates_schema
    def _check_names(self, content: dict[str, Any], **_: Any) -> None:
        names = [variant["name"] for variant in content.get("variants", ())]
        if len(names) != len(set(names)):
            raise ValidationError("twice", "variants")
        channels = content.get("channels", [])
        if len(channels) != len(set(channels)):
            raise ValidationError("twice", "channels")


class NewCampaignSchema(Schema):
    """A new campaign. Its type never changes."""

    programme = Reference(load_default=None)
    code = Code(required=True)
    type = fields.String(required=True, validate=validate.OneOf(TYPES))
    document = fields.Nested(CampaignDocumentSchema, required=True)


class NewVersionSchema(Schema):
    """The next version of a campaign, made in view of `version`."""

    version = Whole(1, 1_000_000, required=True)
    document = fields.Nested(CampaignDocumentSchema, required=True)


class CampaignsQuery(PageQuery):
    """Which page of which campaigns: those in a state, or all."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class CampaignFindingWordsSchema(Schema):
    """The same in Chinese and in English."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class CampaignFindingSchema(Schema):
    """What is wrong where, by which rule. `block` keeps it from being submitted, not from saving.

    `span` are the first character that is meant and the first after it.
    """

    pointer = fields.String(required=True)
    rule = fields.String(required=True)
    severity = fields.String(required=True, validate=validate.OneOf(("block", "warn")))
    detail = fields.Nested(CampaignFindingWordsSchema, required=True)
    span = fields.List(fields.Integer(), required=True, allow_none=True)


class CampaignSchema(Schema):
    """A campaign in one version: `is_submittable` where nothing that was found blocks it."""

    campaign_id = PublicId("cmp", required=True)
    programme = fields.String(required=True)
    code = fields.String(required=True)
    type = fields.String(required=True, validate=validate.OneOf(TYPES))
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    version = fields.Integer(required=True)
    newest_version = fields.Integer(required=True)
    digest = fields.String(required=True)
    document = fields.Dict(required=True)
    findings = fields.List(fields.Nested(CampaignFindingSchema), required=True)
    is_submittable = fields.Boolean(required=True)
    pack = fields.String(required=True)
    saved_by = fields.String(required=True)
    saved_at = Instant(required=True)


class CampaignsPageSchema(Schema):
    """One page of campaigns in their newest versions, newest first."""

    items = fields.List(fields.Nested(CampaignSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewPreviewSchema(Schema):
    """Which version is tried: the one that the person has read."""

    version = Whole(1, 1_000_000, required=True)


class PreviewSchema(Schema):
    """A preview: `total` is the sum of the others, each customer counted once.

    `excluded` counts by the first rule that fired, `fired` by every rule that did. All numbers
    are null until the run has done everybody.
    """

    preview_id = PublicId("cpv", required=True)
    campaign_id = PublicId("cmp", required=True)
    version = fields.Integer(required=True)
    digest = fields.String(required=True)
    pack = fields.String(required=True)
    as_of = Instant(required=True)
    state = fields.String(required=True)
    total = fields.Integer(required=True, allow_none=True)
    sendable = fields.Integer(required=True, allow_none=True)
    control = fields.Integer(required=True, allow_none=True)
    deferred = fields.Integer(required=True, allow_none=True)
    excluded = fields.Dict(required=True, allow_none=True)
    fired = fields.Dict(required=True, allow_none=True)
    arms = fields.Dict(required=True, allow_none=True)
    finished_at = Instant(required=True, allow_none=True)


class MembersQuery(PageQuery):
    """Which of the people in a preview: with an outcome, by a rule, or all."""

    outcome = fields.String(load_default=None, validate=validate.OneOf(OUTCOMES))
    rule = Text(100, load_default=None)


class AudienceMemberSchema(Schema):
    """What the gate would say of one customer: the first rule that fires, and all that do."""

    customer_id = PublicId("cus", required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    arm = fields.String(required=True)
    channel = fields.String(required=True)
    primary_rule = fields.String(required=True, allow_none=True)
    rules = fields.List(fields.String(), required=True)


class AudiencePageSchema(Schema):
    """One page of the people in a preview, by their numbers."""

    items = fields.List(fields.Nested(AudienceMemberSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewSubmissionSchema(Schema):
    """Which version is put to those who approve, with which preview."""

    version = Whole(1, 1_000_000, required=True)
    preview_id = PublicId("cpv", required=True)


class NewProductSchema(Schema):
    """A product as its contract says: what a message about it may state."""

    code = Code(required=True)
    names = fields.Nested(CampaignNamesSchema, required=True)
    provider = fields.Nested(CampaignNamesSchema, required=True)
    category = fields.String(required=True, validate=validate.OneOf(CATEGORIES))
    rate = Plain(60, load_default=None)
    apr = Plain(60, load_default=None)
    fees = fields.Nested(CampaignTextsSchema, load_default=None)
    risk_grade = Whole(1, 5, load_default=None)
    is_private = Truth(load_default=False)
    contract_sha256 = Text(64, required=True, validate=validate.Regexp(r"[0-9a-f]{64}\Z"))
    effective_from = Instant(required=True)


class ReasonSchema(Schema):
    """Why, in words that name no customer."""

    reason = Plain(500, lines=True, required=True)


class CampaignAnswerSchema(AudienceMemberSchema):
    """Why a customer is, or is not, written to: each rule that fires, in words."""

    reasons = fields.List(fields.Nested(CampaignFindingWordsSchema), required=True)


class NewLaunchSchema(Schema):
    """With which fresh preview a campaign is launched, in which version."""

    version = Whole(1, 1_000_000, required=True)
    preview_id = PublicId("cpv", required=True)


class LaunchSchema(Schema):
    """A launch: what it wrote, and in which run its people are reached."""

    launch_id = PublicId("lch", required=True)
    campaign_id = PublicId("cmp", required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    digest = fields.String(required=True)
    preview_id = PublicId("cpv", required=True)
    means = fields.Dict(required=True)
    launched_at = Instant(required=True)


class IntervalSchema(Schema):
    """A share, or a difference of two, in parts of a million, with its 95 % interval."""

    estimate = fields.Integer(required=True)
    low = fields.Integer(required=True)
    high = fields.Integer(required=True)


class CampaignArmSchema(Schema):
    """What came of one arm: counts of members, and its buyers against the control group's.

    `buyers` and `effect` are of the members whom nothing but chance kept from a message: Wilson's
    interval for the share, Newcombe's (method 10) for the difference.
    """

    arm = fields.String(required=True)
    members = fields.Integer(required=True)
    counts = fields.Dict(required=True)
    buyers = fields.Nested(IntervalSchema, required=True, allow_none=True)
    effect = fields.Nested(IntervalSchema, required=True, allow_none=True)


class ResultsSchema(Schema):
    """What came of a campaign so far, by arm."""

    campaign_id = PublicId("cmp", required=True)
    launch_id = PublicId("lch", required=True)
    state = fields.String(required=True)
    arms = fields.List(fields.Nested(CampaignArmSchema), required=True)


class ResultRowsQuery(PageQuery):
    """Which members: of an arm, for whom something holds or who count towards a sum, or all."""

    arm = Text(60, load_default=None)
    what = fields.String(load_default=None, validate=validate.OneOf((*FLAGS, *SUMS)))


class ResultRowSchema(Schema):
    """What is known of one member of a campaign."""

    customer_id = PublicId("cus", required=True)
    arm = fields.String(required=True)
    primary_rule = fields.String(required=True, allow_none=True)
    refusal = fields.String(required=True, allow_none=True)
    holds = fields.List(fields.String(), required=True)
    amount = fields.Integer(required=True)
    points = fields.Integer(required=True)
    cost = fields.Integer(required=True)


class ResultRowsPageSchema(Schema):
    """One page of a campaign's members, by their numbers."""

    items = fields.List(fields.Nested(ResultRowSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
