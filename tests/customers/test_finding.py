"""A customer is found by reference, by id, or by a phone number written in any way."""

from dataclasses import replace

import pytest

from loyalty import customers
from loyalty.customers.queries import MOST_FOUND
from loyalty.database import transaction
from tests.customers.conftest import WANG, erase, register
from tests.servers import Database


def test_references_find_active_customers_and_nothing_else(database: Database) -> None:
    first, second = register(WANG, replace(WANG, reference="B-0002"))
    erase(second)
    with transaction() as session:
        found = customers.find_by_reference(session, ["B-0001", "B-0002", "B-0003"])
    assert found == {"B-0001": first}


def test_ids_find_erased_customers_too_and_say_so(database: Database) -> None:
    first, second = register(WANG, replace(WANG, reference="B-0002"))
    erase(second)
    with transaction() as session:
        found = customers.customers_by_id(session, [second, first, 999])
    assert [(number, found[number].is_active) for number in found] == [
        (first, True),
        (second, False),
    ]


@pytest.mark.parametrize("written", ("13812345678", "+86 138 1234 5678", "１３８１２３４５６７８"))
def test_a_phone_number_finds_its_customer_however_written(
    database: Database, written: str
) -> None:
    number = register(WANG)[0]
    with transaction() as session:
        assert [found.id for found in customers.find_by_phone(session, written)] == [number]
        assert customers.find_by_phone(session, "13900000000") == []


def test_a_phone_number_of_two_customers_finds_both(database: Database) -> None:
    numbers = register(WANG, replace(WANG, reference="B-0002", name="王太太"))
    with transaction() as session:
        found = customers.find_by_phone(session, "13812345678")
    assert [customer.id for customer in found] == numbers


def test_a_number_of_very_many_finds_a_bounded_list(database: Database) -> None:
    register(*(replace(WANG, reference=f"B-{n:04d}") for n in range(MOST_FOUND + 5)))
    with transaction() as session:
        assert len(customers.find_by_phone(session, "13812345678")) == MOST_FOUND


def test_an_erased_customer_is_not_found_by_phone(database: Database) -> None:
    erase(register(WANG)[0])
    with transaction() as session:
        assert customers.find_by_phone(session, "13812345678") == []


def test_what_is_no_number_is_an_error_and_not_an_empty_answer(database: Database) -> None:
    with transaction() as session, pytest.raises(ValueError, match="telephone"):
        customers.find_by_phone(session, "12345")
