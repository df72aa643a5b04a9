"""A reference is one customer, whoever registers it, how often and with how many at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import event, text

from loyalty import customers
from loyalty.customers import NewCustomer, Outcome
from loyalty.database import engine, transaction
from loyalty.vault import PHONE, find_by_value
from loyalty.web import Refused
from tests.customers.conftest import WANG, add_branch, erase, register
from tests.servers import Database


def outcomes(*people: NewCustomer) -> list[Outcome]:
    with transaction() as session:
        return [result.outcome for result in customers.register(session, people)]


def count(table: str) -> int:
    with transaction() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def people(number: int, prefix: str = "C") -> list[NewCustomer]:
    return [
        NewCustomer(f"{prefix}{n:06d}", name="李四", phone=f"139{n:08d}", invented=True)
        for n in range(number)
    ]


def test_the_same_content_is_the_same_customer(database: Database) -> None:
    first = register(WANG)
    assert outcomes(WANG) == [Outcome.KNOWN]
    assert register(WANG) == first
    assert count("loyalty.customers") == count("vault.wrapped_keys") == 1


def test_the_same_content_written_otherwise_is_the_same_customer(database: Database) -> None:
    register(WANG)
    other = replace(WANG, phone="+86 138-1234-5678", name=" 王小明 ", email="wang@EXAMPLE.com")
    assert outcomes(other) == [Outcome.KNOWN]


@pytest.mark.parametrize(
    "change",
    (
        {"name": "王小红"},
        {"phone": "13912345678"},
        {"phone": None},
        {"email": "other@example.com"},
        {"birthday": None},
        {"invented": True},
    ),
)
def test_other_content_under_the_same_reference_is_refused(
    database: Database, change: dict[str, object]
) -> None:
    register(WANG)
    other = replace(WANG, **change)  # type: ignore[arg-type]
    with transaction() as session:
        result = customers.register(session, [other])[0]
    assert (result.outcome, result.customer_id) == (Outcome.DIFFERENT, None)
    assert outcomes(WANG) == [Outcome.KNOWN]


def test_another_branch_is_other_content(database: Database) -> None:
    north, south = add_branch("北"), add_branch("南")
    register(replace(WANG, branch_id=north))
    assert outcomes(replace(WANG, branch_id=south)) == [Outcome.DIFFERENT]
    assert outcomes(replace(WANG, branch_id=north)) == [Outcome.KNOWN]


def test_a_refused_one_does_not_stop_its_neighbours(database: Database) -> None:
    register(WANG)
    found = outcomes(NewCustomer("A1"), replace(WANG, name="x"), NewCustomer("A2"), WANG)
    assert found == [Outcome.REGISTERED, Outcome.DIFFERENT, Outcome.REGISTERED, Outcome.KNOWN]


def test_the_first_of_two_in_one_list_counts(database: Database) -> None:
    found = outcomes(WANG, replace(WANG, name="x"), WANG)
    assert found == [Outcome.REGISTERED, Outcome.DIFFERENT, Outcome.KNOWN]
    assert count("loyalty.customers") == 1


def test_an_erased_reference_is_not_registered_again(database: Database) -> None:
    erase(register(WANG)[0])
    assert outcomes(WANG) == [Outcome.ERASED]
    assert outcomes(NewCustomer(WANG.reference)) == [Outcome.ERASED]
    assert count("vault.wrapped_keys") == count("vault.blind_indexes") == 0


def test_a_reference_alone_is_enough(database: Database) -> None:
    assert outcomes(NewCustomer("A1"), NewCustomer("A1")) == [Outcome.REGISTERED, Outcome.KNOWN]


def test_an_empty_list_registers_nobody(database: Database) -> None:
    assert outcomes() == []


def test_ten_who_register_one_reference_at_once_get_one_customer(database: Database) -> None:
    together = Barrier(10)

    def ask(_: int) -> int:
        together.wait()
        return register(WANG)[0]

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(ask, range(10)))) == 1
    assert count("loyalty.customers") == count("vault.wrapped_keys") == 1
    with transaction() as session:
        assert len(find_by_value(session, PHONE, "13812345678", 10)) == 1


def test_of_ten_different_contents_at_once_one_counts_and_nine_are_refused(
    database: Database,
) -> None:
    together = Barrier(10)

    def ask(number: int) -> Outcome:
        together.wait()
        return outcomes(replace(WANG, name=f"name {number}"))[0]

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(ask, range(10)))
    assert sorted(found) == [Outcome.DIFFERENT] * 9 + [Outcome.REGISTERED]


def test_batches_that_overlap_in_opposite_order_do_not_block_each_other(
    database: Database,
) -> None:
    some = people(3_000)
    together = Barrier(4)

    def ask(number: int) -> list[int]:
        together.wait()
        numbers = register(*(some if number % 2 else some[::-1]))
        return numbers if number % 2 else numbers[::-1]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ask, range(4)))
    assert all(result == results[0] for result in results)
    assert count("loyalty.customers") == 3_000


def test_five_thousand_take_as_many_statements_as_five(database: Database) -> None:
    seen: list[str] = []
    event.listen(engine(), "before_cursor_execute", lambda *given: seen.append(given[2]))
    register(*people(5, "A"))
    few = len(seen)
    seen.clear()
    register(*people(5_000, "B"))
    assert len(seen) == few


def test_a_rolled_back_registration_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), transaction() as session:
        customers.register(session, [WANG])
        raise RuntimeError
    for table in ("loyalty.customers", "vault.wrapped_keys", "vault.blind_indexes"):
        assert count(table) == 0


def test_an_unknown_branch_is_refused(database: Database) -> None:
    with transaction() as session, pytest.raises(Refused) as refused:
        customers.register(session, [NewCustomer("A1"), replace(WANG, branch_id=99)])
    assert [error["pointer"] for error in refused.value.errors] == ["/customers/1/branch_id"]
