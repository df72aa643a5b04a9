"""What the edges keep: answers of repeated requests, browser sessions, tries at signing in."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
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


class BrowserSession(Base):
    """Somebody who is or was signed in by browser; the browser's id stands here as a digest."""

    __tablename__ = "browser_sessions"
    __kind__ = PROJECTION
    __table_args__ = (
        UniqueConstraint("digest"),
        CheckConstraint("kind IN ('staff', 'partner', 'customer')", name="kind"),
        Index(None, "kind", "subject_id"),
        {"schema": "loyalty"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, info={"data_class": "C3"})
    kind: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[int] = mapped_column(BigInteger)
    device: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("now()")
    )
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SignInAttempt(Base):
    """How often an account or an address was tried lately; `subject` is a keyed digest of it."""

    __tablename__ = "sign_in_attempts"
    __kind__ = PROJECTION
    __table_args__ = {"schema": "loyalty"}  # noqa: RUF012 - SQLAlchemy reads it so

    subject: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tries: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
