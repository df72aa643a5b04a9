"""The organisation's units, its people with their roles, and the systems that call us."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Identity,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import DateTime

from ledger.base import CONFIGURATION, PROJECTION, Base

SCHEMA = "loyalty"
Instant = DateTime(timezone=True)

UNIT_KINDS = ("head_office", "branch", "department")
ROLES = (
    "viewer",
    "support",
    "branch",
    "head_office",
    "marketing_maker",
    "marketing_checker",
    "auditor",
    "security_admin",
    "analyst",
    "budget_approver",
    "consumer_protection",
    "publicity",
    "compliance",
    "coupon_operations",
    "partner_manager",
    "finance",
    "data_officer",
    "operations",
    "complaint_officer",
    "customer_manager",
)


def _one_of(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


class OrganisationUnit(Base):
    """Head office, a branch, or a department of either."""

    __tablename__ = "organisation_units"
    __kind__ = CONFIGURATION
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint(f"kind IN ({_one_of(UNIT_KINDS)})", name="kind"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.organisation_units.id"))
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))


class Staff(Base):
    """A member of staff. Disabled rather than deleted: the audit trail points here."""

    __tablename__ = "staff"
    __kind__ = CONFIGURATION
    __table_args__ = (UniqueConstraint("login"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    login: Mapped[str] = mapped_column(Text, info={"data_class": "C2"})
    name: Mapped[str] = mapped_column(Text, info={"data_class": "C2"})
    unit_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.organisation_units.id"))
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)


class StaffRole(Base):
    """A role that a member of staff holds."""

    __tablename__ = "staff_roles"
    __kind__ = CONFIGURATION
    __table_args__ = (
        CheckConstraint(f"role IN ({_one_of(ROLES)})", name="role"),
        {"schema": SCHEMA},
    )

    staff_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"), primary_key=True)
    role: Mapped[str] = mapped_column(Text, primary_key=True)
    granted_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))


class Client(Base):
    """A system account. With `staff_id` its tokens act as that member of staff.

    With `partner_id` it is a system of that partner's. The number is opaque here, for partners
    come later in the order: the row of `partner_clients` ties both, by foreign keys.
    """

    __tablename__ = "clients"
    __kind__ = CONFIGURATION
    __table_args__ = (
        UniqueConstraint("name"),
        UniqueConstraint("id", "partner_id"),
        CheckConstraint("staff_id IS NULL OR partner_id IS NULL", name="one_owner"),
        CheckConstraint("NOT sandbox OR partner_id IS NOT NULL", name="sandbox"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    staff_id: Mapped[int | None] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"))
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)
    partner_id: Mapped[int | None] = mapped_column(BigInteger)
    sandbox: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


class ClientSecret(Base):
    """SHA-256 of a secret of 256 random bits; the secret itself was shown once."""

    __tablename__ = "client_secrets"
    __kind__ = CONFIGURATION
    __table_args__ = (UniqueConstraint("client_id", "digest"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.clients.id"))
    digest: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C3"})
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class ClientKey(Base):
    """A public key (JWK) with which a client signs its assertions."""

    __tablename__ = "client_keys"
    __kind__ = CONFIGURATION
    __table_args__ = (UniqueConstraint("client_id", "kid"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.clients.id"))
    kid: Mapped[str] = mapped_column(Text)
    jwk: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class UsedAssertion(Base):
    """An assertion that was used, kept until it would have expired, so it is used once."""

    __tablename__ = "used_assertions"
    __kind__ = PROJECTION
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy reads it so

    client_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.clients.id"), primary_key=True)
    jti: Mapped[str] = mapped_column(Text, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class StaffCredential(Base):
    """What a member of staff signs in with: a password's hash, and a sealed TOTP secret.

    `last_step` is the newest half-minute whose code was used; older codes count no more.
    """

    __tablename__ = "staff_credentials"
    __kind__ = PROJECTION
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy reads it so

    staff_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"), primary_key=True)
    password: Mapped[str] = mapped_column(Text, info={"data_class": "C3"})
    second_factor: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C3"})
    last_step: Mapped[int] = mapped_column(BigInteger)
    set_at: Mapped[datetime] = mapped_column(Instant, server_default=text("now()"))


class StaffInvitation(Base):
    """A link with which a member of staff sets password and second factor, once, within a day."""

    __tablename__ = "staff_invitations"
    __kind__ = PROJECTION
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012 - SQLAlchemy reads it so

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, info={"data_class": "C3"})
    staff_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"))
    second_factor: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C3"})
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
