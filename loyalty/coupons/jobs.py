"""Coupons in the background: batches being made, coupons whose time is over, old counts."""

from datetime import timedelta

from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.coupons import batches, ending, guessing
from loyalty.outbox import Done, Event, Progress, Run

EXPIRY = "coupons.expiry"


@outbox.work(batches.KIND)
def make_coupons(session: Session, run: Run) -> Progress:
    """Make the next coupons of a batch; those that limits and budget refuse count as failed."""
    return batches.make_some(session, run)


@outbox.scheduled("coupons.expiry_due", every=timedelta(hours=1))
def start_expiry(session: Session, _event: Event) -> None:
    """Begin to end the coupons whose time is over."""
    outbox.start_run(session, EXPIRY, {}, created_by="job:coupons")


@outbox.work(EXPIRY)
def expire_some(session: Session, _run: Run) -> Progress:
    """End some coupons whose time is over, and give their budget back."""
    ended = max(ending.expire_coupons(session), ending.free_reserves(session))
    return Progress(done=ended) if ended == ending.OVER_AT_ONCE else Done(done=ended)


@outbox.scheduled("coupons.guesses_due", every=timedelta(hours=1))
def forget_guesses(session: Session, _event: Event) -> None:
    """Delete the counts of guesses that bound nobody any more."""
    guessing.forget_guesses(session)


@outbox.subscriber("coupon.spent_twice")
def tell_collectors(_session: Session, event: Event) -> None:
    """Write a second use of a coupon as one line of the log, for those who settle it."""
    batches.log.warning(event.topic, event_id=event.id, **event.payload)
