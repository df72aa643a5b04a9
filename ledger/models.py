"""The tables of the ledger.

Every key is led by the account whose log a row belongs to. What is append-only is sealed; the
projections (`wallets`, the mutable columns of `lots` and `holds`, `lot_totals`, `totals`) can be
rebuilt from it.
"""

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
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, CONFIGURATION, PROJECTION, Base

SCHEMA = "ledger"
Instant = DateTime(timezone=True)


class Unit(Base):
    """What is counted: points, status points, or money in minor units."""

    __tablename__ = "units"
    __kind__ = CONFIGURATION
    __data_class__ = "C0"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("kind IN ('points', 'status', 'money')", name="kind"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)


class Account(Base):
    """Who or what has points. `role` says what for, `holder` whose (an opaque id, or empty)."""

    __tablename__ = "accounts"
    __kind__ = APPEND_ONLY
    __table_args__ = (UniqueConstraint("holder", "unit_id", "role"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.units.id"))
    role: Mapped[str] = mapped_column(Text)
    holder: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))


class Wallet(Base):
    """An account with a floor: the row that is the lock and the check."""

    __tablename__ = "wallets"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("floor <= 0", name="floor"),
        CheckConstraint("held >= 0", name="held"),
        CheckConstraint("debt >= 0", name="debt"),
        CheckConstraint("posted - held >= floor", name="above_floor"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": 60}},
    )

    account_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.accounts.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(SmallInteger)
    floor: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    posted: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    held: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    debt: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    position: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class Terms(Base):
    """Terms under which lots were given, found by their hash."""

    __tablename__ = "terms"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = ({"schema": SCHEMA},)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)


class EntryRow(Base):
    """One business act, as the log of `account_id` has it (one row in each log it touches)."""

    __tablename__ = "entries"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("account_id", "source", "reference", "home_id"),
        Index(None, "id", "account_id"),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.wallets.account_id"), primary_key=True
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    home_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    position: Mapped[int] = mapped_column(BigInteger)
    transfers: Mapped[int] = mapped_column(SmallInteger)
    cause: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    effective_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class Transfer(Base):
    """A positive whole amount moved from one account to another; `position` is dense per log."""

    __tablename__ = "transfers"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "entry_id"],
            [f"{SCHEMA}.entries.account_id", f"{SCHEMA}.entries.id"],
        ),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("from_account_id <> to_account_id", name="two_accounts"),
        CheckConstraint("position > 0", name="position"),
        Index(None, "account_id", "reverses", postgresql_where=text("reverses IS NOT NULL")),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(BigInteger)
    from_account_id: Mapped[int] = mapped_column(BigInteger)
    to_account_id: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int] = mapped_column(BigInteger)
    balance_after: Mapped[int] = mapped_column(BigInteger)
    reverses: Mapped[int | None] = mapped_column(BigInteger)


class Lot(Base):
    """What one credit gave, and what of it is left. Only the last four columns ever change."""

    __tablename__ = "lots"
    __kind__ = PROJECTION
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "position"],
            [f"{SCHEMA}.transfers.account_id", f"{SCHEMA}.transfers.position"],
        ),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("0 <= held AND held <= remaining", name="held"),
        CheckConstraint("remaining + expired <= amount", name="remaining"),
        CheckConstraint("expired >= 0", name="expired"),
        CheckConstraint("open = (remaining > 0)", name="open"),
        Index(None, "account_id", "expires_at", "position", postgresql_where=text("open")),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": 80}},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)
    available_from: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    terms: Mapped[bytes | None] = mapped_column(LargeBinary)
    remaining: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    expired: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    open: Mapped[bool] = mapped_column(Boolean)


class LotUse(Base):
    """What a transfer took from a lot (positive) or gave back to it (negative)."""

    __tablename__ = "lot_uses"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "position"],
            [f"{SCHEMA}.transfers.account_id", f"{SCHEMA}.transfers.position"],
        ),
        ForeignKeyConstraint(
            ["account_id", "lot"],
            [f"{SCHEMA}.lots.account_id", f"{SCHEMA}.lots.position"],
            name="fk_lot_uses_lot",
        ),
        CheckConstraint("amount <> 0", name="amount"),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lot: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)


class LotTotal(Base):
    """What a wallet's lots have left, by when they become usable and lapse.

    Bounded by the calendar and not by the number of entries, so balances and expiry lists cost
    the same for a wallet with a thousand entries and with a million.
    """

    __tablename__ = "lot_totals"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("0 <= held AND held <= remaining", name="held"),
        Index(None, "expires_at", "account_id"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": 70}},
    )

    account_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.wallets.account_id"), primary_key=True
    )
    expires_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    available_from: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    remaining: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)


class HoldRow(Base):
    """Points reserved by the entry of the same id; `remaining` is what is not yet used or freed."""

    __tablename__ = "holds"
    __kind__ = PROJECTION
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "id"], [f"{SCHEMA}.entries.account_id", f"{SCHEMA}.entries.id"]
        ),
        CheckConstraint("0 <= remaining AND remaining <= amount", name="remaining"),
        CheckConstraint("amount > 0", name="amount"),
        Index(None, "account_id", "lapses_at", postgresql_where=text("remaining > 0")),
        Index("ix_holds_lapses_at", "lapses_at", postgresql_where=text("remaining > 0")),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)
    lapses_at: Mapped[datetime] = mapped_column(Instant)
    remaining: Mapped[int] = mapped_column(BigInteger)


class HoldLot(Base):
    """What a hold reserves of a lot."""

    __tablename__ = "hold_lots"
    __kind__ = PROJECTION
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "hold_id"], [f"{SCHEMA}.holds.account_id", f"{SCHEMA}.holds.id"]
        ),
        ForeignKeyConstraint(
            ["account_id", "lot"],
            [f"{SCHEMA}.lots.account_id", f"{SCHEMA}.lots.position"],
            name="fk_hold_lots_lot",
        ),
        CheckConstraint("0 <= remaining AND remaining <= amount", name="remaining"),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hold_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lot: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    amount: Mapped[int] = mapped_column(BigInteger)
    remaining: Mapped[int] = mapped_column(BigInteger)


class HoldMove(Base):
    """What became of a hold: a part captured, released, or lapsed, by which entry."""

    __tablename__ = "hold_moves"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "entry_id"],
            [f"{SCHEMA}.entries.account_id", f"{SCHEMA}.entries.id"],
        ),
        ForeignKeyConstraint(
            ["account_id", "hold_id"],
            [f"{SCHEMA}.holds.account_id", f"{SCHEMA}.holds.id"],
            name="fk_hold_moves_hold",
        ),
        CheckConstraint("kind IN ('capture', 'release', 'lapse')", name="kind"),
        CheckConstraint("amount > 0", name="amount"),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hold_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)


class Seal(Base):
    """A leaf of a log's tree, numbered from 0; the order is that of entry and account ids."""

    __tablename__ = "seals"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("log", "entry_id", "account_id"),
        {"schema": SCHEMA},
    )

    log: Mapped[str] = mapped_column(Text, primary_key=True)
    seal_no: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    account_id: Mapped[int] = mapped_column(BigInteger)
    entry_id: Mapped[int] = mapped_column(BigInteger)
    leaf: Mapped[bytes] = mapped_column(LargeBinary)


class SealNode(Base):
    """The hash of a complete subtree of 256^level leaves, so that proofs need few reads."""

    __tablename__ = "seal_nodes"
    __kind__ = APPEND_ONLY
    __table_args__ = ({"schema": SCHEMA},)

    log: Mapped[str] = mapped_column(Text, primary_key=True)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class Checkpoint(Base):
    """A signed statement of how much a log holds and what its root is."""

    __tablename__ = "checkpoints"
    __kind__ = APPEND_ONLY
    __table_args__ = ({"schema": SCHEMA},)

    log: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    origin: Mapped[str] = mapped_column(Text)
    algorithm: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant)
    key_id: Mapped[str] = mapped_column(Text)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class Total(Base):
    """Sealed movements of an account, rolled up behind: balance = credits - debits."""

    __tablename__ = "totals"
    __kind__ = PROJECTION
    __table_args__ = ({"schema": SCHEMA},)

    account_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.accounts.id"), primary_key=True)
    debits: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    credits: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
