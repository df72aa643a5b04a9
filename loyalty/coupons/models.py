"""Coupons: series with versions of their terms, coupons, what became of each, and at which till.

A coupon's first columns never change; `coupon_events` say what happened since, and its last
columns (`state`, `seq`, `remaining`, `held_by`, `held_until`) can be rebuilt from them.
"""

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
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base
from loyalty.coupons.rules import STATES

Instant = DateTime(timezone=True)
SCHEMA = "loyalty"
ACTS = ("hold", "release", "redemption", "void", "reversal", "late")
EVENTS = (
    *("held", "released", "redeemed", "restored"),
    *("voided", "expired", "withdrawn", "freed"),
)


def _one_of(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


class CouponSeriesRow(Base):
    """A series of coupons by its code, with the accounts that its budget moves between."""

    __tablename__ = "coupon_series"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (UniqueConstraint("programme_id", "code"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    code: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class CouponTermsRow(Base):
    """A version of a series' terms, in force from an instant on. Nobody changes one."""

    __tablename__ = "coupon_terms"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (CheckConstraint("version > 0", name="version"), {"schema": SCHEMA})

    series_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.coupon_series.id"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    effective_from: Mapped[datetime] = mapped_column(Instant)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    agreed_as: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class CouponHalt(Base):
    """When a series was stopped (nothing more is issued or redeemed) or let go on again."""

    __tablename__ = "coupon_halts"
    __kind__ = APPEND_ONLY
    __data_class__ = "C1"
    __table_args__ = (
        CheckConstraint("kind IN ('halt', 'resume')", name="kind"),
        {"schema": SCHEMA},
    )

    series_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.coupon_series.id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class CouponBatch(Base):
    """Coupons without a customer, made in one go for print; `run_id` shows how far it is."""

    __tablename__ = "coupon_batches"
    __kind__ = APPEND_ONLY
    __data_class__ = "C1"
    __table_args__ = (
        UniqueConstraint("series_id", "reference"),
        CheckConstraint("size > 0", name="size"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.coupon_series.id"))
    version: Mapped[int] = mapped_column(Integer)
    reference: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    made_by: Mapped[str] = mapped_column(Text)
    run_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.runs.id"))
    made_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class CouponExport(Base):
    """A batch's codes were given to its maker: once, marked so that a leaked copy is known."""

    __tablename__ = "coupon_exports"
    __kind__ = APPEND_ONLY
    __data_class__ = "C1"
    __table_args__ = ({"schema": SCHEMA},)

    batch_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.coupon_batches.id"), primary_key=True
    )
    mark: Mapped[str] = mapped_column(Text)
    given_to: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class CouponRow(Base):
    """One coupon. `seq` counts its events; the code is there as a keyed digest and sealed."""

    __tablename__ = "coupons"
    __kind__ = PROJECTION
    __table_args__ = (
        ForeignKeyConstraint(
            ["series_id", "version"],
            [f"{SCHEMA}.coupon_terms.series_id", f"{SCHEMA}.coupon_terms.version"],
        ),
        UniqueConstraint("digest"),
        UniqueConstraint("series_id", "source", "reference"),
        CheckConstraint(f"state IN ({_one_of(STATES)})", name="state"),
        CheckConstraint("remaining >= 0 AND remaining <= worth", name="remaining"),
        CheckConstraint("reserved >= 0 AND reserved <= worth", name="reserved"),
        CheckConstraint("valid_until > valid_from", name="valid_until"),
        CheckConstraint("(state = 'held') = (held_by IS NOT NULL)", name="held_by"),
        CheckConstraint("(state = 'held') = (held_until IS NOT NULL)", name="held_until"),
        Index(None, "customer_id", "id", postgresql_where=text("customer_id IS NOT NULL")),
        Index(None, "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index(None, "valid_until", postgresql_where=text("state IN ('issued', 'held')")),
        Index(
            "ix_coupons_valid_until_used",
            "valid_until",
            postgresql_where=text("state = 'redeemed' AND reserved > 0"),
        ),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": 90}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    series_id: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.customers.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.coupon_batches.id"))
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C2"})
    sealed: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C3"})
    worth: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)
    valid_from: Mapped[datetime] = mapped_column(Instant)
    valid_until: Mapped[datetime] = mapped_column(Instant)
    issued_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    state: Mapped[str] = mapped_column(Text, server_default=text("'issued'"))
    seq: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    remaining: Mapped[int] = mapped_column(BigInteger)
    held_by: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.redemptions.id"))
    held_until: Mapped[datetime | None] = mapped_column(Instant)


class RedemptionRow(Base):
    """What a partner did at a till: held, redeemed, or took back what `follows` names.

    Each act is followed by at most one: a hold by its release or redemption, a redemption by its
    void or reversal. `late` is a second use of a coupon that was checked without a network.
    """

    __tablename__ = "redemptions"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["outlet_id", "partner_id"],
            [f"{SCHEMA}.outlets.id", f"{SCHEMA}.outlets.partner_id"],
        ),
        UniqueConstraint("partner_id", "kind", "reference"),
        UniqueConstraint("follows"),
        CheckConstraint(f"kind IN ({_one_of(ACTS)})", name="kind"),
        CheckConstraint("discount >= 0 AND discount <= basket", name="discount"),
        CheckConstraint("ours >= 0 AND ours <= worth", name="ours"),
        Index(None, "outlet_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey(f"{SCHEMA}.programmes.id"))
    partner_id: Mapped[int] = mapped_column(BigInteger)
    outlet_id: Mapped[int] = mapped_column(BigInteger)
    client: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    follows: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.redemptions.id"))
    basket: Mapped[int] = mapped_column(BigInteger)
    discount: Mapped[int] = mapped_column(BigInteger)
    worth: Mapped[int] = mapped_column(BigInteger)
    ours: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(Text)
    lapses_at: Mapped[datetime | None] = mapped_column(Instant)
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class CouponEvent(Base):
    """What happened to a coupon after it was issued; `seq` is dense, so each step is one."""

    __tablename__ = "coupon_events"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint(f"kind IN ({_one_of(EVENTS)})", name="kind"),
        CheckConstraint("seq > 0", name="seq"),
        CheckConstraint("ours <= worth", name="ours"),
        Index(None, "redemption_id", "coupon_id"),
        {"schema": SCHEMA},
    )

    coupon_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.coupons.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    redemption_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.redemptions.id"))
    discount: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    worth: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    ours: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    remaining: Mapped[int] = mapped_column(BigInteger)
    use_day: Mapped[date | None] = mapped_column(Date)
    reason: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())


class CouponCounter(Base):
    """How many of a series were issued or used, at all, in a day or by a person: lock and check."""

    __tablename__ = "coupon_counters"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("counted IN ('issued', 'used')", name="counted"),
        CheckConstraint("used >= 0", name="used"),
        CheckConstraint("used <= quota", name="quota"),
        {"schema": SCHEMA},
    )

    series_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.coupon_series.id"), primary_key=True
    )
    counted: Mapped[str] = mapped_column(Text, primary_key=True)
    whose: Mapped[str] = mapped_column(Text, primary_key=True)
    period: Mapped[str] = mapped_column(Text, primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    quota: Mapped[int] = mapped_column(BigInteger)


class CouponGuess(Base):
    """How many codes that do not exist a partner asked about in a minute."""

    __tablename__ = "coupon_guesses"
    __kind__ = PROJECTION
    __table_args__ = ({"schema": SCHEMA},)

    minute: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    partner_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    guesses: Mapped[int] = mapped_column(Integer)
