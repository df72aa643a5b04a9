"""The review of a whole programme: everybody once, in chunks of members in the order of ids."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.programmes import Programme
from loyalty.tiers.qualification import foresee, review

KIND = "tiers.review"
CHUNK = 500

_NEXT = text("""
SELECT customer_id FROM loyalty.memberships
WHERE programme_id = :programme AND customer_id > :after ORDER BY customer_id LIMIT :limit
""")
_COUNT = text("SELECT count(*) FROM loyalty.memberships WHERE programme_id = :programme")


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a chunk came to: the last customer in it, how many there were, changes by reason."""

    last: int
    customers: int
    reasons: Counter[str]


def start(session: Session, programme: Programme, created_by: str) -> int:
    """Queue a review of all members as a run and return its number. It can stop and go on."""
    return outbox.start_run(
        session,
        KIND,
        {"programme": programme.id},
        created_by=created_by,
        total=count_members(session, programme),
    )


def count_members(session: Session, programme: Programme) -> int:
    """Return how many members a programme has."""
    return int(session.execute(_COUNT, {"programme": programme.id}).scalar_one())


def review_next(
    session: Session,
    programme: Programme,
    after: int,
    *,
    limit: int,
    dry: bool = False,
    run: int | None = None,
) -> Chunk | None:
    """Review the next `limit` members beyond the customer `after`; None where none is left.

    `dry` only counts what would change. `run` goes into the cause of each change.
    """
    found = session.execute(
        _NEXT, {"programme": programme.id, "after": after, "limit": limit}
    ).scalars()
    customers = list(found)
    if not customers:
        return None
    if dry:
        foreseen = foresee(session, programme, customers)
        reasons = Counter(step.reason for steps in foreseen.values() for step in steps)
    else:
        cause = {"kind": "review", "run": run}
        changes = review(session, programme, customers, cause=cause)
        reasons = Counter(change.reason for change in changes)
    return Chunk(customers[-1], len(customers), reasons)
