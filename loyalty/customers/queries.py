"""Finding customers without reading what is sealed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import vault
from loyalty.customers.models import ACTIVE

MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer without the person: what every slice may know."""

    id: int
    reference: str
    state: str
    registered_at: datetime
    invented: bool
    branch_id: int | None

    @property
    def is_active(self) -> bool:
        """Whether the customer may still earn, spend and be read."""
        return self.state == ACTIVE


def find_by_reference(session: Session, references: Collection[str]) -> dict[str, int]:
    """Return the ids of the active customers with these references; the others are left out."""
    rows = session.execute(
        text(
            "SELECT reference, id FROM loyalty.customers"
            " WHERE reference = ANY(:references) AND state = 'active'"
        ),
        {"references": list(references)},
    )
    return {row.reference: row.id for row in rows}


def find_by_phone(session: Session, phone: str) -> list[Customer]:
    """Return the customers who have this phone number, however it is written, oldest first.

    A family or a firm may share one: at most `MOST_FOUND` are returned. Raises `ValueError` on
    what is no telephone number.
    """
    found = vault.find_by_value(session, vault.PHONE, phone, MOST_FOUND)
    return list(customers_by_id(session, found).values())


def customers_by_id(session: Session, customer_ids: Collection[int]) -> dict[int, Customer]:
    """Return the customers with these ids, erased ones too, by id; unknown ids are left out."""
    rows = session.execute(
        text(
            "SELECT id, reference, state, registered_at, invented, branch_id"
            " FROM loyalty.customers WHERE id = ANY(:ids) ORDER BY id"
        ),
        {"ids": list(customer_ids)},
    )
    return {row.id: Customer(*row) for row in rows}
