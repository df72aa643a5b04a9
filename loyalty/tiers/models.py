"""Ladders, the tier each customer is in, every change of it, and applications for assignments."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

SCHEMA = "loyalty"
Instant = DateTime(timezone=True)
NOW = text("clock_timestamp()")
MEMBERSHIP = [f"{SCHEMA}.memberships.customer_id", f"{SCHEMA}.memberships.programme_id"]
LADDER = [f"{SCHEMA}.tier_ladders.programme_id", f"{SCHEMA}.tier_ladders.version"]

REASONS = (
    "upgraded",
    "earned-tier-rose",
    "renewed",
    "renewal-lost",
    "grace-started",
    "grace-ended-kept",
    "downgraded",
    "earned-tier-fell",
    "assigned",
    "assignment-ended",
)
CAUSES = ("purchase", "refund", "review", "application")
_LISTED = ", ".join(f"'{reason}'" for reason in REASONS)


class LadderRow(Base):
    """One version of a programme's tiers and of the terms on which they are earned and kept."""

    __tablename__ = "tier_ladders"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("window_kind IN ('rolling', 'calendar', 'anniversary')", name="window"),
        CheckConstraint(
            "window_months > 0 AND (window_kind = 'rolling' OR window_months = 12)", name="months"
        ),
        CheckConstraint("grace_days >= 0", name="grace_days"),
        CheckConstraint("downgrade IN ('one', 'basic')", name="downgrade"),
        {"schema": SCHEMA},
    )

    programme_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.programmes.id"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    effective_from: Mapped[datetime] = mapped_column(Instant)
    window_kind: Mapped[str] = mapped_column(Text)
    window_months: Mapped[int] = mapped_column(SmallInteger)
    grace_days: Mapped[int] = mapped_column(SmallInteger)
    downgrade: Mapped[str] = mapped_column(Text)
    tiers: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class TierState(Base):
    """The tier that a customer is in: what the last row of `tier_changes` left.

    No row means the basic tier, never left. Written under the lock of the status wallet.
    """

    __tablename__ = "tier_states"
    __kind__ = PROJECTION
    __table_args__ = (
        ForeignKeyConstraint(["customer_id", "programme_id"], MEMBERSHIP),
        ForeignKeyConstraint(["programme_id", "ladder_version"], LADDER),
        CheckConstraint("source IN ('earned', 'assigned')", name="source"),
        CheckConstraint("(assigned IS NULL) = (assigned_until IS NULL)", name="assignment"),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    programme_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    tier: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(Instant)
    source: Mapped[str] = mapped_column(Text)
    earned: Mapped[str] = mapped_column(Text)
    valid_until: Mapped[datetime | None] = mapped_column(Instant)
    met: Mapped[int | None] = mapped_column(BigInteger)
    grace_until: Mapped[datetime | None] = mapped_column(Instant)
    assigned: Mapped[str | None] = mapped_column(Text)
    assigned_until: Mapped[datetime | None] = mapped_column(Instant)
    ladder_version: Mapped[int] = mapped_column(Integer)
    change_id: Mapped[int] = mapped_column(BigInteger)


class TierChange(Base):
    """One change, with all that the decision depended on.

    `score` is what the status wallet held unlapsed at `at`, when its log was at `position`.
    `cause` names its kind and the `purchases` that moved the score, the `application` that was
    approved, or the `run` of the review that found what had lapsed.
    """

    __tablename__ = "tier_changes"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(["customer_id", "programme_id"], MEMBERSHIP),
        ForeignKeyConstraint(["programme_id", "ladder_version"], LADDER),
        CheckConstraint(f"reason IN ({_LISTED})", name="reason"),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger)
    from_tier: Mapped[str] = mapped_column(Text)
    to_tier: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    score: Mapped[int] = mapped_column(BigInteger)
    threshold: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    ladder_version: Mapped[int] = mapped_column(Integer)
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    cause: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class TierApplication(Base):
    """A branch asks that a customer be in a tier until a day; head office decides.

    `digest` covers the content; `before_change` is the customer's last tier change as the
    applicant saw it. The reason is sealed, because it tells of a person.
    """

    __tablename__ = "tier_applications"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(["customer_id", "programme_id"], MEMBERSHIP),
        ForeignKeyConstraint(["programme_id", "ladder_version"], LADDER),
        # What a decision is bound to.
        UniqueConstraint("id", "applied_by", "digest", "expires_at"),
        CheckConstraint("expires_at > applied_at", name="expires_at"),
        Index(None, "applied_by", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigInteger)
    programme_id: Mapped[int] = mapped_column(SmallInteger)
    tier: Mapped[str] = mapped_column(Text)
    ends_on: Mapped[date] = mapped_column(Date)
    reason: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C2"})
    ladder_version: Mapped[int] = mapped_column(Integer)
    before_change: Mapped[int] = mapped_column(BigInteger)
    applied_by: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"))
    applied_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class TierDecision(Base):
    """What head office decided: once, in time, on this very content, and never the applicant."""

    __tablename__ = "tier_decisions"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["application_id", "applied_by", "digest", "expires_at"],
            [
                f"{SCHEMA}.tier_applications.{column}"
                for column in ("id", "applied_by", "digest", "expires_at")
            ],
        ),
        CheckConstraint("decided_by <> applied_by", name="second_person"),
        CheckConstraint("decided_at < expires_at", name="in_time"),
        CheckConstraint("decision IN ('approved', 'rejected')", name="decision"),
        {"schema": SCHEMA},
    )

    application_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    applied_by: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    decision: Mapped[str] = mapped_column(Text)
    comment: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C2"})
    decided_by: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"))
    decided_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
