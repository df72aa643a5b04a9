"""Stops: whom not to contact, why and for how long, by customer and by contact."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.consent.subjects import lock, touch
from loyalty.web import Caller, NotFound

_ADD = text("""
INSERT INTO loyalty.suppressions (customer_id, contact_digest, scope, scope_value, reason, source,
    reference, actor_id, starts_at, ends_at)
VALUES (:customer_id, :contact_digest, :scope, :scope_value, :reason, :source, :reference,
    :actor_id, coalesce(CAST(:starts_at AS timestamptz), clock_timestamp()), :ends_at)
RETURNING id
""")
_FIND = text("""
SELECT customer_id, contact_digest FROM loyalty.suppressions WHERE id = :id
""")
_END = text("""
INSERT INTO loyalty.suppression_ends (suppression_id, reason, actor_id)
VALUES (:id, :reason, :actor_id) ON CONFLICT DO NOTHING
""")
_OWNERS = text("""
SELECT DISTINCT customer_id FROM loyalty.contact_points
WHERE digest = ANY(CAST(:digests AS bytea[]))
""")
_LIST = text("""
SELECT s.id, s.scope, s.scope_value, s.reason, s.starts_at, s.ends_at, e.ended_at
FROM loyalty.suppressions s LEFT JOIN loyalty.suppression_ends e ON e.suppression_id = s.id
WHERE s.customer_id = :customer_id AND s.id > :after ORDER BY s.id LIMIT :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSuppression:
    """A stop to be written: for a customer, for whoever has a contact, or for both.

    `scope_value` names the channel, purpose or topic; ALL and CONTACT_POINT have none.
    """

    scope: str
    reason: str
    source: str
    reference: str
    customer_id: int | None = None
    contact_digest: bytes | None = None
    scope_value: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def suppress(session: Session, caller: Caller, stops: Sequence[NewSuppression]) -> list[int]:
    """Write stops and return their ids, in order; in force with the commit.

    Whoever has one of the contacts is held and counts as changed. Raises `NotFound` where a
    customer is unknown.
    """
    named = {stop.customer_id for stop in stops if stop.customer_id is not None}
    digests = {stop.contact_digest for stop in stops if stop.contact_digest is not None}
    locked = lock(session, named | owners_of(session, digests))
    if not named <= locked.keys():
        raise NotFound
    written = [session.execute(_ADD, _columns(stop, caller)).scalar_one() for stop in stops]
    touch(session, dict.fromkeys(locked, 0))
    return written


def _columns(stop: NewSuppression, caller: Caller) -> dict[str, Any]:
    own = {name: getattr(stop, name) for name in NewSuppression.__dataclass_fields__}
    return {**own, "actor_id": caller.id}


def owners_of(session: Session, digests: Collection[bytes]) -> set[int]:
    """Return the customers who have a contact point with one of these digests."""
    if not digests:
        return set()
    return set(session.execute(_OWNERS, {"digests": list(digests)}).scalars())


def end_suppression(session: Session, caller: Caller, number: int, reason: str) -> None:
    """End a stop now; ending it again changes nothing. Raises `NotFound`."""
    found = session.execute(_FIND, {"id": number}).one_or_none()
    if found is None:
        raise NotFound
    whom = set() if found.customer_id is None else {found.customer_id}
    if found.contact_digest is not None:
        whom |= owners_of(session, {bytes(found.contact_digest)})
    locked = lock(session, whom)
    session.execute(_END, {"id": number, "reason": reason, "actor_id": caller.id})
    touch(session, dict.fromkeys(locked, 0))


def list_suppressions(
    session: Session, customer_id: int, *, after: int = 0, limit: int = 50
) -> list[Any]:
    """Return a customer's stops, ended ones too, oldest first, from behind an id on."""
    asked = {"customer_id": customer_id, "after": after, "limit": limit}
    return list(session.execute(_LIST, asked))
