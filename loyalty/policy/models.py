"""The policy packs that were ever put in force."""

from datetime import datetime

from sqlalchemy import DateTime, Index, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, Base


class PolicyPackRow(Base):
    """A pack as it was signed: its text byte by byte, in force from its date."""

    __tablename__ = "policy_packs"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (Index(None, "jurisdiction", "effective_from"), {"schema": "loyalty"})

    version: Mapped[str] = mapped_column(Text, primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(Text)
    effective_from: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(Text)
    enacted_by: Mapped[str] = mapped_column(Text)
    enacted_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
