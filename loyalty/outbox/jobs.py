"""Background work: what a doorbell or the relay sets going. Every effect is in PostgreSQL.

Nothing here raises for a failure of one event or one chunk: it is written beside the work, and
the work is tried again.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import transaction
from loyalty.outbox import delivery, doorbell, registry, rules, runs, scheduling, shutdown
from loyalty.outbox.delivery import Orphaned
from loyalty.outbox.doorbell import Bell
from loyalty.outbox.models import CLAIMABLE, OPEN
from loyalty.outbox.registry import Consumer, Event, Run

EVENTS = Counter("quanyi_outbox_events", "Deliveries by topic and outcome", ["topic", "outcome"])
CHUNKS = Counter("quanyi_run_chunks", "Chunks by kind of run and outcome", ["kind", "outcome"])
SLICE_SECONDS = 5.0

_BATCH = 50
_LOG = structlog.get_logger(__name__)

_WAITING = text(
    f"""
    SELECT 'drain' AS function, topic AS name, due.not_before
    FROM unnest(CAST(:topics AS text[])) AS topic CROSS JOIN LATERAL (
        SELECT not_before FROM loyalty.outbox WHERE outbox.topic = topic.topic AND {OPEN}
            AND not_before <= clock_timestamp()
            AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY not_before LIMIT 1) AS due
    UNION ALL
    SELECT 'work', kind, due.not_before
    FROM unnest(CAST(:kinds AS text[])) AS kind CROSS JOIN LATERAL (
        SELECT not_before FROM loyalty.runs WHERE runs.kind = kind.kind AND {CLAIMABLE}
            AND not_before <= clock_timestamp() AND attempts < :attempts
            AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY not_before LIMIT 1) AS due
    """  # noqa: S608
)


class Look(Protocol):
    """What a bell sets going: look at one topic or kind for at most so many seconds."""

    def __call__(self, name: str, /, seconds: float = SLICE_SECONDS) -> None: ...


def drain(topic: str, seconds: float = SLICE_SECONDS) -> None:
    """Deliver the due events of `topic` until none is left, time is up or a stop is asked."""
    _answer(Bell("drain", topic), _drain_batch, seconds)


def work(kind: str, seconds: float = SLICE_SECONDS) -> None:
    """Do chunks of the runs of `kind` until none waits, time is up or a stop is asked."""
    _answer(Bell("work", kind), _work_run, seconds)


FUNCTIONS: dict[str, Look] = {"drain": drain, "work": work}


def waiting() -> dict[Bell, datetime]:
    """Return for each topic and kind that has due work since when its oldest is due."""
    with transaction() as session:
        rows = session.execute(
            _WAITING,
            {
                "topics": registry.topics(),
                "kinds": registry.kinds(),
                "attempts": rules.RUN_ATTEMPTS,
            },
        ).all()
    return {Bell(row.function, row.name): row.not_before for row in rows}


def now() -> datetime:
    """Return the database's clock."""
    with transaction() as session:
        instant: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return instant


def tick() -> None:
    """Ring every schedule whose period began."""
    with transaction() as session:
        for name in scheduling.tick(session):
            _LOG.info("schedule_due", schedule=name)


def sweep() -> None:
    """Open again what was left by workers that went away."""
    with transaction() as session:
        events, chunks = delivery.sweep(session), runs.sweep(session)
    if events or chunks:
        _LOG.warning("leases_expired", events=events, runs=chunks)


def forget() -> None:
    """Delete events that were delivered long ago."""
    with transaction() as session:
        delivery.forget(session)


def _answer(bell: Bell, step: Callable[[str, float], bool], seconds: float) -> None:
    doorbell.doorbell().answered(bell)
    deadline = time.monotonic() + seconds
    while step(bell.name, deadline):
        if _is_over(deadline):
            doorbell.doorbell().ring([bell])
            return


def _is_over(deadline: float) -> bool:
    return shutdown.requested.is_set() or time.monotonic() > deadline


def _drain_batch(topic: str, deadline: float) -> bool:
    """Deliver one batch; return whether there was one."""
    consumers = registry.consumers(topic)
    if not consumers:
        return False
    # An effect outside may take as long as its lease, so such events are leased one by one.
    limit = 1 if any(consumer.outside for consumer in consumers) else _BATCH
    with transaction() as session:
        events = delivery.claim(
            session, topic, limit, max(consumer.lease for consumer in consumers)
        )
    if len(events) > 1 and _deliver_together(events, consumers):
        EVENTS.labels(topic, "done").inc(len(events))
        return True
    for position, event in enumerate(events):
        if _is_over(deadline):
            with transaction() as session:
                delivery.release(session, events[position:])
            return True
        EVENTS.labels(topic, _deliver(event, consumers)).inc()
    return bool(events)


def _deliver_together(events: list[Event], consumers: list[Consumer]) -> bool:
    """Deliver `events` in one transaction; False where one of them has to be tried alone."""
    try:
        with transaction() as session:
            delivery.hold(session, events)
            for consumer in consumers:
                _have_effects(session, events, consumer)
            delivery.finish(session, events)
    except Exception as error:  # whose failure it was, each delivered alone will tell
        _LOG.info("batch_divided", topic=events[0].topic, error=rules.describe(error))
        return False
    return True


def _deliver(event: Event, consumers: list[Consumer]) -> str:
    """Deliver one event, to each consumer in a transaction of its own; return the outcome."""
    failures: list[str] = []
    try:
        for consumer in consumers:
            try:
                _deliver_to(event, consumer)
            except Orphaned:
                raise
            except Exception as error:  # any failure of one consumer is kept beside its event
                failures.append(rules.describe(error))
        with transaction() as session:
            if not failures:
                delivery.finish(session, [event])
                return "done"
            is_dead = delivery.postpone(session, event, failures[0])
    except Orphaned:
        _LOG.warning("lease_lost", event_id=event.id, topic=event.topic)
        return "orphaned"
    outcome = "dead" if is_dead else "postponed"
    _LOG.warning(outcome, event_id=event.id, topic=event.topic, error=failures[0])
    return outcome


def _deliver_to(event: Event, consumer: Consumer) -> None:
    if consumer.outside is None:
        with transaction() as session:
            delivery.hold(session, [event])
            _have_effects(session, [event], consumer)
        return
    with transaction() as session:
        delivery.hold(session, [event])
        if delivery.was_accepted(session, event, consumer.name):
            return
    consumer.outside(event)
    with transaction() as session:
        delivery.hold(session, [event])
        delivery.accept(session, [event], consumer.name)


def _have_effects(session: Session, events: list[Event], consumer: Consumer) -> None:
    assert consumer.inside is not None
    new = delivery.accept(session, events, consumer.name)
    for event in events:
        if event.id in new:
            consumer.inside(session, event)


def _work_run(kind: str, deadline: float) -> bool:
    """Do chunks of one run; return whether there was one."""
    worker = registry.worker(kind)
    if worker is None:
        return False
    with transaction() as session:
        run = runs.claim(session, kind, worker.lease)
    if run is None:
        return False
    while _do_chunk(run, worker.lease, worker.function) and not _is_over(deadline):
        pass
    with transaction() as session:
        state = runs.release(session, run)
    if state not in (None, "running"):
        _LOG.info("run_rests", run_id=run.id, kind=kind, state=state)
    return True


def _do_chunk(run: Run, lease: timedelta, function: registry.Work) -> bool:
    """Do the next chunk in one transaction; return whether the run goes on with me."""
    try:
        with transaction() as session:
            fresh = runs.refresh(session, run)
            if fresh is None:
                return False
            progress = function(session, fresh)
            runs.record(session, fresh, progress, lease)
    except Orphaned:
        CHUNKS.labels(run.kind, "orphaned").inc()
        _LOG.warning("lease_lost", run_id=run.id, kind=run.kind)
        return False
    except Exception as error:  # any failure of a chunk is kept beside its run
        CHUNKS.labels(run.kind, "failed").inc()
        _LOG.warning("chunk_failed", run_id=run.id, kind=run.kind, error=rules.describe(error))
        with transaction() as session:
            runs.postpone(session, run, rules.describe(error))
        return False
    CHUNKS.labels(run.kind, "done").inc()
    return True
