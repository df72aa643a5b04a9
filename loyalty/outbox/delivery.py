"""Delivery: claim events under a lease, have each effect once, finish only while it is mine."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from loyalty.outbox import rules
from loyalty.outbox.models import OPEN
from loyalty.outbox.registry import Event

KEEP_DONE = timedelta(days=7)

_COLUMNS = "id, topic, aggregate, aggregate_seq, payload, created_at, attempts, lease_token"

_CLAIM = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT id FROM loyalty.outbox
        WHERE topic = :topic AND {OPEN} AND not_before <= clock_timestamp()
            AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY not_before LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE loyalty.outbox AS event
    SET lease_token = :token, lease_until = clock_timestamp() + :lease, attempts = attempts + 1
    FROM due WHERE event.id = due.id
    RETURNING {", ".join(f"event.{column.strip()}" for column in _COLUMNS.split(","))}
    """  # noqa: S608
)
_HOLD = text(
    f"""
    SELECT id FROM loyalty.outbox WHERE id = ANY(:ids) AND lease_token = :token AND {OPEN}
    ORDER BY id FOR NO KEY UPDATE
    """  # noqa: S608
)
_ACCEPT = text(
    """
    INSERT INTO loyalty.inbox (event_id, consumer)
    SELECT id, :consumer FROM unnest(CAST(:ids AS bigint[])) AS id
    ON CONFLICT DO NOTHING RETURNING event_id
    """
)
_ACCEPTED = text("SELECT 1 FROM loyalty.inbox WHERE event_id = :id AND consumer = :consumer")
_FINISH = text(
    f"""
    UPDATE loyalty.outbox
    SET done_at = clock_timestamp(), lease_token = NULL, lease_until = NULL, last_error = NULL
    WHERE id = ANY(:ids) AND lease_token = :token AND {OPEN} RETURNING id
    """  # noqa: S608
)
_POSTPONE = """
    UPDATE loyalty.outbox
    SET lease_token = NULL, lease_until = NULL, last_error = :error,
        not_before = clock_timestamp()
            + coalesce((CAST(:backoff AS interval[]))[attempts], interval '0'),
        dead_at = CASE WHEN attempts > cardinality(CAST(:backoff AS interval[]))
            THEN clock_timestamp() END
"""
_POSTPONE_ONE = text(
    f"{_POSTPONE} WHERE id = :id AND lease_token = :token AND {OPEN} RETURNING dead_at"
)
_SWEEP = text(
    f"""{_POSTPONE} WHERE id IN (
        SELECT id FROM loyalty.outbox WHERE {OPEN} AND lease_until < clock_timestamp()
        LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
    ) RETURNING id"""  # noqa: S608
)
_RELEASE = text(
    f"""
    UPDATE loyalty.outbox
    SET lease_token = NULL, lease_until = NULL, attempts = attempts - 1
    WHERE id = ANY(:ids) AND lease_token = :token AND {OPEN}
    """  # noqa: S608
)
_REPLAY = text(
    """
    UPDATE loyalty.outbox
    SET dead_at = NULL, attempts = 0, not_before = clock_timestamp()
    WHERE id = ANY(:ids) AND dead_at IS NOT NULL RETURNING topic
    """
)
_FORGET = text(
    """
    DELETE FROM loyalty.outbox WHERE id IN (
        SELECT id FROM loyalty.outbox WHERE done_at < clock_timestamp() - :age
        ORDER BY done_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ) RETURNING id
    """
)


class Orphaned(Exception):
    """The lease passed to somebody else: whatever this transaction did must not last."""


def claim(session: Session, topic: str, limit: int, lease: timedelta) -> list[Event]:
    """Lease up to `limit` due events of `topic`, oldest first; nobody else gets them meanwhile.

    Commit at once: the lease, not the transaction, is what protects them.
    """
    rows = session.execute(
        _CLAIM, {"topic": topic, "limit": limit, "lease": lease, "token": uuid4()}
    )
    return sorted(map(_event, rows.mappings()), key=lambda event: event.id)


def hold(session: Session, events: Sequence[Event]) -> None:
    """Keep `events` of one claim for the length of this transaction.

    The row locks outlast the lease while this connection lives, and die with it. Raises
    `Orphaned` where one is not mine any more.
    """
    _expect_all(events, session.execute(_HOLD, _mine(events)).all())


def accept(session: Session, events: Sequence[Event], consumer: str) -> set[int]:
    """Note that `consumer` has its effects in this transaction; return for which events.

    Those that are missing in the answer had their effect before.
    """
    ids = [event.id for event in events]
    return set(session.scalars(_ACCEPT, {"ids": ids, "consumer": consumer}))


def was_accepted(session: Session, event: Event, consumer: str) -> bool:
    """Return whether `consumer` had its effect for `event`."""
    return session.execute(_ACCEPTED, {"id": event.id, "consumer": consumer}).first() is not None


def finish(session: Session, events: Sequence[Event]) -> None:
    """Mark `events` of one claim delivered to all. Raises `Orphaned` where one is not mine."""
    _expect_all(events, session.execute(_FINISH, _mine(events)).all())


def postpone(session: Session, event: Event, error: str) -> bool:
    """Try `event` again later by the back-off table; return whether it is dead instead.

    Raises `Orphaned` where the lease is not mine any more.
    """
    row = session.execute(
        _POSTPONE_ONE,
        {
            "id": event.id,
            "token": event.lease_token,
            "error": error,
            "backoff": list(rules.BACKOFF),
        },
    ).first()
    if row is None:
        raise Orphaned(f"event {event.id}")
    return row.dead_at is not None


def release(session: Session, events: Sequence[Event]) -> None:
    """Give back events of one claim that were not begun, as if never claimed."""
    if events:
        session.execute(_RELEASE, _mine(events))


def sweep(session: Session) -> int:
    """Open events again whose lease expired, later by the table; return how many."""
    rows = session.execute(_SWEEP, {"error": "lease expired", "backoff": list(rules.BACKOFF)})
    return len(rows.all())


def replay(session: Session, ids: Sequence[int]) -> list[str]:
    """Bring dead events back to life, due now; return the topics of those that were dead."""
    return list(session.scalars(_REPLAY, {"ids": list(ids)}))


def forget(session: Session, age: timedelta = KEEP_DONE, limit: int = 5_000) -> int:
    """Delete up to `limit` events delivered more than `age` ago, with their inbox entries."""
    return len(session.execute(_FORGET, {"age": age, "limit": limit}).all())


def _mine(events: Sequence[Event]) -> dict[str, Any]:
    return {"ids": [event.id for event in events], "token": events[0].lease_token}


def _expect_all(events: Sequence[Event], found: Sequence[object]) -> None:
    if len(found) != len(events):
        raise Orphaned(f"{len(events) - len(found)} of {len(events)} events")


def _event(row: RowMapping) -> Event:
    return Event(**row)
