"""Partners, their outlets, the people at their counters, and what their clients may use."""

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
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, CONFIGURATION, PROJECTION, Base

SCHEMA = "loyalty"
Instant = DateTime(timezone=True)

ACTIVE, SUSPENDED, ENDED = STATES = ("active", "suspended", "ended")


class Partner(Base):
    """Who takes our coupons at its tills. `state` is what its newest event says."""

    __tablename__ = "partners"
    __kind__ = CONFIGURATION
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("state IN ('active', 'suspended', 'ended')", name="state"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))


class PartnerEvent(Base):
    """A step in a partner's life: it became active, was suspended, or ended; who said so, why."""

    __tablename__ = "partner_events"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("state IN ('active', 'suspended', 'ended')", name="state"),
        {"schema": SCHEMA},
    )

    partner_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.partners.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant, server_default=text("clock_timestamp()"))


class Outlet(Base):
    """A shop of a partner's. Without `opening_hours` it is open whenever it is not closed.

    `opening_hours` maps weekdays (`mon` … `sun`) to lists of pairs such as ["09:00", "21:30"],
    in the outlet's `zone`.
    """

    __tablename__ = "outlets"
    __kind__ = CONFIGURATION
    __table_args__ = (
        UniqueConstraint("partner_id", "code"),
        UniqueConstraint("id", "partner_id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.partners.id"))
    code: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    opening_hours: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    is_open: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))


class Clerk(Base):
    """Somebody who works at a partner's counter, with an account of their own."""

    __tablename__ = "partner_staff"
    __kind__ = CONFIGURATION
    __table_args__ = (
        UniqueConstraint("login"),
        ForeignKeyConstraint(
            ["outlet_id", "partner_id"],
            [f"{SCHEMA}.outlets.id", f"{SCHEMA}.outlets.partner_id"],
        ),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.partners.id"))
    outlet_id: Mapped[int] = mapped_column(BigInteger)
    login: Mapped[str] = mapped_column(Text, info={"data_class": "C2"})
    name: Mapped[str] = mapped_column(Text, info={"data_class": "C2"})
    password_hash: Mapped[str] = mapped_column(Text, info={"data_class": "C3"})
    is_enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))


class PartnerClient(Base):
    """What a partner's client may use: null `series` or `outlets` means all of the partner's.

    With `signature_required` its calls that change anything at a till must be signed (RFC 9421).
    """

    __tablename__ = "partner_clients"
    __kind__ = CONFIGURATION
    __table_args__ = (
        ForeignKeyConstraint(
            ["client_id", "partner_id"],
            [f"{SCHEMA}.clients.id", f"{SCHEMA}.clients.partner_id"],
        ),
        {"schema": SCHEMA},
    )

    client_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    partner_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.partners.id"))
    series: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    outlets: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    signature_required: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class UsedNonce(Base):
    """A nonce of a signed call, kept until the signature would be too old, so it is used once."""

    __tablename__ = "used_nonces"
    __kind__ = PROJECTION
    __table_args__ = (Index(None, "expires_at"), {"schema": SCHEMA})

    client_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.partner_clients.client_id"), primary_key=True
    )
    nonce: Mapped[str] = mapped_column(Text, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant)
