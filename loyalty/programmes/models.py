"""Programmes, and who is a member of them."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, CONFIGURATION, Base


class ProgrammeRow(Base):
    """A loyalty programme: its units, time zone and currency.

    `inactivity_months`: points lapse after so many months without earning or redeeming.
    """

    __tablename__ = "programmes"
    __kind__ = CONFIGURATION
    __data_class__ = "C0"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("inactivity_months > 0", name="inactivity_months"),
        CheckConstraint("debt_limit >= 0", name="debt_limit"),
        {"schema": "loyalty"},
    )

    id: Mapped[int] = mapped_column(SmallInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(Text)
    name_en: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    points_unit_id: Mapped[int] = mapped_column(ForeignKey("ledger.units.id"))
    status_unit_id: Mapped[int] = mapped_column(ForeignKey("ledger.units.id"))
    inactivity_months: Mapped[int | None] = mapped_column(SmallInteger)
    debt_limit: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class MembershipRow(Base):
    """A customer in a programme, with the wallets of their points and status points."""

    __tablename__ = "memberships"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("points_wallet_id"),
        UniqueConstraint("status_wallet_id"),
        {"schema": "loyalty"},
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("loyalty.customers.id"), primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("loyalty.programmes.id"), primary_key=True)
    points_wallet_id: Mapped[int] = mapped_column(ForeignKey("ledger.wallets.account_id"))
    status_wallet_id: Mapped[int] = mapped_column(ForeignKey("ledger.wallets.account_id"))
    joined_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
