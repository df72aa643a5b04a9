"""A person sealed into the columns of a customer's row, and read back."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from loyalty.customers.rules import NewCustomer, Person
from loyalty.vault import CustomerKey

TABLE = "loyalty.customers"
SEALED = ("name", "phone", "email", "birthday")


def seal_person(key: CustomerKey, person: NewCustomer) -> dict[str, bytes | None]:
    """Return the sealed columns of a customer's row; what is unknown stays empty."""
    values = {
        "name": person.name,
        "phone": person.phone,
        "email": person.email,
        "birthday": None if person.birthday is None else person.birthday.isoformat(),
    }
    return {
        column: None if value is None else key.seal(f"{TABLE}.{column}", value)
        for column, value in values.items()
    }


def unseal_person(
    key: CustomerKey, columns: Mapping[str, Any], only: Collection[str] = SEALED
) -> Person:
    """Return the person in a row's columns, as far as these are asked for.

    Raises `vault.Unreadable` on what was tampered with.
    """
    found = {
        column: None
        if columns[column] is None or column not in only
        else key.unseal(f"{TABLE}.{column}", bytes(columns[column]))
        for column in SEALED
    }
    birthday = found.pop("birthday")
    return Person(
        name=found["name"],
        phone=found["phone"],
        email=found["email"],
        birthday=None if birthday is None else date.fromisoformat(birthday),
    )
