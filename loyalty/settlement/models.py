"""Statements of what partners are owed, disputes about their lines, and what was paid."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, Base

SCHEMA = "loyalty"
Instant = DateTime(timezone=True)

DISPUTE_REASONS = ("amount", "not_ours", "twice", "missing_share", "other")
OUTCOMES = ("accepted", "rejected")


class Statement(Base):
    """A period of a partner's log: the lines from `first_position` to `last_position`.

    It holds no lines of its own, for the log never changes. An empty period has
    `last_position` = `first_position` - 1. Amounts are minor units; `borne` is what the partner
    bore itself, which is not owed.
    """

    __tablename__ = "settlement_statements"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("account_id", "number"),
        CheckConstraint("last_position >= first_position - 1", name="last_position"),
        CheckConstraint(
            "closing = opening + redeemed - taken_back + corrected - paid", name="closing"
        ),
        Index(None, "partner_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.partners.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("ledger.wallets.account_id"))
    currency: Mapped[str] = mapped_column(Text)
    number: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime | None] = mapped_column(Instant)
    until: Mapped[datetime] = mapped_column(Instant)
    first_position: Mapped[int] = mapped_column(BigInteger)
    last_position: Mapped[int] = mapped_column(BigInteger)
    opening: Mapped[int] = mapped_column(BigInteger)
    redeemed: Mapped[int] = mapped_column(BigInteger)
    taken_back: Mapped[int] = mapped_column(BigInteger)
    corrected: Mapped[int] = mapped_column(BigInteger)
    paid: Mapped[int] = mapped_column(BigInteger)
    closing: Mapped[int] = mapped_column(BigInteger)
    borne: Mapped[int] = mapped_column(BigInteger)
    closed_at: Mapped[datetime] = mapped_column(Instant, server_default=text("clock_timestamp()"))


class Dispute(Base):
    """A line that a partner does not accept, and what it should be in the partner's view."""

    __tablename__ = "settlement_disputes"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("statement_id", "line"),
        CheckConstraint(
            "reason IN ('amount', 'not_ours', 'twice', 'missing_share', 'other')", name="reason"
        ),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    statement_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.settlement_statements.id"))
    line: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    claimed: Mapped[int] = mapped_column(BigInteger)
    opened_by: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=text("clock_timestamp()"))


class DisputeOutcome(Base):
    """How a dispute ended; `correction` stands as a line in the period in which it ended."""

    __tablename__ = "settlement_outcomes"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("outcome IN ('accepted', 'rejected')", name="outcome"),
        CheckConstraint("(outcome = 'accepted') = (correction <> 0)", name="correction"),
        {"schema": SCHEMA},
    )

    dispute_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.settlement_disputes.id"), primary_key=True
    )
    outcome: Mapped[str] = mapped_column(Text)
    correction: Mapped[int] = mapped_column(BigInteger)
    decided_by: Mapped[str] = mapped_column(Text)
    decided_at: Mapped[datetime] = mapped_column(Instant, server_default=text("clock_timestamp()"))


class Payment(Base):
    """What was paid on a statement: once, after two persons agreed."""

    __tablename__ = "settlement_payments"
    __kind__ = APPEND_ONLY
    __table_args__ = (CheckConstraint("amount > 0", name="amount"), {"schema": SCHEMA})

    statement_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.settlement_statements.id"), primary_key=True
    )
    amount: Mapped[int] = mapped_column(BigInteger)
    entry_id: Mapped[int] = mapped_column(BigInteger)
    released_by: Mapped[str] = mapped_column(Text)
    released_at: Mapped[datetime] = mapped_column(Instant, server_default=text("clock_timestamp()"))
