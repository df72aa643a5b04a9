"""The vault's tables: wrapped keys, look-up digests, records of erasure."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

SECRET = {"data_class": "C3"}
PERSONAL = {"data_class": "C2"}


class WrappingVersion(Base):
    """A version of the wrapping key that this database has met; the key itself is elsewhere."""

    __tablename__ = "wrapping_versions"
    __kind__ = PROJECTION
    __table_args__ = {"schema": "vault"}  # noqa: RUF012 - SQLAlchemy reads it so

    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    met_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
    retired_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WrappedKey(Base):
    """A customer's key, readable only with the wrapping key that `kek_version` names."""

    __tablename__ = "wrapped_keys"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        Index(None, "kek_version"),
        {"schema": "vault"},
    )

    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kek_version: Mapped[int] = mapped_column(
        SmallInteger, ForeignKey("vault.wrapping_versions.version")
    )
    algorithm: Mapped[int] = mapped_column(SmallInteger)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary, info=SECRET)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )


class BlindIndex(Base):
    """Which customers have a value, found by the value's keyed digest."""

    __tablename__ = "blind_indexes"
    __kind__ = PROJECTION
    __table_args__ = (Index(None, "customer_id"), {"schema": "vault"})

    field: Mapped[str] = mapped_column(Text, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, info=PERSONAL)
    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class Erasure(Base):
    """A signed record that a customer's keys are gone; it names no person."""

    __tablename__ = "erasures"
    __kind__ = APPEND_ONLY
    __table_args__ = {"schema": "vault"}  # noqa: RUF012 - SQLAlchemy reads it so

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    statement: Mapped[dict[str, Any]] = mapped_column(JSONB)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
