"""A person is read for a purpose; without one, masked."""

from dataclasses import replace

import psycopg
import pytest

from loyalty import customers, vault
from loyalty.customers import MaskedPerson, NewCustomer, Person, Purpose
from loyalty.customers.rules import mask
from loyalty.database import transaction
from loyalty.web import NotFound, Refused
from tests.customers.conftest import WANG, erase, register
from tests.servers import Database

PERSON = Person("王小明", "+8613812345678", "wang@example.com", WANG.birthday)


def test_what_was_registered_reads_back_in_canonical_form(database: Database) -> None:
    number = register(WANG)[0]
    with transaction() as session:
        assert customers.read_person(session, number, Purpose.SERVICE) == PERSON


def test_what_is_unknown_stays_unknown(database: Database) -> None:
    number = register(NewCustomer("A1"))[0]
    with transaction() as session:
        found = customers.read_person(session, number, Purpose.SERVICE)
    assert found == Person(None, None, None, None)


def test_a_purpose_that_is_none_is_refused(database: Database) -> None:
    number = register(WANG)[0]
    with transaction() as session:
        for purpose in ("", "marketing", "curiosity"):
            with pytest.raises(ValueError, match="Purpose"):
                customers.read_person(session, number, purpose)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="Purpose"):
                customers.read_people(session, [number], purpose)  # type: ignore[arg-type]


def test_an_erased_person_and_an_unknown_one_are_told_apart(database: Database) -> None:
    number = register(WANG)[0]
    erase(number)
    with transaction() as session:
        with pytest.raises(Refused, match="customer-erased"):
            customers.read_person(session, number, Purpose.SERVICE)
        with pytest.raises(NotFound):
            customers.read_person(session, 999, Purpose.SERVICE)


def test_many_are_read_at_once_without_the_erased(database: Database) -> None:
    first, second, third = register(*(replace(WANG, reference=f"B-{n}") for n in range(3)))
    erase(second)
    with transaction() as session:
        found = customers.read_people(session, [first, second, third, 999], Purpose.DELIVERY)
    assert found == {first: PERSON, third: PERSON}


def test_columns_swapped_in_the_database_do_not_open(database: Database) -> None:
    first, second = register(WANG, replace(WANG, reference="B-0002", name="李四"))
    for swap in (
        f"UPDATE loyalty.customers SET name = phone, phone = name WHERE id = {first}",
        "UPDATE loyalty.customers a SET name = b.name FROM loyalty.customers b"
        f" WHERE a.id = {first} AND b.id = {second}",
    ):
        with psycopg.connect(database.owner_url) as connection:
            connection.execute(swap)
            connection.commit()
        with transaction() as session, pytest.raises(vault.Unreadable):
            customers.read_person(session, first, Purpose.SERVICE)


def test_a_masked_person_cannot_be_told_from_others(database: Database) -> None:
    number = register(WANG)[0]
    with transaction() as session:
        found = customers.read_masked(session, [number])[number]
    assert found == MaskedPerson("王**", "138****5678", "w***@example.com", "****-**-**")


def test_a_foreign_number_shows_its_last_two_digits() -> None:
    shown = mask(replace(PERSON, phone="+16502530000")).phone
    assert shown == "**********00"


def test_no_representation_shows_a_person() -> None:
    assert "王" not in repr(PERSON)
    assert "138" not in str(PERSON)
