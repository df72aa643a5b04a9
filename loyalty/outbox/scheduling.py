"""Scheduling: each period rings once, however many schedulers look at the clock."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.outbox import publishing, registry, rules
from loyalty.outbox.models import OPEN

_NOW = text("SELECT clock_timestamp()")
_UNDELIVERED = text(
    f"SELECT 1 FROM loyalty.outbox WHERE topic = :name AND {OPEN} LIMIT 1"  # noqa: S608
)
_HASTEN = text(
    f"""
    UPDATE loyalty.outbox SET not_before = clock_timestamp() + :most
    WHERE topic = :name AND {OPEN} AND not_before > clock_timestamp() + :most
    """  # noqa: S608
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
    schedulers moves it. A schedule whose last event is not yet delivered gets no other, so that
    nothing piles up while no worker runs; where that event failed it is tried again within a
    period (or five minutes, if that is more). The clock is the database's.
    """
    now: datetime = session.execute(_NOW).scalar_one()
    return [
        name for name, every in registry.schedules().items() if _ring(session, name, every, now)
    ]


def _ring(session: Session, name: str, every: rules.Every, now: datetime) -> bool:
    if session.execute(_UNDELIVERED, {"name": name}).first() is not None:
        session.execute(_HASTEN, {"name": name, "most": rules.longest_pause(every)})
        return False
    start = rules.period_start(now, every)
    if session.execute(_ADVANCE, {"name": name, "period_at": start}).first() is None:
        return False
    period = start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    publishing.publish(session, name, f"schedule:{name}", {"period": period})
    return True
