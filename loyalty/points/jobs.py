"""Background work of points: applying imports, daily expiry, hourly lapse of holds."""

from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

import ledger
from loyalty import outbox, programmes
from loyalty.outbox import Daily, Done, Event, Progress, Run
from loyalty.points import expiry, intake
from loyalty.programmes import Programme

EXPIRY = "points.expiry"
log = structlog.get_logger("loyalty.points")
WALLETS = 500
# Short, because whoever kills an import waits this long before another process goes on with it.
LEASE = timedelta(seconds=30)


@outbox.work(intake.KIND, lease=LEASE)
def apply_import(session: Session, run: Run) -> Progress:
    """Record the next rows of an import."""
    counts = intake.apply_next(session, run.arguments["import"])
    if counts is None:
        return Done()
    return Progress(done=counts[0], failed=counts[1])


@outbox.work(EXPIRY, lease=LEASE)
def expire_next(session: Session, run: Run) -> Progress:
    """Move what lapsed out of the next wallets: programme after programme, sweep after sweep."""
    cursor = run.cursor or {"sweep": 0, "after": 0}
    sweeps = [
        (programme, sweep)
        for programme in programmes.list_programmes(session)
        for sweep in (_sweep_points, _sweep_status, _sweep_inactive)
    ]
    if cursor["sweep"] >= len(sweeps):
        return Done()
    programme, sweep = sweeps[cursor["sweep"]]
    total = ledger.count_expired(session) if run.cursor is None else None
    last, swept = sweep(session, programme, f"run:{run.id}", cursor["after"])
    if last:
        return Progress(done=swept, total=total, cursor={**cursor, "after": last})
    return Progress(done=swept, total=total, cursor={"sweep": cursor["sweep"] + 1, "after": 0})


def _sweep_points(session: Session, programme: Programme, run: str, after: int) -> tuple[int, int]:
    return expiry.expire_points(session, programme.points, run=run, after=after, limit=WALLETS)[:2]


def _sweep_status(session: Session, programme: Programme, run: str, after: int) -> tuple[int, int]:
    return expiry.expire_points(session, programme.status, run=run, after=after, limit=WALLETS)[:2]


def _sweep_inactive(
    session: Session, programme: Programme, _run: str, after: int
) -> tuple[int, int]:
    last, points = expiry.expire_inactive(session, programme, after=after, limit=WALLETS)
    return last, int(points > 0)


@outbox.scheduled("points.expiry_due", every=Daily(1))
def start_expiry(session: Session, event: Event) -> None:
    """Begin the day's sweep of what lapsed at midnight."""
    outbox.start_run(session, EXPIRY, {"period": event.payload["period"]}, created_by="job:expiry")


@outbox.scheduled("points.holds_due", every=timedelta(hours=1))
def release_holds(session: Session, _event: Event) -> None:
    """Free what holds reserve that lapsed; nobody could spend through them any more."""
    for programme in programmes.list_programmes(session):
        unit = programme.points_unit_id
        while expiry.release_lapsed_holds(session, unit, limit=WALLETS) == WALLETS:
            pass


@outbox.scheduled("imports.rows_due", every=Daily(3))
def forget_rows(session: Session, _event: Event) -> None:
    """Delete the staged rows of imports that were applied or left alone a month ago."""
    intake.forget_rows(session)


@outbox.subscriber("purchases.recorded")
@outbox.subscriber("purchases.refunded")
@outbox.subscriber("points.adjusted")
@outbox.subscriber("points.reversed")
@outbox.subscriber("points.confirmed")
def tell_collectors(_session: Session, event: Event) -> None:
    """Write what happened as one line of the log, for the bank's own collectors of events."""
    log.info(event.topic, event_id=event.id, aggregate=event.aggregate, **event.payload)
