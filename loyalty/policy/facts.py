"""What rules look at: small mappings that the caller fills in. What is known to be absent is None.

A section or a name that a rule needs and that is not there at all is a question that nobody
answered: the rule then counts as firing, because what cannot be checked is not sent.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, TypedDict
from zoneinfo import ZoneInfo


class Gate(TypedDict, total=False):
    """The gate itself: can it answer, and may it send now."""

    is_up: bool
    blackout: bool
    optout_checked_at: datetime | None
    optout_ok: bool


class Message(TypedDict, total=False):
    """What is to be sent. `kind` is MARKETING, SERVICE, CONSENT_PROMPT or TEST."""

    kind: str
    purpose: str
    channel: str
    template_registered: bool
    signature: str
    registered_name: str
    contact_line: str
    has_optout: bool
    optout_get_acts: bool
    ad_label: bool
    port_kind: str
    link_hosts: Sequence[str]
    own_hosts: Sequence[str]
    placement: str
    popup_close_ms: int | None
    popup_close_visible: bool
    automated: bool
    off_switch: bool


class Recipient(TypedDict, total=False):
    """One customer at one moment, as `consent.Snapshot` has it; `sent` in the last seven days.

    `contact_dead`: there is no address that works, or none at all.
    """

    status: str | None
    mechanism: str
    granted_at: datetime | None
    refused_at: datetime | None
    proved: bool
    notice_version: int
    required_version: int
    guardian: bool
    channel_refused: bool
    separately: frozenset[tuple[str, int]]
    suppressions: Sequence[tuple[str, str]]
    contact_needed: bool
    contact_verified_at: datetime | None
    contact_checked_at: datetime | None
    contact_dead: bool
    prompts_since_refusal: int
    last_withdrawal_at: datetime | None
    age_band: str | None
    capacity: str | None
    risk_grade: int | None
    assessed_at: datetime | None
    open_complaints: int
    restricted: bool
    deceased: bool
    distress: bool
    personalisation_off: bool
    hours: tuple[time, time] | None
    topics_off: frozenset[str]
    weekly_cap: int | None
    sent: Sequence[datetime]
    zone: ZoneInfo


class Request(TypedDict, total=False):
    """What was asked for: when, until when it is any use, and whether it could be put together.

    `quiet` and `caps` (a day, a week) are its own, and only narrow what the rules say.
    """

    asked_at: datetime
    expires_at: datetime
    is_composed: bool
    topics: Sequence[str]
    quiet: tuple[time, time] | None
    caps: Mapping[str, int | None]


class Permit(TypedDict, total=False):
    """The permit at hand-over to the gateway."""

    issued_at: datetime


class Content(TypedDict, total=False):
    """Every text of a message, and what is in it beside words."""

    subject: str
    texts: Sequence[str]
    kind: str
    blocks: frozenset[str]
    risk_prominent: bool
    facts: Mapping[str, Any]
    has_discount: bool
    claims: Sequence[Mapping[str, Any]]
    gifts: Sequence[Mapping[str, Any]]
    was_price: int | None
    lowest_deal_7d: int | None
    portraits: Sequence[Mapping[str, Any]]
    made_by_ai: bool
    ai_label: bool
    kinds_on_page: Sequence[str]
    zoned: bool
    shared_by_staff: bool
    is_approved: bool
    staff_licensed: bool


class Product(TypedDict, total=False):
    """The product that a message is about, from the version of its facts that is in force."""

    kind: str
    facts: Mapping[str, Any]
    risk_grade: int
    has_return: bool
    needs_assessment: bool
    is_private: bool


class Offer(TypedDict, total=False):
    """What is offered."""

    addon_ticked: bool
    partner_id: int | None
    partner_gets_personal_data: bool
    partner_listed: bool
    partner_roles: Sequence[str]
    terms_depend_on: Sequence[str]
    published_terms: Sequence[str]
    earn_rule: Mapping[str, Any] | None
    tier_on_deposits: bool
    gift_on_tier: bool
    legal_opinion: str | None
    voucher_terms: bool | None
    rules_hash: str | None
    published_hash: str | None
    terms_change: Mapping[str, Any] | None
    membership: Mapping[str, Any] | None


class Draw(TypedDict, total=False):
    """A prize draw."""

    prizes: Sequence[int]
    notice: Mapping[str, str]
    started_at: datetime | None
    edited: bool
    edit_favours_customer: bool
    seed_commitment: str | None
    staff_excluded: bool
    retention_months: int


class Campaign(TypedDict, total=False):
    """A campaign, its audience and its approvals."""

    significant_decision: bool
    explanation_route: bool
    impact_assessment: str | None
    impact_until: datetime | None
    consumer_review: str | None
    product_kinds_licensed: Sequence[str]
    archive_ok: bool
    maker: str
    approvers: Sequence[str]
    hashes_match: bool
    approved_from: datetime | None
    approved_until: datetime | None
    pack_matches: bool
    preview_at: datetime | None
    preview_matches: bool
    fields: Sequence[Mapping[str, Any]]
    open_audience: bool


class Vendor(TypedDict, total=False):
    """The provider behind a channel."""

    contract_until: datetime | None
    purposes: Sequence[str]
    region: str
    lawful_route: bool


class Form(TypedDict, total=False):
    """A form that asks for consent, or an event that came of one."""

    default_checked: bool
    bundled_purposes: int
    required_for_service: bool
    is_marketing: bool
    reads_consent: bool
    notice_fields: Mapping[str, str]
    wanted_fields: Sequence[str]
    source: str
    proof_complete: bool
    receipt_issued: bool
    assessments_1d: int
    assessments_12m: int


class Facts(TypedDict, total=False):
    """All that a stage knows. A stage that has no such thing says None."""

    now: datetime
    gate: Gate
    message: Message
    recipient: Recipient | None
    request: Request
    permit: Permit | None
    content: Content | None
    product: Product | None
    offer: Offer | None
    draw: Draw | None
    campaign: Campaign | None
    vendor: Vendor | None
    form: Form | None
