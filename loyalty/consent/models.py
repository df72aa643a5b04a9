"""Four things, four tables: the customer's will, stops, wishes, and what they are fit for.

Keys are led by the customer. Events are the truth; states and the row per subject follow from
them. Nothing here says who a person is but the sealed value and the digest of a contact point,
which go when the customer is erased.
"""

from datetime import datetime, time
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base
from loyalty.consent.rules import (
    ACTIONS,
    AGE_BANDS,
    CAPACITIES,
    CHANNELS,
    CONTACT_KINDS,
    FACT_KINDS,
    MECHANISMS,
    NO_CHANNEL,
    SCOPES,
    STATUSES,
    SUPPRESSION_REASONS,
)

Instant = DateTime(timezone=True)
SCHEMA = "loyalty"
PERSONAL = {"data_class": "C2"}
NOBODY = text("0")
"""A partner's number where a consent is not about one: part of keys, so it cannot be null."""


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Return the check that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class PurposeRow(Base):
    """What personal data is used for, and what it takes: nothing of it ever changes.

    `needs_separate`: agreed to by itself, never along with something else. `valid_months`: how
    long an agreement stands without a sign of life.
    """

    __tablename__ = "consent_purposes"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (
        UniqueConstraint("code"),
        one_of("sensitivity", ("ordinary", "sensitive")),
        CheckConstraint("valid_months > 0", name="valid_months"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    is_marketing: Mapped[bool]
    sensitivity: Mapped[str] = mapped_column(Text)
    needs_separate: Mapped[bool]
    by_channel: Mapped[bool]
    valid_months: Mapped[int] = mapped_column(SmallInteger)
    controller_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.organisation_units.id"))


class NoticeRow(Base):
    """What a customer is told before they decide. A fix is another version.

    `material_version` rises where purpose, way or kind of data changed: then consent is asked
    anew. `fields` are the parts that the law wants, by language.
    """

    __tablename__ = "consent_notices"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (
        UniqueConstraint("purpose_id", "version"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("material_version > 0", name="material_version"),
        CheckConstraint("sha256_zh = sha256(convert_to(body_zh, 'UTF8'))", name="sha256_zh"),
        CheckConstraint("sha256_en = sha256(convert_to(body_en, 'UTF8'))", name="sha256_en"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    purpose_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.consent_purposes.id"))
    version: Mapped[int] = mapped_column(Integer)
    material_version: Mapped[int] = mapped_column(Integer)
    body_zh: Mapped[str] = mapped_column(Text)
    body_en: Mapped[str] = mapped_column(Text)
    sha256_zh: Mapped[bytes] = mapped_column(LargeBinary)
    sha256_en: Mapped[bytes] = mapped_column(LargeBinary)
    fields: Mapped[dict[str, Any]] = mapped_column(JSONB)
    approved_by: Mapped[str] = mapped_column(Text)
    effective_from: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class PresentationRow(Base):
    """A notice as one customer saw it: where, when, in which language, with nothing ticked.

    `prompted`: we asked; otherwise the customer came by themselves.
    """

    __tablename__ = "consent_presentations"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("default_checked = false", name="never_ticked_before"),
        one_of("lang", ("zh", "en")),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.consent_notices.id"))
    channel: Mapped[str] = mapped_column(Text)
    lang: Mapped[str] = mapped_column(Text)
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    surface: Mapped[str] = mapped_column(Text)
    form_version: Mapped[str] = mapped_column(Text)
    prompted: Mapped[bool]
    default_checked: Mapped[bool]
    screenshot_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    shown_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class SubjectRow(Base):
    """One customer as a subject of consent: the lock, and what tells that anything changed.

    `newest_seq` is the last consent event; `revision` rises with every event, stop, wish, fact
    or contact point of this customer.
    """

    __tablename__ = "consent_subjects"
    __kind__ = PROJECTION
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy reads it so

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    newest_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class ConsentEventRow(Base):
    """One expression of a customer's will, or its end. It names no person.

    `separate`: given by itself. `whole_channel`: said of everything that comes this way.
    `proof` holds references and digests.
    """

    __tablename__ = "consent_events"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint(
            "customer_id",
            "source",
            "reference",
            "purpose_id",
            "channel",
            "partner_id",
            name="uq_consent_events_reference",
        ),
        ForeignKeyConstraint(
            ["customer_id", "presentation_id"],
            [
                f"{SCHEMA}.consent_presentations.customer_id",
                f"{SCHEMA}.consent_presentations.id",
            ],
            name="fk_consent_events_presentation_id",
        ),
        one_of("action", ACTIONS),
        one_of("channel", (*CHANNELS, NO_CHANNEL)),
        one_of("mechanism", MECHANISMS),
        CheckConstraint("partner_id >= 0", name="partner_id"),
        CheckConstraint(
            "action NOT IN ('GRANT', 'IMPORT') OR (notice_id IS NOT NULL AND proof IS NOT NULL)",
            name="proved",
        ),
        Index(None, "seq"),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    purpose_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.consent_purposes.id"))
    channel: Mapped[str] = mapped_column(Text)
    partner_id: Mapped[int] = mapped_column(BigInteger, server_default=NOBODY)
    action: Mapped[str] = mapped_column(Text)
    separate: Mapped[bool]
    whole_channel: Mapped[bool]
    notice_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.consent_notices.id"))
    presentation_id: Mapped[int | None] = mapped_column(BigInteger)
    mechanism: Mapped[str] = mapped_column(Text)
    guardian: Mapped[str | None] = mapped_column(Text)
    proof: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class ConsentStateRow(Base):
    """What a customer's events come to, by purpose, channel and partner. No row means no.

    `since_seq` is the event that made it so. The second index serves whole audiences.
    """

    __tablename__ = "consent_states"
    __kind__ = PROJECTION
    __table_args__ = (
        one_of("status", STATUSES),
        Index("ix_consent_states_audience", "purpose_id", "channel", "partner_id", "customer_id"),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True, autoincrement=False
    )
    purpose_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.consent_purposes.id"), primary_key=True, autoincrement=False
    )
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    partner_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(Text)
    since_seq: Mapped[int] = mapped_column(BigInteger)
    notice_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.consent_notices.id"))
    separate: Mapped[bool]
    whole_channel: Mapped[bool]
    guardian: Mapped[bool]
    mechanism: Mapped[str] = mapped_column(Text)
    granted_at: Mapped[datetime | None] = mapped_column(Instant)
    refused_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)


class SuppressionRow(Base):
    """Do not contact: not a question of consent. By customer, by contact, or both."""

    __tablename__ = "suppressions"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        one_of("scope", SCOPES),
        one_of("reason", SUPPRESSION_REASONS),
        CheckConstraint("num_nonnulls(customer_id, contact_digest) > 0", name="whom"),
        CheckConstraint(
            "(scope IN ('ALL', 'CONTACT_POINT')) = (scope_value IS NULL)", name="scope_value"
        ),
        CheckConstraint("ends_at > starts_at", name="ends_at"),
        Index(None, "customer_id", postgresql_where=text("customer_id IS NOT NULL")),
        Index(None, "contact_digest", postgresql_where=text("contact_digest IS NOT NULL")),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    contact_digest: Mapped[bytes | None] = mapped_column(LargeBinary, info=PERSONAL)
    scope: Mapped[str] = mapped_column(Text)
    scope_value: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class SuppressionEndRow(Base):
    """A suppression ended before its time, once."""

    __tablename__ = "suppression_ends"
    __kind__ = APPEND_ONLY
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy reads it so

    suppression_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.suppressions.id"), primary_key=True, autoincrement=False
    )
    reason: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class PreferenceRow(Base):
    """All wishes of a customer as of a version; the newest counts. A wish only ever narrows."""

    __tablename__ = "contact_preferences"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("weekly_cap >= 0", name="weekly_cap"),
        CheckConstraint("(hours_from IS NULL) = (hours_until IS NULL)", name="hours"),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    weekly_cap: Mapped[int | None] = mapped_column(SmallInteger)
    topics_off: Mapped[list[str]] = mapped_column(ARRAY(Text))
    hours_from: Mapped[time | None] = mapped_column(Time)
    hours_until: Mapped[time | None] = mapped_column(Time)
    personalisation_off: Mapped[bool]
    actor_id: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class ContactPointRow(Base):
    """A number or address of a customer: sealed, found by digest, and emptied by erasure."""

    __tablename__ = "contact_points"
    __kind__ = PROJECTION
    __table_args__ = (
        one_of("kind", CONTACT_KINDS),
        CheckConstraint("num_nonnulls(value, digest) IN (0, 2)", name="whole"),
        Index(None, "customer_id", "kind"),
        Index(None, "digest", postgresql_where=text("digest IS NOT NULL")),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    kind: Mapped[str] = mapped_column(Text)
    value: Mapped[bytes | None] = mapped_column(LargeBinary, info=PERSONAL)
    digest: Mapped[bytes | None] = mapped_column(LargeBinary, info=PERSONAL)
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    ownership_checked_at: Mapped[datetime | None] = mapped_column(Instant)
    dead_reason: Mapped[str | None] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class EligibilityFactRow(Base):
    """One thing that the bank told us of what a customer may be offered; the newest counts."""

    __tablename__ = "eligibility_facts"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("customer_id", "source", "reference", "kind"),
        one_of("kind", FACT_KINDS),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    value: Mapped[str] = mapped_column(Text, info=PERSONAL)
    as_of: Mapped[datetime] = mapped_column(Instant)
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class EligibilityRow(Base):
    """What the facts come to: one row for whom there are any. What is unknown is null."""

    __tablename__ = "eligibility"
    __kind__ = PROJECTION
    __data_class__ = "C2"
    __table_args__ = (
        one_of("age_band", AGE_BANDS),
        one_of("capacity", CAPACITIES),
        CheckConstraint("risk_grade BETWEEN 1 AND 5", name="risk_grade"),
        CheckConstraint("open_complaints >= 0", name="open_complaints"),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    risk_grade: Mapped[int | None] = mapped_column(SmallInteger)
    risk_assessed_at: Mapped[datetime | None] = mapped_column(Instant)
    age_band: Mapped[str | None] = mapped_column(Text)
    capacity: Mapped[str | None] = mapped_column(Text)
    open_complaints: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    restricted: Mapped[bool] = mapped_column(server_default=text("false"))
    deceased: Mapped[bool] = mapped_column(server_default=text("false"))
    distress: Mapped[bool] = mapped_column(server_default=text("false"))
