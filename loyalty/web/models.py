"""The answers that a repeated request gets again."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import LargeBinary, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import DateTime

from ledger.base import PROJECTION, Base


class IdempotencyKey(Base):
    """A key that a caller used, what it was used for, and the answer that was given.

    Kept for a month: for good, the ledger itself knows each act by source and reference.
    """

    __tablename__ = "idempotency_keys"
    __table_args__: ClassVar = {"schema": "loyalty"}
    __kind__ = PROJECTION
    __data_class__ = "C1"

    caller: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary, info={"data_class": "C2"})
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )
