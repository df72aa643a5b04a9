"""Reads: how far runs came, what is dead, how much waits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.outbox.models import OutboxEvent, RunRow
from loyalty.web import NotFound


def run(session: Session, run_id: int) -> RunRow:
    """Return a run with its progress. Raises `NotFound`."""
    found = session.get(RunRow, run_id, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def runs(
    session: Session, *, kind: str | None = None, before: int | None = None, limit: int = 50
) -> Sequence[RunRow]:
    """Return runs, newest first, below the number `before` where one is given."""
    query = select(RunRow).order_by(RunRow.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(RunRow.kind == kind)
    if before is not None:
        query = query.where(RunRow.id < before)
    return session.scalars(query).all()


def dead(session: Session, *, topic: str | None = None, limit: int = 50) -> Sequence[OutboxEvent]:
    """Return events that were given up, latest first."""
    query = select(OutboxEvent).where(OutboxEvent.dead_at.is_not(None))
    if topic is not None:
        query = query.where(OutboxEvent.topic == topic)
    return session.scalars(query.order_by(OutboxEvent.dead_at.desc()).limit(limit)).all()


def backlog(session: Session) -> dict[str, tuple[int, datetime]]:
    """Return for each topic how many events wait and when the oldest was written."""
    query = (
        select(OutboxEvent.topic, func.count(), func.min(OutboxEvent.created_at))
        .where(OutboxEvent.done_at.is_(None), OutboxEvent.dead_at.is_(None))
        .group_by(OutboxEvent.topic)
    )
    return {topic: (count, oldest) for topic, count, oldest in session.execute(query)}
