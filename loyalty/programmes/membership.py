"""Joining a programme: each customer once, with a wallet for points and one for status points."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import ledger
from loyalty import customers
from loyalty.database import driver
from loyalty.programmes.queries import Programme, list_programmes
from loyalty.web import Refused


@dataclass(frozen=True, slots=True)
class Member:
    """A customer in a programme; wallets are account ids of the ledger."""

    customer_id: int
    programme_id: int
    points_wallet: int
    status_wallet: int
    joined_at: datetime


MOST_KNOWN = 100_000
_known: WeakKeyDictionary[Engine, dict[tuple[int, int], Member]] = WeakKeyDictionary()

MEMBERS = text("""
SELECT customer_id, programme_id, points_wallet_id, status_wallet_id, joined_at
FROM loyalty.memberships WHERE programme_id = :programme AND customer_id = ANY(:customers)
""")

BY_REFERENCE = """
SELECT c.reference, c.id, m.points_wallet_id, m.status_wallet_id, m.joined_at
FROM loyalty.customers c
LEFT JOIN loyalty.memberships m ON m.customer_id = c.id AND m.programme_id = %s
WHERE c.reference = ANY(%s) AND c.state = 'active'
"""

JOIN = text("""
INSERT INTO loyalty.memberships (customer_id, programme_id, points_wallet_id, status_wallet_id)
SELECT c, :programme, p, s
FROM unnest(CAST(:customers AS bigint[]), CAST(:points AS bigint[]), CAST(:status AS bigint[]))
    AS new(c, p, s)
ON CONFLICT (customer_id, programme_id) DO NOTHING
""")


def holder_of(customer_id: int) -> str:
    """Return the opaque name under which the ledger knows a customer."""
    return f"customer:{customer_id}"


def enrol(
    session: Session, programme: Programme, customer_ids: Collection[int]
) -> dict[int, Member]:
    """Make these customers members and return them by customer id; members stay as they are."""
    customers = sorted(set(customer_ids))
    holders = [holder_of(customer) for customer in customers]
    points = ledger.open_wallets(
        session, programme.points_unit_id, holders, floor=-programme.debt_limit
    )
    status = ledger.open_wallets(
        session, programme.status_unit_id, holders, floor=-ledger.MAX_AMOUNT
    )
    session.execute(
        JOIN,
        {
            "programme": programme.id,
            "customers": customers,
            "points": [points[holder] for holder in holders],
            "status": [status[holder] for holder in holders],
        },
    )
    return find_members(session, programme, customers)


def find_members(
    session: Session, programme: Programme, customer_ids: Collection[int]
) -> dict[int, Member]:
    """Return those of the customers who are members, by customer id."""
    rows = session.execute(MEMBERS, {"programme": programme.id, "customers": list(customer_ids)})
    return {row.customer_id: Member(*row) for row in rows}


def find_member(session: Session, programme: Programme, customer_id: int) -> Member:
    """Return a customer as a member. Raises `Refused` with `not-a-member`.

    A membership never changes, so each process remembers those it has read.
    """
    known = _known.setdefault(session.get_bind().engine, {})
    key = (programme.id, customer_id)
    member = known.get(key)
    if member is None:
        member = find_members(session, programme, [customer_id]).get(customer_id)
        if member is None:
            raise Refused("not-a-member")
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[key] = member
    return member


def find_active_member(session: Session, programme: Programme, customer_id: int) -> Member:
    """Return a member who may still spend and use, which an erased customer may not.

    Raises `Refused` with `not-a-member` or `customer-erased`.
    """
    member = find_member(session, programme, customer_id)
    if not customers.customers_by_id(session, [customer_id])[customer_id].is_active:
        raise Refused("customer-erased")
    return member


def find_or_enrol(
    session: Session, programme: Programme, references: Collection[str]
) -> dict[str, Member]:
    """Return the active customers with these references as members, by reference.

    Who is registered but no member yet becomes one; unknown references are left out.
    """
    asked = (programme.id, list(references))
    rows = driver(session).execute(BY_REFERENCE, asked).fetchall()
    members = {
        reference: Member(customer, programme.id, points, *rest)
        for reference, customer, points, *rest in rows
        if points is not None
    }
    new = {customer: reference for reference, customer, points, *_ in rows if points is None}
    if new:
        for customer_id, member in enrol(session, programme, new).items():
            members[new[customer_id]] = member
    return members


def find_membership(session: Session, customer_id: int) -> tuple[Programme, Member] | None:
    """Return the first programme that a customer is in, with their wallets; None where in none."""
    for programme in list_programmes(session):
        member = find_members(session, programme, [customer_id]).get(customer_id)
        if member is not None:
            return programme, member
    return None
