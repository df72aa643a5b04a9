"""Purchases, what they earned and why, and the rules that said so."""

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
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

Instant = DateTime(timezone=True)
SCHEMA = "loyalty"


class EarningRuleRow(Base):
    """A version of an earning rule; it never changes, and counts once a second person agreed."""

    __tablename__ = "earning_rules"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("programme_id", "code", "version"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("effective_until > effective_from", name="effective"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.programmes.id"))
    code: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)
    effective_from: Mapped[datetime] = mapped_column(Instant)
    effective_until: Mapped[datetime | None] = mapped_column(Instant)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    terms: Mapped[bytes] = mapped_column(LargeBinary)
    proposed_by: Mapped[str] = mapped_column(Text)
    proposed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class EarningRuleDecision(Base):
    """The second person's word on a version of a rule, bound to the digest of what they read."""

    __tablename__ = "earning_rule_decisions"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("verdict IN ('approved', 'rejected')", name="verdict"),
        CheckConstraint("decided_by <> proposed_by", name="two_people"),
        {"schema": SCHEMA},
    )

    rule_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.earning_rules.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    verdict: Mapped[str] = mapped_column(Text)
    comment: Mapped[str | None] = mapped_column(Text)
    proposed_by: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class PurchaseRow(Base):
    """A purchase as its source reported it. Money in minor units."""

    __tablename__ = "purchases"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("programme_id", "source", "reference"),
        CheckConstraint("amount >= 0", name="amount"),
        Index(None, "customer_id", "purchased_at"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    purchased_at: Mapped[datetime] = mapped_column(Instant)
    amount: Mapped[int] = mapped_column(BigInteger)
    category: Mapped[str | None] = mapped_column(Text)
    outlet: Mapped[str | None] = mapped_column(Text)
    channel: Mapped[str | None] = mapped_column(Text)
    lines: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class AwardRow(Base):
    """What a purchase earned and why, or why not: inputs and arithmetic, enough to run it again."""

    __tablename__ = "awards"
    __kind__ = APPEND_ONLY
    __table_args__ = ({"schema": SCHEMA},)

    purchase_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.purchases.id"), primary_key=True)
    points: Mapped[int] = mapped_column(BigInteger)
    status_points: Mapped[int] = mapped_column(BigInteger)
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    results: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)


class RefundRow(Base):
    """Money given back for a purchase, whole or in part, and what that did to its points."""

    __tablename__ = "refunds"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("programme_id", "source", "reference"),
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "purchase_id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    purchase_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.purchases.id"))
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    refunded_at: Mapped[datetime] = mapped_column(Instant)
    results: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class RuleUsage(Base):
    """What a rule has given a customer in a period, for caps; guarded by the wallet's lock."""

    __tablename__ = "rule_usage"
    __kind__ = PROJECTION
    __table_args__ = (CheckConstraint("points >= 0", name="points"), {"schema": SCHEMA})

    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"), primary_key=True)
    programme_id: Mapped[int] = mapped_column(
        SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"), primary_key=True
    )
    rule: Mapped[str] = mapped_column(Text, primary_key=True)
    period: Mapped[str] = mapped_column(Text, primary_key=True)
    points: Mapped[int] = mapped_column(BigInteger)
