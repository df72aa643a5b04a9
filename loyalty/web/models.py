"""The answers that a repeated request gets again."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import DateTime

from ledger.base import PROJECTION, Base


class IdempotencyKey(Base):
    """A key that a caller used, what it was used for, and the answer that was given.

    Kept for a month: for good, the ledger itself knows each act by source and reference.
    """

    __tablename__ = "idempotency_keys"
    __kind__ = PROJECTION
    __table_args__ = (Index(None, "created_at"), {"schema": "loyalty"})

    caller: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("now()")
    )
