"""Deciding in the background: whenever something is requested, and every few seconds."""

from datetime import timedelta

from loyalty import outbox
from loyalty.database import GATE_ROLE, transaction
from loyalty.messages.deciding import BATCH, Dispatched, dispatch

LEASE = timedelta(minutes=2)
MOST_BATCHES = 100


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
