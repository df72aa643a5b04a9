"""Housekeeping by night: old answers, ended sessions, and counts of failed sign-ins go."""

from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.web import attempts, idempotency, sessions

FORGETTING = "web.forgetting"
AT_ONCE = 5_000

PURGES = (idempotency.purge, sessions.purge, attempts.purge)


@outbox.scheduled("web.forgetting_due", every=outbox.Daily(hour=3))
def start_forgetting(session: Session, _event: outbox.Event) -> None:
    """Begin to delete what the doors keep for a while and need no more."""
    outbox.start_run(session, FORGETTING, {}, created_by="job:staff")


@outbox.work(FORGETTING)
def forget_some(session: Session, _run: outbox.Run) -> outbox.Progress:
    """Delete some of each; the run is over once none has more than that."""
    gone = [purge(session, most=AT_ONCE) for purge in PURGES]
    done = sum(gone)
    return outbox.Progress(done=done) if AT_ONCE in gone else outbox.Done(done=done)
