"""Rewards: what points buy, under which terms, how many there are, and who claimed one."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
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


class RewardRow(Base):
    """Something of the catalogue by its code. What it costs stands in its terms."""

    __tablename__ = "rewards"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (UniqueConstraint("programme_id", "code"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    code: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class RewardTermsRow(Base):
    """A version of a reward: names, prices by tier, window and what is given for it."""

    __tablename__ = "reward_terms"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (CheckConstraint("version > 0", name="version"), {"schema": SCHEMA})

    reward_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.rewards.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    effective_from: Mapped[datetime] = mapped_column(Instant)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    agreed_as: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class RewardStock(Base):
    """How many of a reward there are and how many are claimed: the lock and the check."""

    __tablename__ = "reward_stocks"
    __kind__ = PROJECTION
    __data_class__ = "C0"
    __table_args__ = (
        CheckConstraint("claimed >= 0", name="claimed"),
        CheckConstraint("claimed <= stock", name="stock"),
        {"schema": SCHEMA},
    )

    reward_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.rewards.id"), primary_key=True)
    stock: Mapped[int] = mapped_column(BigInteger)
    claimed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class RewardClaimRow(Base):
    """A claim: what it cost, from which place of the customer's log, and what was given."""

    __tablename__ = "reward_claims"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("customer_id", "source", "reference"),
        ForeignKeyConstraint(
            ["reward_id", "version"],
            [f"{SCHEMA}.reward_terms.reward_id", f"{SCHEMA}.reward_terms.version"],
        ),
        UniqueConstraint("coupon_id"),
        CheckConstraint("points >= 0", name="points"),
        CheckConstraint("cash >= 0", name="cash"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    reward_id: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    tier: Mapped[str] = mapped_column(Text)
    points: Mapped[int] = mapped_column(BigInteger)
    cash: Mapped[int] = mapped_column(BigInteger)
    points_line: Mapped[int | None] = mapped_column(BigInteger)
    coupon_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.coupons.id"))
    claimed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class RewardOutcome(Base):
    """How a claim ended: delivered or cancelled, never both."""

    __tablename__ = "reward_outcomes"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("kind IN ('delivered', 'cancelled')", name="kind"),
        {"schema": SCHEMA},
    )

    claim_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.reward_claims.id"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class RewardCounter(Base):
    """How many of a reward a person has claimed: the lock and the check."""

    __tablename__ = "reward_counters"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("used >= 0", name="used"),
        CheckConstraint("used <= quota", name="quota"),
        {"schema": SCHEMA},
    )

    reward_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.rewards.id"), primary_key=True)
    whose: Mapped[str] = mapped_column(Text, primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    quota: Mapped[int] = mapped_column(BigInteger)
