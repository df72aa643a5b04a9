"""In the background: deciding about messages that are due, and telling webhooks of events."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.database import GATE_ROLE, transaction
from loyalty.messages import webhooks
from loyalty.messages.deciding import BATCH, Dispatched, dispatch
from loyalty.messages.reaching import Reach, post
from loyalty.settings import settings

LEASE = timedelta(minutes=2)
MOST_BATCHES = 100
AT_ONCE = 8  # requests to webhooks under way in one process
TOLD = "webhooks.due"


@outbox.job("messages.requested", lease=LEASE)
@outbox.job("messages.dispatch", every=timedelta(seconds=2), lease=LEASE)
def dispatch_due(_: outbox.Event) -> None:
    """Decide about what is due."""
    dispatch_all()


def dispatch_all(most: int = MOST_BATCHES) -> Dispatched:
    """Decide about what is due, batch by batch; return what was decided."""
    done = Dispatched()
    for _ in range(most):
        with transaction(GATE_ROLE) as session:
            batch = dispatch(session)
        done = done + batch
        if batch.total < BATCH:
            break
    return done


def tell_webhooks(session: Session, event: outbox.Event) -> None:
    """Have every endpoint that asked for it told of an event."""
    is_asked_for = webhooks.fan_out(
        session,
        event=f"evt_{event.id}",
        topic=event.topic,
        subject=event.aggregate,
        sequence=event.aggregate_seq,
        payload=dict(event.payload),
        happened_at=event.created_at,
    )
    if is_asked_for:
        outbox.publish(session, TOLD, event.aggregate, {"event": event.id})


for topic in webhooks.TOPICS:
    outbox.subscriber(topic)(tell_webhooks)


@outbox.job(TOLD, lease=LEASE)
@outbox.job("webhooks.deliver", every=timedelta(seconds=5), lease=LEASE)
def deliver_due(_: outbox.Event) -> None:
    """Send what is due to the endpoints."""
    deliver_webhooks()


def reach() -> Reach:
    """Return how far webhooks may go: to this machine only in tests, and only where one asks."""
    asked = os.environ.get("WEBHOOKS_TO_LOOPBACK") == "yes"
    return Reach(to_loopback=asked and settings().environment == "test")


def deliver_webhooks(going: Reach | None = None, rounds: int = 4) -> int:
    """Send what is due, a few requests at once; return how many were sent.

    No endpoint has more than two under way, so a slow one leaves room for the others.
    """
    going = going or reach()
    sent = 0
    for _ in range(rounds):
        with transaction() as session:
            due = webhooks.claim(session, AT_ONCE, settings().issuer, datetime.now(UTC))
        if not due:
            break
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda one: _send(one, going), due))
        sent += len(due)
    return sent


def _send(due: webhooks.Outgoing, going: Reach) -> None:
    reached = post(due.row.url, due.body, due.headers, going)
    with transaction() as session:
        webhooks.finish(session, due, reached)
