"""Purchases, what they earned and why, and the rules that said so."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
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


class ConfirmationRow(Base):
    """An event that points may wait for, as its source reported it.

    Without a purchase it is about the customer, and known of them from then on.
    """

    __tablename__ = "confirmations"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("programme_id", "source", "reference"),
        Index(None, "customer_id", postgresql_where=text("purchase_id IS NULL")),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    event: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    purchase_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.purchases.id"))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class WaitingPoints(Base):
    """A line of a wallet whose points wait for an event; `expires_at` counts once it came.

    Whether they still wait, the line's lot says: it is neither empty, nor lapsed, nor usable.
    """

    __tablename__ = "waiting_points"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("about IN ('purchase', 'customer')", name="about"),
        Index(None, "purchase_id"),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    purchase_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.purchases.id"))
    event: Mapped[str] = mapped_column(Text)
    about: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class ConfirmedPoints(Base):
    """Points that waited, and the line at which a confirmation made them usable: once."""

    __tablename__ = "confirmed_points"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "position"],
            [f"{SCHEMA}.waiting_points.account_id", f"{SCHEMA}.waiting_points.position"],
        ),
        CheckConstraint("points > 0", name="points"),
        UniqueConstraint("account_id", "new_position"),
        Index(None, "confirmation_id"),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    confirmation_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.confirmations.id"))
    new_position: Mapped[int] = mapped_column(BigInteger)
    points: Mapped[int] = mapped_column(BigInteger)


class ImportRow(Base):
    """A file of purchases on its way in: how to read it, what was found, how far it is applied.

    `total` and `amount` are rows and minor units of the file; `known`, `unknown` and `changed` what
    its staging foresaw; `recorded`, `replayed` and `refused` what became of the rows applied.
    """

    __tablename__ = "imports"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("sound + faulty = total", name="total"),
        CheckConstraint("recorded + replayed + refused <= sound", name="applied"),
        UniqueConstraint("run_id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    source: Mapped[str] = mapped_column(Text)
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB)
    register_unknown: Mapped[bool] = mapped_column(Boolean)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    staged_at: Mapped[datetime | None] = mapped_column(Instant)
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    sound: Mapped[int] = mapped_column(BigInteger, server_default="0")
    faulty: Mapped[int] = mapped_column(BigInteger, server_default="0")
    amount: Mapped[int] = mapped_column(Numeric(40, 0), server_default="0")
    known: Mapped[int] = mapped_column(BigInteger, server_default="0")
    changed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    unknown: Mapped[int] = mapped_column(BigInteger, server_default="0")
    run_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.runs.id"))
    position: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    recorded: Mapped[int] = mapped_column(BigInteger, server_default="0")
    replayed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    refused: Mapped[int] = mapped_column(BigInteger, server_default="0")
    points: Mapped[int] = mapped_column(Numeric(40, 0), server_default="0")


class ImportedRow(Base):
    """A sound row of a file, as read. `content` is the digest of all that it says.

    The key is the order in which rows are applied: customer by customer, oldest purchase first,
    and rows that say the same one after the other.
    """

    __tablename__ = "import_rows"
    __kind__ = PROJECTION
    __table_args__ = ({"schema": SCHEMA},)

    import_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.imports.id"), primary_key=True)
    customer: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    purchased_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    row_no: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    reference: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    category: Mapped[str | None] = mapped_column(Text)
    outlet: Mapped[str | None] = mapped_column(Text)
    channel: Mapped[str | None] = mapped_column(Text)


class ImportFault(Base):
    """Why a row of a file was not recorded: found when reading it, or when applying it.

    The refused value itself is not kept: nobody knows what stood there.
    """

    __tablename__ = "import_faults"
    __kind__ = PROJECTION
    __table_args__ = ({"schema": SCHEMA},)

    import_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.imports.id"), primary_key=True)
    row_no: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    column_name: Mapped[str] = mapped_column(Text, primary_key=True)
    code: Mapped[str] = mapped_column(Text)
