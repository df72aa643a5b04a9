"""Reading the person behind a customer: for a purpose, and masked wherever that suffices."""

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty import vault
from loyalty.customers.models import ACTIVE
from loyalty.customers.rules import MaskedPerson, Person, mask
from loyalty.customers.sealing import SEALED, unseal_person
from loyalty.web import NotFound, Refused


class Purpose(StrEnum):
    """Why somebody reads a person. Selling is none: messages that sell pass their own gate."""

    SERVICE = "service-request"
    COMPLAINT = "complaint"
    FULFILMENT = "fulfilment"
    DELIVERY = "message-delivery"
    FRAUD = "fraud-check"
    RIGHTS = "data-subject-request"


def read_person(session: Session, customer_id: int, purpose: Purpose) -> Person:
    """Return one customer's personal data in clear; the edge records who read it and why.

    Raises `NotFound`, `Refused` with `customer-erased`, or `ValueError` on an unknown purpose.
    """
    Purpose(purpose)
    found = _read(session, [customer_id])
    if customer_id in found:
        return found[customer_id]
    if vault.erased(session, [customer_id]):
        raise Refused("customer-erased")
    raise NotFound


def read_people(
    session: Session,
    customer_ids: Collection[int],
    purpose: Purpose,
    only: Collection[str] = SEALED,
) -> dict[int, Person]:
    """Return the personal data of many customers by id; erased and unknown ones are left out.

    `only` names the columns that are needed: what is not stays sealed.
    Raises `ValueError` on an unknown purpose.
    """
    Purpose(purpose)
    return _read(session, customer_ids, only)


def read_masked(session: Session, customer_ids: Collection[int]) -> dict[int, MaskedPerson]:
    """Return what may be shown of each customer without a purpose; erased ones are left out."""
    return {number: mask(person) for number, person in _read(session, customer_ids).items()}


def _read(
    session: Session, customer_ids: Collection[int], only: Collection[str] = SEALED
) -> dict[int, Person]:
    # Keys before rows: a row read after its key may be empty by now, never unreadable.
    keys = vault.open_keys(session, customer_ids)
    return {
        row.id: unseal_person(keys[row.id], row._asdict(), only)
        for row in _rows(session, customer_ids)
        if row.id in keys
    }


def _rows(session: Session, customer_ids: Collection[int]) -> Iterator[Row[Any]]:
    return iter(
        session.execute(
            text(
                "SELECT id, name, phone, email, birthday FROM loyalty.customers"
                " WHERE id = ANY(:ids) AND state = :active"
            ),
            {"ids": list(customer_ids), "active": ACTIVE},
        )
    )
