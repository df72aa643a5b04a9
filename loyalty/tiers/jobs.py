"""The daily review in the background."""

from sqlalchemy.orm import Session

from loyalty import outbox, programmes
from loyalty.tiers import reviews
from loyalty.tiers.ladders import ladder_in_force


@outbox.scheduled("tiers.review-due", every=outbox.Daily(hour=1))
def start_reviews(session: Session, event: outbox.Event) -> None:
    """Start a review of each programme that has a ladder."""
    for programme in programmes.list_programmes(session):
        if ladder_in_force(session, programme).version:
            reviews.start(session, programme, f"schedule:{event.topic}")


@outbox.work(reviews.KIND)
def review_chunk(session: Session, run: outbox.Run) -> outbox.Progress:
    """Review the next members of the run's programme."""
    number = run.arguments["programme"]
    programme = next(p for p in programmes.list_programmes(session) if p.id == number)
    after = run.cursor["after"] if run.cursor else 0
    chunk = reviews.review_next(session, programme, after, limit=reviews.CHUNK, run=run.id)
    if chunk is None:
        return outbox.Done()
    return outbox.Progress(done=chunk.customers, cursor={"after": chunk.last})
