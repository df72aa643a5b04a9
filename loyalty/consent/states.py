"""States: read, written, and rebuilt from the events they follow from."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.consent.rules import Event, Key, State, fold

_COLUMNS = {
    "customer_id": "bigint",
    "purpose_id": "smallint",
    "channel": "text",
    "partner_id": "bigint",
    "status": "text",
    "since_seq": "bigint",
    "mechanism": "text",
    "notice_id": "bigint",
    "separate": "boolean",
    "whole_channel": "boolean",
    "guardian": "boolean",
    "granted_at": "timestamptz",
    "refused_at": "timestamptz",
    "expires_at": "timestamptz",
}
_NAMES = ", ".join(_COLUMNS)
_OF_STATE = list(_COLUMNS)[4:]
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())
_MOVED = ", ".join(f"{name} = excluded.{name}" for name in _OF_STATE)
_READ = text(
    f"SELECT {_NAMES} FROM loyalty.consent_states"  # noqa: S608 - our own names
    " WHERE customer_id = ANY(CAST(:ids AS bigint[]))"
)
_WRITE = text(
    f"INSERT INTO loyalty.consent_states ({_NAMES}) SELECT * FROM unnest({_ARRAYS})"  # noqa: S608
    " ON CONFLICT (customer_id, purpose_id, channel, partner_id)"
    f" DO UPDATE SET {_MOVED}"
)
_CLEAR = text("DELETE FROM loyalty.consent_states WHERE customer_id = ANY(CAST(:ids AS bigint[]))")
_EVENTS = text("""
SELECT e.customer_id, e.purpose_id, e.channel, e.partner_id, p.valid_months, e.seq, e.action,
    e.occurred_at, e.mechanism, e.notice_id, e.separate, e.whole_channel,
    e.guardian IS NOT NULL AS guardian
FROM loyalty.consent_events e JOIN loyalty.consent_purposes p ON p.id = e.purpose_id
WHERE e.customer_id = ANY(CAST(:ids AS bigint[])) ORDER BY e.customer_id, e.seq
""")
_SUBJECTS = text("""
SELECT customer_id FROM loyalty.consent_subjects WHERE customer_id > :after
ORDER BY customer_id LIMIT :limit
""")

States = dict[tuple[int, Key], State]


def read(session: Session, customer_ids: Collection[int]) -> States:
    """Return every state of the customers."""
    rows = session.execute(_READ, {"ids": list(customer_ids)})
    return {(row[0], Key(*row[1:4])): State(*_state_columns(row)) for row in rows}


def _state_columns(row: Any) -> Iterator[Any]:
    return (getattr(row, name) for name in State.__dataclass_fields__)


def write(session: Session, changed: Mapping[tuple[int, Key], State]) -> None:
    """Write states over what stands there, with one statement."""
    if not changed:
        return
    rows = [
        (customer_id, *key, *(getattr(state, name) for name in _OF_STATE))
        for (customer_id, key), state in changed.items()
    ]
    columns = zip(*rows, strict=True)
    session.execute(
        _WRITE, {name: list(column) for name, column in zip(_COLUMNS, columns, strict=True)}
    )


def follow(session: Session, customer_ids: Collection[int]) -> States:
    """Return the states that the customers' events come to, from the first event on."""
    found: States = {}
    for row in session.execute(_EVENTS, {"ids": list(customer_ids)}):
        key = (row.customer_id, Key(row.purpose_id, row.channel, row.partner_id))
        state = fold(found.get(key), Event(*row[5:]), row.valid_months)
        if state is not None:
            found[key] = state
    return found


def rebuild(session: Session, customer_ids: Collection[int]) -> int:
    """Write the customers' states anew from their events; return how many were not equal.

    The caller holds the customers' locks.
    """
    held, due = read(session, customer_ids), follow(session, customer_ids)
    wrong = [key for key in held.keys() | due.keys() if held.get(key) != due.get(key)]
    session.execute(_CLEAR, {"ids": sorted({customer_id for customer_id, _ in wrong})})
    owners = {customer_id for customer_id, _ in wrong}
    write(session, {key: state for key, state in due.items() if key[0] in owners})
    return len(wrong)


def next_subjects(session: Session, after: int, limit: int) -> list[int]:
    """Return the next customers of whom anything is known, in the order of their numbers."""
    return list(session.execute(_SUBJECTS, {"after": after, "limit": limit}).scalars())
