"""The audit trail: who did what to what, and under which request and token."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import DateTime

from ledger.base import APPEND_ONLY, Base


class AuditEvent(Base):
    """One act. Ids are public ids or other opaque references; nothing here names a person."""

    __tablename__ = "audit_events"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        Index(None, "subject_type", "subject_id", "id"),
        Index(None, "actor_id", "id"),
        {"schema": "loyalty"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("clock_timestamp()")
    )
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    subject_type: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    token_fingerprint: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
