"""A customer's standing: the tier now, what leads to the next, what it takes to stay, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.programmes import Member, Programme
from loyalty.tiers import qualification
from loyalty.tiers.ladders import ladder_in_force
from loyalty.tiers.qualification import Change
from loyalty.tiers.rules import Ladder, State, Tier

LATEST = 20
Expiries = Sequence[tuple[datetime, int]]

_HISTORY = text("""
SELECT id, customer_id, from_tier, to_tier, reason, score, threshold, at, cause
FROM loyalty.tier_changes WHERE customer_id = :customer AND programme_id = :programme
ORDER BY id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Staying:
    """How many more status points keep the tier beyond `until`; None: no date threatens it."""

    points: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands at `at`. Points are status points; instants are UTC.

    `score` is what counts now and `expiries` when it lapses. `next_tier` is None at the top.
    `assigned_until` says when an assignment ends, also one beneath an earned tier. `history`
    is newest first.
    """

    at: datetime
    tier: Tier
    since: datetime
    source: str
    score: int
    expiries: Expiries
    next_tier: Tier | None
    points_to_next: int | None
    staying: Staying
    valid_until: datetime | None
    grace_until: datetime | None
    assigned_until: datetime | None
    ladder: Ladder
    history: list[Change]


def read_standing(session: Session, programme: Programme, member: Member) -> Standing:
    """Return where a member stands now, with the last changes and their reasons."""
    found = qualification.find(session, programme, [member])[0]
    ladder = ladder_in_force(session, programme, found.at)
    expiries = ledger.read_balance(session, member.status_wallet).expiries
    state = _as_of(found.state, found.at)
    rank = ladder.rank(state.tier(ladder))
    above = ladder.tiers[rank + 1] if rank + 1 < len(ladder.tiers) else None
    return Standing(
        at=found.at,
        tier=ladder.tiers[rank],
        since=_since(found, state, ladder),
        source="assigned" if state.is_assigned(ladder) else "earned",
        score=found.score,
        expiries=expiries,
        next_tier=above,
        points_to_next=None if above is None else max(0, above.threshold - found.score),
        staying=find_staying(ladder, state, found.score, expiries),
        valid_until=state.valid_until,
        grace_until=state.grace_until,
        assigned_until=state.assigned_until,
        ladder=ladder,
        history=read_history(session, programme, member.customer_id),
    )


def read_history(
    session: Session, programme: Programme, customer_id: int, limit: int = LATEST
) -> list[Change]:
    """Return a customer's last changes, newest first."""
    rows = session.execute(
        _HISTORY, {"customer": customer_id, "programme": programme.id, "limit": limit}
    )
    return [Change(*row) for row in rows]


def find_staying(ladder: Ladder, state: State, score: int, expiries: Expiries) -> Staying:
    """Return what it takes to stay in the tier, and by when.

    In grace or on assignment: what the score lacks now, by their end. Where a tier is kept to
    the end of a year: what the points that still count then lack. Else: the first lapse of
    points that takes the score below the threshold, and what is missing after it. No date is
    named where the score is too low already and no review has begun the grace.
    """
    threshold = ladder.tiers[ladder.rank(state.tier(ladder))].threshold
    if threshold == 0:
        return Staying(0, None)
    lacking = max(0, threshold - score)
    until = state.assigned_until if state.is_assigned(ladder) else state.grace_until
    if until is not None:
        return Staying(lacking, until)
    if state.valid_until is not None:
        lapsing = sum(amount for at, amount in expiries if at < state.valid_until)
        return Staying(max(0, threshold - max(0, score - lapsing)), state.valid_until)
    for at, amount in () if lacking else expiries:
        score -= amount
        if score < threshold:
            return Staying(threshold - max(0, score), at)
    return Staying(lacking, None)


def _as_of(state: State, at: datetime) -> State:
    """Return `state` without an assignment that is over, even where no review has said so."""
    if state.assigned_until is not None and state.assigned_until <= at:
        return replace(state, assigned=None, assigned_until=None)
    return state


def _since(found: qualification.Found, state: State, ladder: Ladder) -> datetime:
    if state.assigned is None and found.state.is_assigned(ladder):
        assert found.state.assigned_until is not None
        return found.state.assigned_until
    return found.since
