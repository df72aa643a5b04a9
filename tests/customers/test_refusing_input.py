"""What may not be registered is refused with a pointer to it: cards, identity numbers, nonsense."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import customers
from loyalty.customers import NewCustomer
from loyalty.customers.rules import clean, has_card_number, has_identity_number
from loyalty.database import transaction
from loyalty.web import Refused
from tests.servers import Database

TODAY = date(2026, 11, 22)


def faults(**content: object) -> list[tuple[str, str]]:
    found = clean(NewCustomer(**{"reference": "A1", **content}), TODAY)  # type: ignore[arg-type]
    return [(fault.field, fault.code) for fault in found] if isinstance(found, list) else []


@pytest.mark.parametrize(
    "text",
    (
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "card 4111111111111111 please",
        "C4111111111111111",
        "４１１１１１１１１１１１１１１１",
        "378282246310005",
    ),
)
def test_a_card_number_is_found_however_it_is_written(text: str) -> None:
    assert has_card_number(text)


@settings(deadline=None)
@given(st.text("0123456789", min_size=12, max_size=18))
def test_of_ten_last_digits_exactly_one_makes_a_card_number(digits: str) -> None:
    assert sum(has_card_number(digits + last) for last in "0123456789") == 1


@settings(deadline=None)
@given(st.text("0123456789", max_size=12) | st.text("0123456789", min_size=20, max_size=40))
def test_shorter_and_longer_numbers_are_no_cards(digits: str) -> None:
    assert not has_card_number(digits)


def test_an_identity_number_is_found_by_its_check_character() -> None:
    assert has_identity_number("11010519491231002X")
    assert has_identity_number("id 11010519491231002x.")
    assert not has_identity_number("110105194912310021")
    assert not has_identity_number("1101051949123100")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    (
        ("reference", "", "reference"),
        ("reference", "a b", "reference"),
        ("reference", "王", "reference"),
        ("reference", "A1\n", "reference"),
        ("reference", "-A1", "reference"),
        ("reference", "x" * 65, "reference"),
        ("reference", "4111111111111111", "card_number"),
        ("reference", "11010519491231002X", "identity_number"),
        ("name", "", "length"),
        ("name", "   ", "length"),
        ("name", "x" * 101, "length"),
        ("name", "a\x00b", "characters"),
        ("name", "王 4111 1111 1111 1111", "card_number"),
        ("name", "王 11010519491231002X", "identity_number"),
        ("phone", "12345", "phone"),
        ("phone", "4111111111111111", "phone"),
        ("email", "wang", "email"),
        ("email", "wang@", "email"),
        ("email", "@example.com", "email"),
        ("email", "a b@example.com", "email"),
        ("email", "wang@example.com\nBcc: x@example.com", "email"),
        ("email", "4111111111111111@example.com", "card_number"),
        ("birthday", TODAY + timedelta(days=1), "range"),
        ("birthday", date(1899, 12, 31), "range"),
    ),
)
def test_a_wrong_field_is_named(field: str, value: object, code: str) -> None:
    assert faults(**{field: value}) == [(field, code)]


def test_a_reference_may_not_hold_the_customer_s_own_phone() -> None:
    assert faults(reference="U13812345678", phone="138 1234 5678") == [("reference", "own_phone")]
    assert faults(reference="U13812345679", phone="138 1234 5678") == []


@pytest.mark.parametrize(
    "name", ("王小明", "欧阳·娜娜", "O'Neill-Smith", "Jean Luc", "阿卜杜拉·买买提")
)
def test_names_of_all_kinds_are_taken(name: str) -> None:
    assert faults(name=name) == []


def test_every_fault_of_every_customer_is_listed_and_nobody_is_registered(
    database: Database,
) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    people = [
        NewCustomer("A1", name="好"),
        NewCustomer("a b", phone="1"),
        NewCustomer("A3", email="x", birthday=tomorrow),
    ]
    with pytest.raises(Refused) as refused, transaction() as session:
        customers.register(session, people)
    assert refused.value.code == "invalid-content"
    assert [error["pointer"] for error in refused.value.errors] == [
        "/customers/1/reference",
        "/customers/1/phone",
        "/customers/2/email",
        "/customers/2/birthday",
    ]
    with transaction() as session:
        assert customers.find_by_reference(session, ["A1", "A3"]) == {}
