"""Writing down what customers want: the event, the state that follows, in one transaction."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.consent import notices, states
from loyalty.consent.notices import Notice, Purpose
from loyalty.consent.rules import (
    CHANNELS,
    EXPIRE,
    GRANT,
    IMPORT,
    NO_CHANNEL,
    ON_SCREEN,
    REFUSE,
    WITHDRAW,
    Event,
    Key,
    State,
    find_missing_proof,
    find_proof_fault,
    fold,
)
from loyalty.consent.subjects import lock, touch
from loyalty.web import Caller, NotFound, Refused

SLACK = timedelta(minutes=1)  # by which another host's clock may be ahead of ours

_NOW = text("SELECT clock_timestamp()")
_CUSTOMERS = text("""
SELECT c.id, c.state = 'active' AS active, e.age_band
FROM loyalty.customers c LEFT JOIN loyalty.eligibility e ON e.customer_id = c.id
WHERE c.id = ANY(CAST(:ids AS bigint[]))
""")
_EARLIER = text("""
SELECT e.customer_id, e.source, e.reference, e.purpose_id, e.channel, e.partner_id, e.action,
    e.notice_id, e.mechanism, e.whole_channel, e.seq
FROM loyalty.consent_events e
JOIN unnest(CAST(:customers AS bigint[]), CAST(:sources AS text[]), CAST(:references AS text[]))
    AS k (customer_id, source, reference)
    ON e.customer_id = k.customer_id AND e.source = k.source AND e.reference = k.reference
""")
_PRESENTED = text("""
SELECT p.customer_id, p.id, p.notice_id, p.shown_at FROM loyalty.consent_presentations p
JOIN unnest(CAST(:customers AS bigint[]), CAST(:ids AS bigint[])) AS k (customer_id, id)
    ON p.customer_id = k.customer_id AND p.id = k.id
""")
_COLUMNS = {
    "customer_id": "bigint",
    "purpose_id": "smallint",
    "channel": "text",
    "partner_id": "bigint",
    "action": "text",
    "separate": "boolean",
    "whole_channel": "boolean",
    "notice_id": "bigint",
    "presentation_id": "bigint",
    "mechanism": "text",
    "guardian": "text",
    "proof": "jsonb",
    "source": "text",
    "reference": "text",
    "actor_kind": "text",
    "actor_id": "text",
    "occurred_at": "timestamptz",
}
_NAMES = ", ".join(_COLUMNS)
_TAKEN = ", ".join("CAST(proof AS jsonb)" if name == "proof" else name for name in _COLUMNS)
_ARRAYS = ", ".join(
    f"CAST(:{name} AS {'text' if kind == 'jsonb' else kind}[])" for name, kind in _COLUMNS.items()
)
_WRITE = text(
    f"INSERT INTO loyalty.consent_events ({_NAMES}) SELECT {_TAKEN}"  # noqa: S608 - our own names
    f" FROM unnest({_ARRAYS}) WITH ORDINALITY AS fresh ({_NAMES}, n) ORDER BY n RETURNING seq"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """What a customer did, as somebody reports it; `occurred_at` is now where nothing is said.

    The same source and reference, for the same purpose, channel and partner, count once.
    """

    customer_id: int
    purpose: str
    channel: str
    action: str
    mechanism: str
    source: str
    reference: str
    partner_id: int = 0
    occurred_at: datetime | None = None
    notice_id: int | None = None
    presentation_id: int | None = None
    separate: bool = False
    whole_channel: bool = False
    guardian: str | None = None
    proof: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one event: its number and the state after it, or why it was refused."""

    seq: int | None = None
    status: str | None = None
    refusal: Refused | None = None
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A customer who no longer wants something: what whoever holds queued messages purges by."""

    customer_id: int
    purpose: str
    channel: str


Purge = Callable[[Session, Sequence[Refusal]], None]
_purges: list[Purge] = []


def on_refusal(purge: Purge) -> Purge:
    """Have `purge` called in the transaction of every refusal, withdrawal and expiry.

    For later slices that hold messages in a queue: what was refused goes from it at the commit.
    """
    if purge not in _purges:
        _purges.append(purge)
    return purge


@dataclass(frozen=True, slots=True)
class _World:
    """What events are judged against, read for all of them at once."""

    now: datetime
    customers: Mapping[int, Any]
    purposes: Mapping[str, Purpose]
    notices: Mapping[int, Notice]
    presented: Mapping[tuple[int, int], Any]
    earlier: Mapping[tuple[Any, ...], Any]


def record(session: Session, caller: Caller, events: Sequence[NewEvent]) -> list[Recorded]:
    """Write what customers want and what follows of it; one result each, in order.

    A refused event does not stop its neighbours. A refusal or withdrawal is in force with the
    commit. Holds the customers' locks.
    """
    lock(session, [event.customer_id for event in events])
    world = _read_world(session, events)
    results: list[Recorded | None] = []
    fresh: dict[tuple[Any, ...], NewEvent] = {}
    for event in events:
        result = _judge(event, world, fresh)
        results.append(result)
        if result is None:
            fresh.setdefault(_identity(event, world), event)
    written = _write(session, caller, list(fresh.values()), world)
    after = _follow(session, list(fresh.values()), written, world)
    numbers = dict(zip(fresh, zip(written, after, strict=True), strict=True))
    found = []
    seen: set[tuple[Any, ...]] = set()
    for event, result in zip(events, results, strict=True):
        if result is None:
            identity = _identity(event, world)
            seq, status = numbers[identity]
            result = Recorded(seq, status, is_repeat=identity in seen)  # noqa: PLW2901
            seen.add(identity)
        found.append(result)
    return found


def _read_world(session: Session, events: Sequence[NewEvent]) -> _World:
    customers = {
        row.id: row
        for row in session.execute(
            _CUSTOMERS, {"ids": list({event.customer_id for event in events})}
        )
    }
    shown = [(e.customer_id, e.presentation_id) for e in events if e.presentation_id is not None]
    return _World(
        now=session.execute(_NOW).scalar_one(),
        customers=customers,
        purposes=notices.read_purposes(session),
        notices=notices.read_notices(
            session, {event.notice_id for event in events if event.notice_id is not None}
        ),
        presented={
            (row.customer_id, row.id): row
            for row in session.execute(
                _PRESENTED, {"customers": [c for c, _ in shown], "ids": [i for _, i in shown]}
            )
        },
        earlier=_read_earlier(session, events),
    )


def _read_earlier(session: Session, events: Sequence[NewEvent]) -> dict[tuple[Any, ...], Any]:
    keys = {(event.customer_id, event.source, event.reference) for event in events}
    rows = session.execute(
        _EARLIER,
        {
            "customers": [key[0] for key in keys],
            "sources": [key[1] for key in keys],
            "references": [key[2] for key in keys],
        },
    )
    return {tuple(row[:6]): row for row in rows}


def _identity(event: NewEvent, world: _World) -> tuple[Any, ...]:
    return (
        event.customer_id,
        event.source,
        event.reference,
        world.purposes[event.purpose].id,
        event.channel,
        event.partner_id,
    )


def _judge(
    event: NewEvent, world: _World, fresh: Mapping[tuple[Any, ...], NewEvent]
) -> Recorded | None:
    """Return why an event is not written anew, or None where it is."""
    customer = world.customers.get(event.customer_id)
    if customer is None:
        return Recorded(refusal=NotFound())
    if event.purpose not in world.purposes:
        return _refuse("unknown-purpose")
    identity = _identity(event, world)
    earlier = world.earlier.get(identity) or fresh.get(identity)
    if earlier is not None:
        return _repeat(event, earlier)
    if not customer.active:
        return _refuse("customer-erased")
    code = _find_fault(event, world)
    if code is None and _is_bundled(event, world, fresh):
        code = "separate-needed"
    return None if code is None else _refuse(code)


def _refuse(code: str) -> Recorded:
    return Recorded(refusal=Refused(code))


def _repeat(event: NewEvent, earlier: Any) -> Recorded | None:
    """Return the answer to what was sent before; None where it came in this very list."""
    same = ("action", "notice_id", "mechanism", "whole_channel")
    if any(getattr(event, name) != getattr(earlier, name) for name in same):
        return _refuse("reference-reused")
    if isinstance(earlier, NewEvent):
        return None
    return Recorded(earlier.seq, None, is_repeat=True)


def _find_fault(event: NewEvent, world: _World) -> str | None:
    """Return the code of what is wrong with an event, or None."""
    purpose = world.purposes[event.purpose]
    if event.channel not in (CHANNELS if purpose.by_channel else (NO_CHANNEL,)):
        return "wrong-channel"
    if event.occurred_at is not None and event.occurred_at > world.now + SLACK:
        return "not-yet-happened"
    if find_proof_fault(event.proof) is not None:
        return "proof-not-opaque"
    if event.action == IMPORT and event.occurred_at is None:
        return "consent-unproved"
    if event.action not in (GRANT, IMPORT):
        return None
    return _find_agreement_fault(event, purpose, world)


def _find_agreement_fault(event: NewEvent, purpose: Purpose, world: _World) -> str | None:
    at = event.occurred_at or world.now
    notice = world.notices.get(event.notice_id or 0)
    if notice is None or notice.purpose_id != purpose.id or notice.effective_from > at:
        return "notice-not-in-force"
    mechanism = IMPORT if event.action == IMPORT else event.mechanism
    if not event.proof or find_missing_proof(mechanism, event.proof):
        return "consent-unproved"
    if event.action == GRANT and not _was_shown(event, at, world):
        return "notice-not-shown"
    if purpose.needs_separate and not event.separate:
        return "separate-needed"
    if world.customers[event.customer_id].age_band == "UNDER_14" and not event.guardian:
        return "guardian-needed"
    return None


def _was_shown(event: NewEvent, at: datetime, world: _World) -> bool:
    """Return whether the notice that was agreed to had been on that screen."""
    if event.presentation_id is None:
        return event.mechanism not in ON_SCREEN
    shown = world.presented.get((event.customer_id, event.presentation_id))
    return shown is not None and shown.notice_id == event.notice_id and shown.shown_at <= at + SLACK


def _is_bundled(event: NewEvent, world: _World, fresh: Mapping[tuple[Any, ...], NewEvent]) -> bool:
    """Return whether what is to be agreed to by itself came in one act with something else."""
    purpose = world.purposes[event.purpose]
    if event.action not in (GRANT, IMPORT):
        return False
    act = (event.customer_id, event.source, event.reference)
    beside = {
        known[3]
        for known, other in (*world.earlier.items(), *fresh.items())
        if known[:3] == act and other.action in (GRANT, IMPORT)
    } - {purpose.id}
    by_id = {known.id: known for known in world.purposes.values()}
    return bool(beside) and (
        purpose.needs_separate or any(by_id[number].needs_separate for number in beside)
    )


def _write(
    session: Session, caller: Caller, events: Sequence[NewEvent], world: _World
) -> list[int]:
    """Insert events and return their numbers, in order."""
    if not events:
        return []
    rows = [_row(event, caller, world) for event in events]
    columns = {name: [row[name] for row in rows] for name in _COLUMNS}
    return [row.seq for row in session.execute(_WRITE, columns)]


def _row(event: NewEvent, caller: Caller, world: _World) -> dict[str, Any]:
    own = {name: getattr(event, name) for name in NewEvent.__dataclass_fields__}
    return {
        **own,
        "purpose_id": world.purposes[event.purpose].id,
        "proof": None if event.proof is None else ledger.dump_json(event.proof),
        "actor_kind": str(caller.kind),
        "actor_id": caller.id,
        "occurred_at": event.occurred_at or world.now,
    }


def _follow(
    session: Session, events: Sequence[NewEvent], written: Sequence[int], world: _World
) -> list[str | None]:
    """Bring states and subjects up to the events; return the status after each."""
    held = states.read(session, {event.customer_id for event in events})
    changed: dict[tuple[int, Key], State] = {}
    newest: dict[int, int] = {}
    after = []
    for event, seq in zip(events, written, strict=True):
        purpose = world.purposes[event.purpose]
        key = (event.customer_id, Key(purpose.id, event.channel, event.partner_id))
        state = fold(held.get(key), _event(event, seq, world), purpose.valid_months)
        if state is not None:
            held[key] = changed[key] = state
        newest[event.customer_id] = max(seq, newest.get(event.customer_id, 0))
        after.append(None if state is None else state.status)
    states.write(session, changed)
    touch(session, newest)
    _purge(session, events)
    return after


def _event(event: NewEvent, seq: int, world: _World) -> Event:
    return Event(
        seq=seq,
        action=event.action,
        occurred_at=event.occurred_at or world.now,
        mechanism=event.mechanism,
        notice_id=event.notice_id,
        separate=event.separate,
        whole_channel=event.whole_channel,
        guardian=event.guardian is not None,
    )


def _purge(session: Session, events: Iterable[NewEvent]) -> None:
    ended = [
        Refusal(event.customer_id, event.purpose, event.channel)
        for event in events
        if event.action in (REFUSE, WITHDRAW, EXPIRE)
    ]
    for purge in _purges if ended else ():
        purge(session, ended)


def withdraw(
    session: Session,
    caller: Caller,
    customer_ids: Collection[int],
    *,
    mechanism: str,
    source: str,
    reference: str,
    purpose: str | None = None,
    channel: str | None = None,
    partner_id: int | None = None,
    occurred_at: datetime | None = None,
    proof: Mapping[str, str] | None = None,
) -> list[Recorded]:
    """Take back consent with one call: for a purpose, a channel, both, or all marketing.

    Nothing has to be known, shown or agreed to before. Without `purpose` it means everything
    that comes by the channel, without `partner_id` every partner ever agreed to. Raises
    `Refused` with `unknown-purpose`.
    """
    purposes = notices.read_purposes(session)
    if purpose is not None and purpose not in purposes:
        raise Refused("unknown-purpose")
    chosen = [
        known
        for known in purposes.values()
        if known.code == purpose or (purpose is None and known.is_marketing)
    ]
    whose = sorted(set(customer_ids))
    held = states.read(session, whose)
    events = [
        NewEvent(
            customer_id=customer_id,
            purpose=known.code,
            channel=way,
            partner_id=partner,
            action=WITHDRAW,
            mechanism=mechanism,
            source=source,
            reference=reference,
            occurred_at=occurred_at,
            whole_channel=purpose is None and known.by_channel,
            proof=proof,
        )
        for customer_id in whose
        for known in chosen
        for way in _ways(known, channel, by_name=purpose is not None)
        for partner in _partners(held, customer_id, known, partner_id)
    ]
    return record(session, caller, events)


def _ways(purpose: Purpose, channel: str | None, *, by_name: bool) -> tuple[str, ...]:
    if not purpose.by_channel:
        return (NO_CHANNEL,) if by_name or channel is None else ()
    return CHANNELS if channel is None else (channel,)


def _partners(
    held: states.States, customer_id: int, purpose: Purpose, partner_id: int | None
) -> list[int]:
    if partner_id is not None:
        return [partner_id]
    about = {
        key.partner_id
        for owner, key in held
        if owner == customer_id and key.purpose_id == purpose.id
    }
    return sorted(about | {0})
