"""What was proposed, who agreed, and what came of it: append-only, but for where it stands."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ledger.base import APPEND_ONLY, PROJECTION, Base

SCHEMA = "loyalty"
Instant = DateTime(timezone=True)
_FIXED = ("proposed_by", "digest", "expires_at")  # what an agreement repeats, held by its key


class ProposalRow(Base):
    """What a person proposed. `digest` covers the content, the subject and the state before."""

    __tablename__ = "proposals"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("id", *_FIXED),
        CheckConstraint("expires_at > proposed_at", name="expires_at"),
        Index(None, "subject_type", "subject_id", "id"),
        Index(None, "kind", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject_type: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    before: Mapped[Any] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    proposed_by: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"))
    proposed_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class ApprovalRow(Base):
    """One seat's agreement: never the proposer's, no person twice, in time, to this digest."""

    __tablename__ = "proposal_approvals"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("proposal_id", "approved_by"),
        ForeignKeyConstraint(
            ["proposal_id", *_FIXED],
            [f"{SCHEMA}.proposals.{name}" for name in ("id", *_FIXED)],
        ),
        CheckConstraint("approved_by <> proposed_by", name="another_person"),
        CheckConstraint("approved_at < expires_at", name="in_time"),
        {"schema": SCHEMA},
    )

    proposal_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seat: Mapped[str] = mapped_column(Text, primary_key=True)
    proposed_by: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    approved_by: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"))
    approved_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    comment: Mapped[str | None] = mapped_column(Text, info={"data_class": "C2"})


class OutcomeRow(Base):
    """How a proposal ended: applied with the last agreement, rejected, or withdrawn."""

    __tablename__ = "proposal_outcomes"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("outcome IN ('applied', 'rejected', 'withdrawn')", name="outcome"),
        {"schema": SCHEMA},
    )

    proposal_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.proposals.id"), primary_key=True)
    outcome: Mapped[str] = mapped_column(Text)
    ended_by: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.staff.id"))
    ended_at: Mapped[datetime] = mapped_column(Instant, server_default=func.clock_timestamp())
    comment: Mapped[str | None] = mapped_column(Text, info={"data_class": "C2"})
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class ProposalState(Base):
    """Where a proposal stands: the row that those who decide at the same moment lock."""

    __tablename__ = "proposal_states"
    __kind__ = PROJECTION
    __table_args__ = (
        CheckConstraint("state IN ('open', 'applied', 'rejected', 'withdrawn')", name="state"),
        CheckConstraint("approvals >= 0", name="approvals"),
        Index(None, "state", "proposal_id"),
        {"schema": SCHEMA},
    )

    proposal_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.proposals.id"), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    approvals: Mapped[int] = mapped_column(SmallInteger)
