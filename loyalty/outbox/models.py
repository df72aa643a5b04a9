"""What is to be done after a change, what was done about it, and long work in chunks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql import UUID as UUID_TYPE
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

INSTANT = TIMESTAMP(timezone=True)
STATES = ("queued", "running", "paused", "stopping", "stopped", "done", "failed")
OPEN = "done_at IS NULL AND dead_at IS NULL"
CLAIMABLE = "state IN ('queued', 'running')"


class OutboxEvent(Base):
    """One thing that happened, to be delivered at least once; the payload holds ids only."""

    __tablename__ = "outbox"
    __kind__ = PROJECTION
    __table_args__ = (
        Index("ix_outbox_open", "topic", "not_before", postgresql_where=text(OPEN)),
        Index("ix_outbox_done_at", "done_at", postgresql_where=text("done_at IS NOT NULL")),
        Index("ix_outbox_dead_at", "dead_at", postgresql_where=text("dead_at IS NOT NULL")),
        {"schema": "loyalty"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    aggregate: Mapped[str] = mapped_column(Text)
    aggregate_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(INSTANT, server_default=func.now())
    not_before: Mapped[datetime] = mapped_column(INSTANT, server_default=func.now())
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    lease_token: Mapped[UUID | None] = mapped_column(UUID_TYPE)
    lease_until: Mapped[datetime | None] = mapped_column(INSTANT)
    done_at: Mapped[datetime | None] = mapped_column(INSTANT)
    dead_at: Mapped[datetime | None] = mapped_column(INSTANT)
    last_error: Mapped[str | None] = mapped_column(Text)


class InboxEntry(Base):
    """That a consumer had its effect for an event: written in the effect's own transaction."""

    __tablename__ = "inbox"
    __kind__ = PROJECTION
    __table_args__ = ({"schema": "loyalty"},)

    event_id: Mapped[int] = mapped_column(
        ForeignKey("loyalty.outbox.id", ondelete="CASCADE"), primary_key=True
    )
    consumer: Mapped[str] = mapped_column(Text, primary_key=True)
    accepted_at: Mapped[datetime] = mapped_column(INSTANT, server_default=func.now())


class RunRow(Base):
    """Long work: where it stands, how far it came, who works on it until when."""

    __tablename__ = "runs"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        CheckConstraint("done >= 0 AND failed >= 0 AND total >= 0", name="progress"),
        Index("ix_runs_claimable", "kind", "not_before", postgresql_where=text(CLAIMABLE)),
        {"schema": "loyalty"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text, server_default="queued")
    total: Mapped[int | None] = mapped_column(BigInteger)
    done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    failed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    chunks: Mapped[int] = mapped_column(Integer, server_default="0")
    cursor: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    not_before: Mapped[datetime] = mapped_column(INSTANT, server_default=func.now())
    lease_token: Mapped[UUID | None] = mapped_column(UUID_TYPE)
    lease_until: Mapped[datetime | None] = mapped_column(INSTANT)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(INSTANT, server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(INSTANT)
    finished_at: Mapped[datetime | None] = mapped_column(INSTANT)
    error: Mapped[str | None] = mapped_column(Text)


class RunChunk(Base):
    """That one chunk of a run was done, written with its effects: no chunk commits twice."""

    __tablename__ = "run_chunks"
    __kind__ = APPEND_ONLY
    __table_args__ = ({"schema": "loyalty"},)

    run_id: Mapped[int] = mapped_column(ForeignKey("loyalty.runs.id"), primary_key=True)
    chunk_no: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    done: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    finished_at: Mapped[datetime] = mapped_column(INSTANT, server_default=func.clock_timestamp())


class Schedule(Base):
    """The last period for which a schedule rang; it only ever moves forward."""

    __tablename__ = "schedules"
    __kind__ = PROJECTION
    __table_args__ = ({"schema": "loyalty"},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    period_at: Mapped[datetime] = mapped_column(INSTANT)
    ticked_at: Mapped[datetime] = mapped_column(INSTANT, server_default=func.now())
