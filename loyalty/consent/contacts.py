"""Contact points: sealed, found by digest, verified, given up, and emptied by erasure."""

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import customers, vault
from loyalty.consent.subjects import hold_active, lock, touch
from loyalty.web import NotFound, Refused

COLUMN = "loyalty.contact_points.value"

_KNOWN = text("""
UPDATE loyalty.contact_points
SET verified_at = coalesce(:verified_at, verified_at), dead_reason = NULL,
    ownership_checked_at = coalesce(:ownership_checked_at, ownership_checked_at)
WHERE customer_id = :customer_id AND kind = :kind AND digest = :digest RETURNING id
""")
_ADD = text("""
INSERT INTO loyalty.contact_points (customer_id, kind, value, digest, verified_at,
    ownership_checked_at)
VALUES (:customer_id, :kind, :value, :digest, :verified_at, :ownership_checked_at) RETURNING id
""")
_GIVE_UP = text("""
UPDATE loyalty.contact_points SET dead_reason = :reason WHERE id = ANY(CAST(:ids AS bigint[]))
RETURNING customer_id
""")
_WHOSE = text("""
SELECT id, customer_id, value FROM loyalty.contact_points WHERE id = ANY(CAST(:ids AS bigint[]))
""")
_CUSTOMERS = text("""
SELECT id FROM loyalty.customers WHERE id > :after AND state = 'active' ORDER BY id LIMIT :limit
""")
_FORGET = text("""
UPDATE loyalty.contact_points
SET value = NULL, digest = NULL, dead_reason = 'erased', verified_at = NULL,
    ownership_checked_at = NULL
WHERE customer_id = ANY(CAST(:ids AS bigint[])) AND digest IS NOT NULL
""")
_FORGET_FITNESS = text("""
DELETE FROM loyalty.eligibility WHERE customer_id = ANY(CAST(:ids AS bigint[]))
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A number or address of a customer, as somebody reports it."""

    customer_id: int
    kind: str
    value: str
    verified_at: datetime | None = None
    ownership_checked_at: datetime | None = None


def _canonical_email(value: str) -> str:
    """Return an address as one would compare it. Raises `ValueError`."""
    written = unicodedata.normalize("NFKC", value).strip().casefold()
    name, at, host = written.rpartition("@")
    if not (name and at and "." in host) or len(written.split()) != 1 or not written.isprintable():
        raise ValueError("not an address")
    return written


def _canonical_text(value: str) -> str:
    written = " ".join(unicodedata.normalize("NFKC", value).split())
    if not written or not written.isprintable():
        raise ValueError("empty")
    return written


CANONICAL: Mapping[str, Callable[[str], str]] = {
    "PHONE": vault.canonical_phone,
    "EMAIL": _canonical_email,
    "DEVICE": _canonical_text,
    "WECHAT": _canonical_text,
    "ADDRESS": _canonical_text,
}


def contact_digest(kind: str, value: str) -> bytes:
    """Return the keyed digest by which a number or address is found, however it is written.

    Raises `Refused` with `not-a-contact` on what is none.
    """
    try:
        return vault.digest_of(f"contact.{kind}", CANONICAL[kind](value))
    except ValueError:
        raise Refused("not-a-contact") from None


def add_contacts(session: Session, contacts: Sequence[NewContact]) -> list[int]:
    """Seal contact points and return their ids, in order; a known one is brought up to date.

    Raises `NotFound` where a customer is unknown or erased, `Refused` with `not-a-contact`.
    """
    whose = {contact.customer_id for contact in contacts}
    if hold_active(session, whose) != whose:
        raise NotFound
    lock(session, whose)
    keys = vault.open_keys(session, whose, create=True)
    written = [_keep(session, contact, keys[contact.customer_id]) for contact in contacts]
    touch(session, dict.fromkeys(whose, 0))
    return written


def _keep(session: Session, contact: NewContact, key: vault.CustomerKey) -> int:
    row = {
        "customer_id": contact.customer_id,
        "kind": contact.kind,
        "digest": contact_digest(contact.kind, contact.value),
        "verified_at": contact.verified_at,
        "ownership_checked_at": contact.ownership_checked_at,
    }
    known: int | None = session.execute(_KNOWN, row).scalar_one_or_none()
    if known is not None:
        return known
    value = key.seal(COLUMN, CANONICAL[contact.kind](contact.value))
    number: int = session.execute(_ADD, {**row, "value": value}).scalar_one()
    return number


def adopt_contacts(
    session: Session, customer_ids: Collection[int], verified_at: datetime | None = None
) -> int:
    """Make contact points of the phone and e-mail that customers are registered with.

    With `verified_at` they count as proved to be theirs since then: that is for the bank to say.
    Those without, or whom nobody knows, are left out. Returns how many there are.
    """
    people = customers.read_people(session, customer_ids, customers.Purpose.DELIVERY)
    found = [
        NewContact(customer_id=number, kind=kind, value=value, verified_at=verified_at)
        for number, person in sorted(people.items())
        for kind, value in (("PHONE", person.phone), ("EMAIL", person.email))
        if value is not None
    ]
    return len(add_contacts(session, found)) if found else 0


def next_customers(session: Session, after: int, limit: int) -> Sequence[int]:
    """Return the next active customers behind a number."""
    return session.scalars(_CUSTOMERS, {"after": after, "limit": limit}).all()


def give_up(session: Session, ids: Collection[int], reason: str) -> None:
    """Mark contact points dead: a bounce, a number that is somebody else's by now."""
    found = {row.customer_id for row in session.execute(_WHOSE, {"ids": list(ids)})}
    lock(session, found)
    session.execute(_GIVE_UP, {"ids": list(ids), "reason": reason})
    touch(session, dict.fromkeys(found, 0))


def unseal_contacts(session: Session, ids: Collection[int]) -> dict[int, str]:
    """Return the values of contact points in clear, for delivery; erased ones are left out."""
    rows = session.execute(_WHOSE, {"ids": list(ids)}).all()
    keys = vault.open_keys(session, {row.customer_id for row in rows})
    return {
        row.id: keys[row.customer_id].unseal(COLUMN, bytes(row.value))
        for row in rows
        if row.value is not None and row.customer_id in keys
    }


@vault.on_erasure
def forget_contacts(session: Session, customer_ids: Collection[int]) -> None:
    """Empty the contact points of the erased, and drop what they were fit for."""
    session.execute(_FORGET, {"ids": list(customer_ids)})
    session.execute(_FORGET_FITNESS, {"ids": list(customer_ids)})
