"""Benefits: what each tier allows, what was granted beside it, and each time it was used."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

Instant = DateTime(timezone=True)
SCHEMA = "loyalty"


class BenefitRow(Base):
    """A benefit by its code. What it allows stands in its terms."""

    __tablename__ = "benefits"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (
        UniqueConstraint("programme_id", "code"),
        CheckConstraint("kind IN ('service', 'lane', 'event', 'goods')", name="kind"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    code: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)


class BenefitTermsRow(Base):
    """What a benefit allows by tier, from an instant on.

    `tiers` maps a tier's code to {"quota": uses a period or null for any, "guests": a use}.
    """

    __tablename__ = "benefit_terms"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (
        CheckConstraint("period IN ('month', 'quarter', 'year', 'ever')", name="period"),
        CheckConstraint("promise_minutes > 0", name="promise_minutes"),
        {"schema": SCHEMA},
    )

    benefit_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.benefits.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    effective_from: Mapped[datetime] = mapped_column(Instant)
    period: Mapped[str] = mapped_column(Text)
    tiers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    promise_minutes: Mapped[int | None] = mapped_column(Integer)


class EntitlementRow(Base):
    """Uses granted to one customer beside their tier's, between two instants."""

    __tablename__ = "entitlements"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("customer_id", "benefit_id", "source", "reference"),
        CheckConstraint("quota > 0", name="quota"),
        CheckConstraint("ends_at > starts_at", name="ends_at"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    benefit_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.benefits.id"))
    quota: Mapped[int] = mapped_column(BigInteger)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)


class BenefitUse(Base):
    """A use of a benefit, or (`reverses`) the undoing of one."""

    __tablename__ = "benefit_uses"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("customer_id", "benefit_id", "source", "reference"),
        CheckConstraint("guests >= 0", name="guests"),
        Index(None, "reverses", unique=True, postgresql_where=text("reverses IS NOT NULL")),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    benefit_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.benefits.id"))
    period: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    units: Mapped[int] = mapped_column(BigInteger)
    guests: Mapped[int] = mapped_column(Integer)
    tier: Mapped[str] = mapped_column(Text)
    terms_version: Mapped[int] = mapped_column(Integer)
    reverses: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.benefit_uses.id"))
    used_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class BenefitCounter(Base):
    """How much of a benefit a customer has used in a period: the lock and the check."""

    __tablename__ = "benefit_counters"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("used >= 0", name="used"),
        CheckConstraint("used <= quota", name="quota"),
        {"schema": SCHEMA},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    benefit_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.benefits.id"), primary_key=True)
    period: Mapped[str] = mapped_column(Text, primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    quota: Mapped[int | None] = mapped_column(BigInteger)
