"""Qualification: lifting customers the moment their score allows it, and reviewing who falls.

A customer's score is what their status wallet holds unlapsed; it is stored nowhere else. Their
tier is guarded by the lock of that wallet. Posting takes it and holds it until the commit, so
of two purchases at once the second reads, in a statement that begins after it got the lock, what
the first has committed: whichever comes second sees both. Reviews and assignments take the same
lock before they read.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import programmes
from loyalty.programmes import Member, Programme
from loyalty.tiers.ladders import ladder_in_force
from loyalty.tiers.rules import BASIC, Case, Ladder, State, Step, dump_state, settle

Cause = Mapping[str, Any]
"""What a change is for: its `kind` (see `models.CAUSES`), and by number what it came from."""
CauseOf = Callable[[int], Cause]
"""Returns the cause of a customer's changes, by the customer's number."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change as written; `from_tier` equals `to_tier` where only its terms changed."""

    id: int
    customer_id: int
    from_tier: str
    to_tier: str
    reason: str
    score: int
    threshold: int
    at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True)
class Found:
    """What the database says of a member: score at `at`, state, and who wrote it last."""

    member: Member
    at: datetime
    score: int
    position: int
    state: State
    tier: str
    since: datetime
    change_id: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The steps that follow from what was found, under which ladder."""

    found: Found
    ladder: Ladder
    steps: list[Step]


# `%b` sends the arrays as bytes. The instant is taken once, so that the index serves it.
_READ = """
WITH moment AS MATERIALIZED (SELECT coalesce(%s::timestamptz, clock_timestamp()) AS at)
SELECT m.customer_id, (SELECT at FROM moment), w.position, w.debt, (
        SELECT coalesce(sum(t.remaining), 0)::bigint FROM ledger.lot_totals t
        WHERE t.account_id = w.account_id AND t.expires_at > (SELECT at FROM moment)
    ), s.tier, s.since, s.change_id, s.earned, s.valid_until, s.met, s.grace_until,
    s.assigned, s.assigned_until
FROM unnest(%b::bigint[], %b::bigint[]) AS m(customer_id, wallet)
JOIN ledger.wallets w ON w.account_id = m.wallet
LEFT JOIN loyalty.tier_states s ON s.customer_id = m.customer_id AND s.programme_id = %s
"""

_CURRENT = text("""
SELECT customer_id,
    CASE WHEN source = 'assigned' AND assigned_until <= clock_timestamp() THEN earned
        ELSE tier END AS tier
FROM loyalty.tier_states WHERE programme_id = :programme AND customer_id = ANY(:customers)
""")

_AT = text("""
SELECT CASE WHEN c.assigned_until <= asked.at THEN c.earned ELSE coalesce(c.to_tier, :basic) END
FROM unnest(CAST(:customers AS bigint[]), CAST(:instants AS timestamptz[])) WITH ORDINALITY
    AS asked (customer_id, at, number)
LEFT JOIN LATERAL (
    SELECT to_tier, after->>'earned' AS earned,
        (after->>'assigned_until')::timestamptz AS assigned_until
    FROM loyalty.tier_changes t
    WHERE t.customer_id = asked.customer_id AND t.programme_id = :programme AND t.at <= asked.at
    ORDER BY t.id DESC LIMIT 1
) c ON true
ORDER BY asked.number
""")

_WRITE_CHANGES = text("""
INSERT INTO loyalty.tier_changes (customer_id, programme_id, from_tier, to_tier, reason, score,
    threshold, position, ladder_version, before, after, cause, at)
SELECT customer_id, :programme, from_tier, to_tier, reason, score, threshold, position,
    ladder_version, before, after, cause, at
FROM jsonb_to_recordset(CAST(:changes AS jsonb)) AS c(number int, customer_id bigint,
    from_tier text, to_tier text, reason text, score bigint, threshold bigint, position bigint,
    ladder_version int, before jsonb, after jsonb, cause jsonb, at timestamptz)
ORDER BY number RETURNING id
""")

_WRITE_STATES = text("""
INSERT INTO loyalty.tier_states AS s (customer_id, programme_id, tier, since, source, earned,
    valid_until, met, grace_until, assigned, assigned_until, ladder_version, change_id)
SELECT customer_id, :programme, tier, since, source, earned, valid_until, met, grace_until,
    assigned, assigned_until, ladder_version, change_id
FROM jsonb_to_recordset(CAST(:states AS jsonb)) AS c(customer_id bigint, tier text,
    since timestamptz, source text, earned text, valid_until timestamptz,
    met bigint, grace_until timestamptz, assigned text, assigned_until timestamptz,
    ladder_version int, change_id bigint)
ON CONFLICT (customer_id, programme_id) DO UPDATE
SET tier = excluded.tier, since = excluded.since, source = excluded.source,
    earned = excluded.earned, valid_until = excluded.valid_until,
    met = excluded.met, grace_until = excluded.grace_until, assigned = excluded.assigned,
    assigned_until = excluded.assigned_until, ladder_version = excluded.ladder_version,
    change_id = excluded.change_id
""")


def current(
    session: Session, programme: Programme, customer_ids: Collection[int]
) -> dict[int, str]:
    """Return the tier that each of these customers is in now, by customer id."""
    rows = session.execute(_CURRENT, {"programme": programme.id, "customers": list(customer_ids)})
    return {**dict.fromkeys(customer_ids, BASIC), **{row.customer_id: row.tier for row in rows}}


def tiers_at(
    session: Session, programme: Programme, moments: Sequence[tuple[int, datetime]]
) -> list[str]:
    """Return the tier that each of these customers was in at each of these instants."""
    asked = {
        "programme": programme.id,
        "basic": BASIC,
        "customers": [customer for customer, _ in moments],
        "instants": [at for _, at in moments],
    }
    return list(session.execute(_AT, asked).scalars())


def requalify(
    session: Session, programme: Programme, members: Iterable[Member], cause_of: CauseOf
) -> list[Change]:
    """Lift and keep those of `members` whose score allows it, and return what changed.

    Call it after posting to their status wallets in the same transaction, also after taking
    points back: posting locked the wallets, which makes this right whoever else buys at the
    moment. One statement while nobody crosses a threshold, and three more however many do.
    Nobody falls here; `review` sees to that. `cause_of` says of each customer what it was for.
    """
    decided = _decide(session, programme, members, at=None, review=False)
    return write(session, programme, decided, cause_of)


def review(
    session: Session,
    programme: Programme,
    customer_ids: Collection[int],
    *,
    at: datetime | None = None,
    cause: Cause | None = None,
) -> list[Change]:
    """Bring the tiers of these customers to what they should be at `at`; return what changed.

    Starts and ends grace, lets fall, ends assignments, and lifts where a new ladder allows it.
    Reviewing twice changes nothing more. Customers who are no members are left out. `at` is the
    database's now unless given.
    """
    members = programmes.find_members(session, programme, customer_ids)
    ledger.lock(session, [member.status_wallet for member in members.values()])
    decided = _decide(session, programme, members.values(), at=at, review=True)
    why = cause or {"kind": "review"}
    return write(session, programme, decided, lambda _: why)


def foresee(
    session: Session,
    programme: Programme,
    customer_ids: Collection[int],
    *,
    at: datetime | None = None,
) -> dict[int, list[Step]]:
    """Return the steps that a review would take, by customer id, and take none of them."""
    members = programmes.find_members(session, programme, customer_ids)
    decided = _decide(session, programme, members.values(), at=at, review=True)
    return {one.found.member.customer_id: one.steps for one in decided}


def find(
    session: Session, programme: Programme, members: Iterable[Member], at: datetime | None = None
) -> list[Found]:
    """Return score and state of each member at `at` (None: now), in one statement."""
    by_id = {member.customer_id: member for member in members}
    wallets = [member.status_wallet for member in by_id.values()]
    # The driver itself, because every purchase waits for this: it takes half of the time.
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with driver.cursor(binary=True) as cursor:
        cursor.execute(_READ, (at, list(by_id), wallets, programme.id))
        return [_found(by_id[row[0]], *row[1:]) for row in cursor.fetchall()]


def write(
    session: Session, programme: Programme, decided: list[Decided], cause_of: CauseOf
) -> list[Change]:
    """Write each step and where it left its customer, in two statements; return the changes.

    The caller holds the locks of the status wallets.
    """
    changes = [
        (one, step, _row(number, one, step, cause_of(one.found.member.customer_id)))
        for number, (one, step) in enumerate((one, step) for one in decided for step in one.steps)
    ]
    if not changes:
        return []
    numbers = session.execute(
        _WRITE_CHANGES,
        {
            "programme": programme.id,
            "changes": _dump([row for _, _, row in changes]),
        },
    ).scalars()
    written = [
        (one, step, _change(number, row))
        for number, (one, step, row) in zip(numbers, changes, strict=True)
    ]
    states: dict[int, dict[str, Any]] = {}
    for one, step, change in written:
        earlier = states.get(change.customer_id, {}).get("since", one.found.since)
        states[change.customer_id] = _state_row(one, step, change, earlier)
    session.execute(
        _WRITE_STATES, {"programme": programme.id, "states": _dump(list(states.values()))}
    )
    return [change for _, _, change in written]


def _decide(
    session: Session,
    programme: Programme,
    members: Iterable[Member],
    *,
    at: datetime | None,
    review: bool,
) -> list[Decided]:
    ladder, zone = ladder_in_force(session, programme, at), programme.zone
    decided = []
    for found in find(session, programme, members, at):
        case = Case(ladder, zone, found.member.joined_at, found.score, found.at, review)
        steps = settle(case, found.state)
        if steps:
            decided.append(Decided(found, ladder, steps))
    return decided


def _found(
    member: Member,
    at: datetime,
    position: int,
    debt: int,
    held: int,
    tier: str | None,
    since: datetime | None,
    change_id: int | None,
    *state: Any,
) -> Found:
    score = max(0, held - debt)
    if tier is None or since is None or change_id is None:
        return Found(member, at, score, position, State(), BASIC, member.joined_at, 0)
    return Found(member, at, score, position, State(*state), tier, since, change_id)


def _row(number: int, one: Decided, step: Step, cause: Cause) -> dict[str, Any]:
    found, ladder = one.found, one.ladder
    return {
        "number": number,
        "customer_id": found.member.customer_id,
        "from_tier": step.before.tier(ladder),
        "to_tier": step.after.tier(ladder),
        "reason": step.reason,
        "score": found.score,
        "threshold": step.threshold,
        "position": found.position,
        "ladder_version": ladder.version,
        "before": dump_state(step.before),
        "after": dump_state(step.after),
        "cause": dict(cause),
        "at": found.at,
    }


def _change(number: int, row: Mapping[str, Any]) -> Change:
    fields = ("customer_id", "from_tier", "to_tier", "reason", "score", "threshold", "at", "cause")
    return Change(number, **{name: row[name] for name in fields})


def _state_row(one: Decided, step: Step, change: Change, since: datetime) -> dict[str, Any]:
    return {
        **dump_state(step.after),
        "customer_id": change.customer_id,
        "tier": change.to_tier,
        "since": since if change.from_tier == change.to_tier else change.at,
        "source": "assigned" if step.after.is_assigned(one.ladder) else "earned",
        "ladder_version": one.ladder.version,
        "change_id": change.id,
    }


def _dump(content: object) -> str:
    return orjson.dumps(content).decode()
