"""The customers: an opaque number of the bank's, a state, and sealed personal data."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import PROJECTION, Base

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
