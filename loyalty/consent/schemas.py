"""Consents, notices, receipts and wishes as JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.consent.notices import Notice, Purpose
from loyalty.consent.recording import Recorded
from loyalty.consent.rules import (
    ACTIONS,
    CHANNELS,
    CONTACT_KINDS,
    EXPIRE,
    FACT_KINDS,
    MECHANISMS,
    NO_CHANNEL,
    NOTICE_FIELDS,
    PROOF_FIELDS,
    SCOPES,
    SENSITIVE_FIELDS,
    STATUSES,
    SUPPRESSION_REASONS,
)
from loyalty.consent.snapshot import Preference
from loyalty.customers import Purpose as WhyRead
from loyalty.web import ids, validation
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

MOST_AT_ONCE = 1000
MOST_TOPICS = 50
ALL_CHANNELS = (*CHANNELS, NO_CHANNEL)
BY_CUSTOMERS = ("GRANT", "REFUSE", "CONFIRM", "REOPEN")
REPORTED = tuple(action for action in ACTIONS if action != EXPIRE)
WAYS = tuple(way for way in MECHANISMS if way != "EXPIRY")
GREATEST_ID = 2**53 - 1
TOLD = (*NOTICE_FIELDS, *SENSITIVE_FIELDS)

validation.MESSAGES.setdefault(
    "hours", ("hours", "应为 HH:MM 形式的时刻", "is no time of the day as HH:MM")
)
validation.MESSAGES.setdefault(
    "scope_value", ("scope_value", "ALL 不带取值,其他范围须带", "is for every scope but ALL")
)


def one_of(values: tuple[str, ...], **options: Any) -> fields.String:
    """Return the field that takes one of these words."""
    return fields.String(validate=validate.OneOf(values), **options)


class ClockTime(fields.Field[time]):
    """A time of the day in the programme's zone, `08:30`."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> time:  # noqa: ARG002
        if not (isinstance(value, str) and len(value) == len("08:30")):
            raise ValidationError("hours")
        try:
            return time.fromisoformat(value)
        except ValueError:
            raise ValidationError("hours") from None


class BothLanguagesSchema(Schema):
    """The same in Chinese and in English."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class NoticeSchema(Schema):
    """A version of what customers are told; `fields` are the parts that the law wants."""

    id = PublicId("ntc", required=True)
    version = Whole(1, required=True)
    material_version = Whole(1, required=True)
    body = fields.Nested(BothLanguagesSchema, required=True)
    sha256 = fields.Nested(BothLanguagesSchema, required=True)
    fields_ = fields.Dict(required=True, data_key="fields")
    effective_from = Instant(required=True)


class PurposeSchema(Schema):
    """What data is used for, and the notice in force; null where there is none yet."""

    code = Code(required=True)
    name = fields.Nested(BothLanguagesSchema, required=True)
    is_marketing = Truth(required=True)
    sensitivity = fields.String(required=True)
    needs_separate = Truth(required=True)
    by_channel = Truth(required=True)
    valid_months = Whole(1, required=True)
    notice = fields.Nested(NoticeSchema, required=True, allow_none=True)


class PurposesSchema(Schema):
    """Every purpose that is open."""

    purposes = fields.List(fields.Nested(PurposeSchema), required=True)


class NewNamesSchema(Schema):
    """What something is called, in Chinese and in English."""

    zh = Text(60, required=True)
    en = Text(60, required=True)


class NewPurposeSchema(Schema):
    """A purpose of use. What is agreed to by itself is agreed to whatever the channel.

    Four codes are looked for by rules of the gate: `financial-info-for-marketing`,
    `sensitive-data`, `partner-sharing` and `cross-border`.
    """

    code = Code(required=True)
    name = fields.Nested(NewNamesSchema, required=True)
    is_marketing = Truth(required=True)
    sensitivity = one_of(("ordinary", "sensitive"), load_default="ordinary")
    needs_separate = Truth(load_default=False)
    by_channel = Truth(load_default=True)
    valid_months = Whole(1, 60, load_default=24)


class NewNoticeBodySchema(Schema):
    """The whole text as customers read it, in both languages."""

    zh = Text(20_000, lines=True, required=True)
    en = Text(40_000, lines=True, required=True)


class NewNoticeFieldsSchema(Schema):
    """The parts that the law wants told, in both languages, by their names."""

    zh = fields.Dict(keys=one_of(TOLD), values=Text(2_000, lines=True), required=True)
    en = fields.Dict(keys=one_of(TOLD), values=Text(4_000, lines=True), required=True)


class NewNoticeSchema(Schema):
    """A version of a notice. `material`: everybody has to agree anew."""

    purpose = Code(required=True)
    body = fields.Nested(NewNoticeBodySchema, required=True)
    fields_ = fields.Nested(
        NewNoticeFieldsSchema, data_key="fields", attribute="fields", required=True
    )
    material = Truth(required=True)
    effective_from = Instant(load_default=None, allow_none=True)


class NewPresentationSchema(Schema):
    """A notice as it was shown to the customer. `prompted`: we asked, they did not come."""

    notice_id = PublicId("ntc", required=True)
    channel = one_of(ALL_CHANNELS, required=True)
    language = one_of(("zh", "en"), required=True)
    surface = Code(required=True)
    form_version = Reference(required=True)
    prompted = Truth(load_default=False)
    default_checked = Truth(load_default=False)


class PresentationSchema(Schema):
    """What was kept of a presentation."""

    presentation_id = PublicId("prs", required=True)
    notice_id = PublicId("ntc", required=True)


class NewConsentSchema(Schema):
    """What the customer does on a screen of ours, after what was shown there."""

    purpose = Code(required=True)
    channel = one_of(ALL_CHANNELS, required=True)
    action = one_of(BY_CUSTOMERS, required=True)
    notice_id = PublicId("ntc", load_default=None)
    presentation_id = PublicId("prs", load_default=None)
    partner_id = Whole(0, GREATEST_ID, load_default=0)
    separate = Truth(load_default=False)


class ConsentRecordedSchema(Schema):
    """What became of it: the event, and the state after it."""

    consent_id = PublicId("cst", required=True)
    status = one_of(STATUSES, required=True, allow_none=True)


class NewWithdrawalSchema(Schema):
    """What is taken back: a purpose, a channel, both; all marketing where neither is named."""

    purpose = Code(load_default=None)
    channel = one_of(CHANNELS, load_default=None)


class WithdrawnSchema(Schema):
    """The events that were written; from now on nothing of it is sent."""

    withdrawn = fields.List(fields.Nested(ConsentRecordedSchema), required=True)


class ConsentProofSchema(Schema):
    """References and digests that prove it; never a name, a number or an address."""


for name in sorted(PROOF_FIELDS):
    ConsentProofSchema._declared_fields[name] = Text(128)


class NewConsentEventSchema(Schema):
    """What a customer did at a branch, on the telephone, on paper, before our time."""

    customer_id = PublicId("cus", required=True)
    purpose = Code(required=True)
    channel = one_of(ALL_CHANNELS, required=True)
    action = one_of(REPORTED, required=True)
    mechanism = one_of(WAYS, required=True)
    reference = Reference(required=True)
    partner_id = Whole(0, GREATEST_ID, load_default=0)
    occurred_at = Instant(load_default=None)
    notice_id = PublicId("ntc", load_default=None)
    presentation_id = PublicId("prs", load_default=None)
    separate = Truth(load_default=False)
    whole_channel = Truth(load_default=False)
    guardian = Text(64, load_default=None)
    proof = fields.Nested(ConsentProofSchema, load_default=None)


class NewConsentEventsSchema(Schema):
    """One to a thousand events; a refused one does not stop the others."""

    events = fields.List(
        fields.Nested(NewConsentEventSchema),
        required=True,
        validate=validate.Length(1, MOST_AT_ONCE),
    )


class ConsentOutcomeSchema(Schema):
    """What became of one event; `problem` says why there is no `consent_id`."""

    reference = Reference(required=True)
    consent_id = PublicId("cst", required=True, allow_none=True)
    status = one_of(STATUSES, required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True)
    repeated = Truth(required=True)


class ConsentOutcomesSchema(Schema):
    """One result for each event, in the same order."""

    events = fields.List(fields.Nested(ConsentOutcomeSchema), required=True)


class ConsentStateSchema(Schema):
    """What the customer's will is for one purpose, channel and partner."""

    purpose = Code(required=True)
    channel = one_of(ALL_CHANNELS, required=True)
    partner_id = Whole(0, GREATEST_ID, required=True)
    status = one_of(STATUSES, required=True)
    since = PublicId("cst", required=True)
    granted_at = Instant(required=True, allow_none=True)
    refused_at = Instant(required=True, allow_none=True)
    expires_at = Instant(required=True, allow_none=True)


class ConsentStatesSchema(Schema):
    """All that the customer ever said something about; nothing said means no."""

    customer_id = PublicId("cus", required=True)
    consents = fields.List(fields.Nested(ConsentStateSchema), required=True)


class ConsentReceiptSchema(Schema):
    """A receipt in the fields of ISO/IEC TS 27560:2023."""

    record = fields.Dict(required=True)
    pii_processing = fields.Dict(required=True)
    event = fields.Dict(required=True)
    state = fields.Dict(required=True)


class ConsentReceiptsSchema(Schema):
    """A page of receipts, newest first."""

    items = fields.List(fields.Nested(ConsentReceiptSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PreferenceSchema(Schema):
    """What the customer wishes. `hours` are those at which they may be contacted."""

    weekly_cap = Whole(0, 100, load_default=None, allow_none=True)
    topics_off = fields.List(Code(), load_default=list, validate=validate.Length(0, MOST_TOPICS))
    hours_from = ClockTime(load_default=None, allow_none=True)
    hours_until = ClockTime(load_default=None, allow_none=True)
    personalisation_off = Truth(load_default=False)

    @validates_schema
    def _check(self, wishes: dict[str, Any], **_: Any) -> None:
        if (wishes["hours_from"] is None) != (wishes["hours_until"] is None):
            raise ValidationError("hours", "hours_until")


class PreferencesSchema(Schema):
    """The wishes that hold, and their version; 0 where there are none."""

    version = Whole(0, required=True)
    weekly_cap = Whole(0, 100, required=True, allow_none=True)
    topics_off = fields.List(fields.String(), required=True)
    hours_from = fields.String(required=True, allow_none=True)
    hours_until = fields.String(required=True, allow_none=True)
    personalisation_off = Truth(required=True)


class ConsentWhySchema(Schema):
    """Why somebody reads a customer's file."""

    purpose = one_of(tuple(why.value for why in WhyRead), required=True)


class ConsentFileSchema(Schema):
    """All that is kept of a customer's will, without anything that names the person."""

    customer_id = PublicId("cus", required=True)
    consents = fields.List(fields.Nested(ConsentStateSchema), required=True)
    receipts = fields.List(fields.Nested(ConsentReceiptSchema), required=True)
    preferences = fields.Nested(PreferencesSchema, required=True)


class NewContactPointSchema(Schema):
    """A number or address of the customer, as the bank knows it."""

    kind = one_of(CONTACT_KINDS, required=True)
    value = Text(300, required=True)
    verified_at = Instant(load_default=None)
    ownership_checked_at = Instant(load_default=None)


class ContactPointSchema(Schema):
    """The contact point that was kept."""

    contact_point_id = PublicId("cpt", required=True)


class NewFactSchema(Schema):
    """A fact on what a customer may be offered."""

    customer_id = PublicId("cus", required=True)
    kind = one_of(FACT_KINDS, required=True)
    value = Text(20, required=True)
    reference = Reference(required=True)
    as_of = Instant(load_default=None)


class NewFactsSchema(Schema):
    """One to a thousand facts, all or none."""

    facts = fields.List(
        fields.Nested(NewFactSchema), required=True, validate=validate.Length(1, MOST_AT_ONCE)
    )


class FactsSchema(Schema):
    """How many facts were sent."""

    facts = Whole(0, required=True)


class NewSuppressionSchema(Schema):
    """A stop for one customer. `scope_value` names the channel, purpose or topic."""

    customer_id = PublicId("cus", required=True)
    scope = one_of(tuple(scope for scope in SCOPES if scope != "CONTACT_POINT"), required=True)
    scope_value = Text(60, load_default=None)
    reason = one_of(SUPPRESSION_REASONS, required=True)
    reference = Reference(required=True)
    ends_at = Instant(load_default=None)

    @validates_schema
    def _check(self, new: dict[str, Any], **_: Any) -> None:
        if (new["scope"] == "ALL") != (new["scope_value"] is None):
            raise ValidationError("scope_value", "scope_value")
        if new["ends_at"] is not None and new["ends_at"] <= datetime.now(UTC):
            raise ValidationError("range", "ends_at")


class SuppressionSchema(Schema):
    """The stop that was written."""

    suppression_id = PublicId("sup", required=True)


class NewEndSchema(Schema):
    """Why a stop ends."""

    reason = Code(required=True)


def dump_purpose(purpose: Purpose, notice: Notice | None) -> dict[str, Any]:
    """Return a purpose with its notice as JSON."""
    return {
        "code": purpose.code,
        "name": {"zh": purpose.name_zh, "en": purpose.name_en},
        "is_marketing": purpose.is_marketing,
        "sensitivity": purpose.sensitivity,
        "needs_separate": purpose.needs_separate,
        "by_channel": purpose.by_channel,
        "valid_months": purpose.valid_months,
        "notice": None if notice is None else dump_notice(notice),
    }


def dump_notice(notice: Notice) -> dict[str, Any]:
    """Return a notice as JSON."""
    return {
        "id": ids.encode("ntc", notice.id),
        "version": notice.version,
        "material_version": notice.material_version,
        "body": {"zh": notice.body_zh, "en": notice.body_en},
        "sha256": {"zh": notice.sha256_zh.hex(), "en": notice.sha256_en.hex()},
        "fields": notice.fields,
        "effective_from": dump_instant(notice.effective_from),
    }


def dump_recorded(recorded: Recorded) -> dict[str, Any]:
    """Return what became of an event that was written."""
    assert recorded.seq is not None
    return {"consent_id": ids.encode("cst", recorded.seq), "status": recorded.status}


def dump_outcome(reference: str, recorded: Recorded) -> dict[str, Any]:
    """Return what became of one event of a list."""
    return {
        "reference": reference,
        "consent_id": None if recorded.seq is None else ids.encode("cst", recorded.seq),
        "status": recorded.status,
        "problem": None if recorded.refusal is None else recorded.refusal.code,
        "repeated": recorded.is_repeat,
    }


def dump_preference(wishes: Preference) -> dict[str, Any]:
    """Return wishes as JSON."""
    hours = {
        name: None if at is None else at.isoformat("minutes")
        for name, at in (("hours_from", wishes.hours_from), ("hours_until", wishes.hours_until))
    }
    return {
        "version": wishes.version,
        "weekly_cap": wishes.weekly_cap,
        "topics_off": list(wishes.topics_off),
        "personalisation_off": wishes.personalisation_off,
        **hours,
    }


def dump_state(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state as JSON."""
    instants = {
        name: None if row[name] is None else dump_instant(row[name])
        for name in ("granted_at", "refused_at", "expires_at")
    }
    return {
        "purpose": row["purpose"],
        "channel": row["channel"],
        "partner_id": row["partner_id"],
        "status": row["status"],
        "since": ids.encode("cst", row["since_seq"]),
        **instants,
    }
