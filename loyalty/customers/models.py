"""The customers: an opaque number of the bank's, a state, and sealed personal data."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

ACTIVE = "active"
ERASED = "erased"
PERSONAL = {"data_class": "C2"}


class CustomerRow(Base):
    """One customer. The sealed columns are empty where the bank told us nothing."""

    __tablename__ = "customers"
    __kind__ = PROJECTION
    __table_args__ = (
        UniqueConstraint("reference"),
        CheckConstraint("state IN ('active', 'erased')", name="state"),
        CheckConstraint(
            "state <> 'erased' OR num_nonnulls(name, phone, email, birthday) = 0",
            name="erased_is_empty",
        ),
        Index(None, "branch_id", postgresql_where=text("branch_id IS NOT NULL")),
        {"schema": "loyalty"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    reference: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=ACTIVE)
    registered_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
    invented: Mapped[bool] = mapped_column(server_default=text("false"))
    branch_id: Mapped[int | None] = mapped_column(ForeignKey("loyalty.organisation_units.id"))
    name: Mapped[bytes | None] = mapped_column(LargeBinary, info=PERSONAL)
    phone: Mapped[bytes | None] = mapped_column(LargeBinary, info=PERSONAL)
    email: Mapped[bytes | None] = mapped_column(LargeBinary, info=PERSONAL)
    birthday: Mapped[bytes | None] = mapped_column(LargeBinary, info=PERSONAL)


class LookUps(Base):
    """How often a member of staff has looked customers up in the hour that began at `hour`."""

    __tablename__ = "look_ups"
    __kind__ = PROJECTION
    __table_args__ = {"schema": "loyalty"}  # noqa: RUF012 - SQLAlchemy reads it so

    actor_id: Mapped[str] = mapped_column(Text, primary_key=True)
    hour: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    count: Mapped[int] = mapped_column(Integer)


class Canary(Base):
    """A customer whom nobody has a reason to look up: whoever does is worth a question."""

    __tablename__ = "canaries"
    __kind__ = APPEND_ONLY
    __table_args__ = {"schema": "loyalty"}  # noqa: RUF012 - SQLAlchemy reads it so

    customer_id: Mapped[int] = mapped_column(ForeignKey("loyalty.customers.id"), primary_key=True)
    placed_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )


class SignInCode(Base):
    """A code with which a customer signs in by browser, once and for a short while.

    Its digest is keyed: whoever reads the table cannot try out the few codes there are.
    """

    __tablename__ = "sign_in_codes"
    __kind__ = PROJECTION
    __table_args__ = {"schema": "loyalty"}  # noqa: RUF012 - SQLAlchemy reads it so

    customer_id: Mapped[int] = mapped_column(ForeignKey("loyalty.customers.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, info={"data_class": "C3"})
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
