"""Long work of campaigns: previews and launches, in chunks that can stop and go on."""

from datetime import timedelta

from sqlalchemy.orm import Session

from campaigns import drawing, ending, expansion, launching, previewing
from loyalty.outbox import Done, Event, Progress, Run, scheduled, work
from loyalty.web import Caller


@work(previewing.RUN)
def look_at_audience(session: Session, run: Run) -> Progress:
    """Look at the next part of an audience; the last chunk writes what it comes to."""
    after = 0 if run.cursor is None else run.cursor["after"]
    people, after, is_over = previewing.advance(session, run.arguments["preview"], after)
    if is_over:
        return Done(done=people, cursor={"after": after})
    return Progress(done=people, cursor={"after": after})


@work(launching.RUN)
def reach_people(session: Session, run: Run) -> Progress:
    """Enrol the next part of an audience and ask for its messages."""
    after = 0 if run.cursor is None else run.cursor["after"]
    done = expansion.advance(session, run.arguments["launch"], after)
    progress = Done if done.is_over else Progress
    return progress(done=done.people, failed=done.failed, cursor={"after": done.after})


@work(drawing.RUN)
def hold_draw(session: Session, run: Run) -> Progress:
    """Do the next part of a draw: tickets, the draw itself, prizes."""
    step = drawing.advance(session, run.arguments["launch"], run.arguments["by"], run.cursor)
    progress = Done if step.is_over else Progress
    return progress(done=step.done, failed=step.failed, cursor=step.cursor)


@scheduled("campaigns.ends_due", every=timedelta(minutes=1))
def end_campaigns(session: Session, _event: Event) -> None:
    """End the campaigns whose time is over."""
    ending.end_due(session, Caller.job("campaigns.end"))
