"""Scheduling: each period rings once, however many schedulers look at the clock."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.outbox import publishing, registry, rules

_NOW = text("SELECT clock_timestamp()")
_UNDELIVERED = text(
    """
    SELECT 1 FROM loyalty.outbox
    WHERE topic = :name AND done_at IS NULL AND dead_at IS NULL LIMIT 1
    """
)
_ADVANCE = text(
    """
    INSERT INTO loyalty.schedules AS schedule (name, period_at) VALUES (:name, :period_at)
    ON CONFLICT (name) DO UPDATE SET period_at = excluded.period_at, ticked_at = now()
    WHERE schedule.period_at < excluded.period_at RETURNING name
    """
)


def tick(session: Session) -> list[str]:
    """Publish one event for each schedule whose period began; return their names.

    The row of the schedule moves forward in this transaction, and only one of several
    schedulers moves it. A schedule whose last event is not yet delivered is left alone, so
    that nothing piles up while no worker runs. The clock is the database's.
    """
    now: datetime = session.execute(_NOW).scalar_one()
    return [
        name for name, every in registry.schedules().items() if _ring(session, name, every, now)
    ]


def _ring(session: Session, name: str, every: rules.Every, now: datetime) -> bool:
    if session.execute(_UNDELIVERED, {"name": name}).first() is not None:
        return False
    start = rules.period_start(now, every)
    if session.execute(_ADVANCE, {"name": name, "period_at": start}).first() is None:
        return False
    period = start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    publishing.publish(session, name, f"schedule:{name}", {"period": period})
    return True
