"""Criteria hold or do not hold for facts, and the explanation says what each part found."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import criteria
from tests.criteria.examples import DOCUMENTS, FACTS, FIELDS, NOTHING, ask

AMOUNT = "purchase.amount"
CATEGORY = "purchase.category"


def holds(document: dict[str, Any], **facts: Any) -> bool:
    named = {name.replace("__", "."): value for name, value in facts.items()}
    return criteria.evaluate(criteria.parse(document, FIELDS), {**NOTHING, **named})


@pytest.mark.parametrize(
    ("operator", "value", "held"),
    [
        ("eq", 5, [False, True, False]),
        ("ne", 5, [True, False, True]),
        ("lt", 5, [True, False, False]),
        ("le", 5, [True, True, False]),
        ("gt", 5, [False, False, True]),
        ("ge", 5, [False, True, True]),
        ("in", [4, 5], [True, True, False]),
        ("not_in", [4, 5], [False, False, True]),
        ("between", [5, 6], [False, True, True]),
        ("between", [5, 5], [False, True, False]),
    ],
)
def test_each_operator_means_what_it_says(operator: str, value: Any, held: list[bool]) -> None:
    document = ask(AMOUNT, operator, value)
    assert [holds(document, purchase__amount=amount) for amount in (4, 5, 6)] == held


def test_a_list_contains_whole_texts_only() -> None:
    document = ask("customer.tags", "contains", "vip")
    assert holds(document, customer__tags=["vip", "old"])
    assert holds(document, customer__tags=frozenset({"vip"}))
    assert not holds(document, customer__tags=["vips"])
    assert not holds(document, customer__tags=[])


def test_texts_are_equal_only_where_every_character_is() -> None:
    assert holds(ask(CATEGORY, "eq", "5411"), purchase__category="5411")
    for other in ("５４１１", "5411 ", "54110"):
        assert not holds(ask(CATEGORY, "eq", "5411"), purchase__category=other)


def test_instants_are_compared_whatever_their_offset() -> None:
    document = ask("purchase.made_at", "eq", "2026-03-01T12:00:00+08:00")
    assert holds(document, purchase__made_at=datetime(2026, 3, 1, 4, tzinfo=UTC))


def test_a_null_is_known_as_such() -> None:
    assert holds(ask(AMOUNT, "is_null"))
    assert not holds(ask(AMOUNT, "is_null"), purchase__amount=0)
    assert not holds(ask("customer.tags", "is_null"), customer__tags=[])


@pytest.mark.parametrize(
    ("name", "operator", "value", "fact"),
    [
        (AMOUNT, "eq", 1, True),
        (AMOUNT, "eq", 1, 1.0),
        (AMOUNT, "lt", 1, "0"),
        (CATEGORY, "eq", "5411", 5411),
        ("purchase.in_birthday_month", "eq", True, 1),
        ("customer.birthday", "eq", "2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("purchase.made_at", "eq", "2026-03-01T00:00:00Z", date(2026, 3, 1)),
        ("purchase.made_at", "eq", "2026-03-01T00:00:00Z", datetime(2026, 3, 1)),  # noqa: DTZ001
        ("customer.tags", "contains", "v", "vip"),
    ],
)
def test_a_fact_of_another_type_is_a_fault_and_no_answer(
    name: str, operator: str, value: Any, fact: Any
) -> None:
    condition = criteria.parse(ask(name, operator, value), FIELDS)
    with pytest.raises(TypeError, match=name):
        criteria.evaluate(condition, {name: fact})


def test_a_fact_that_nobody_gathered_is_a_fault_and_not_a_missing_value() -> None:
    for document in (ask(AMOUNT, "eq", 1), ask(AMOUNT, "is_null"), {"not": ask(AMOUNT, "eq", 1)}):
        with pytest.raises(KeyError, match=AMOUNT):
            criteria.evaluate(criteria.parse(document, FIELDS), {})


def test_the_explanation_says_of_each_node_whether_it_held_and_what_it_found() -> None:
    document = {
        "all": [
            ask(CATEGORY, "in", ["5411", "5812"]),
            {"any": [ask(AMOUNT, "ge", 100), ask("customer.tags", "contains", "vip")]},
            {"not": ask("purchase.made_at", "lt", "2026-01-01T00:00:00Z")},
        ]
    }
    facts = {
        CATEGORY: "5411",
        AMOUNT: 99,
        "customer.tags": ("old", "vip"),
        "purchase.made_at": datetime(2026, 3, 1, tzinfo=UTC),
    }
    assert criteria.explain(criteria.parse(document, FIELDS), facts) == {
        "held": True,
        "all": [
            {"held": True, "field": CATEGORY, "is": "in", "found": "5411"},
            {
                "held": True,
                "any": [
                    {"held": False, "field": AMOUNT, "is": "ge", "found": 99},
                    {
                        "held": True,
                        "field": "customer.tags",
                        "is": "contains",
                        "found": ["old", "vip"],
                    },
                ],
            },
            {
                "held": True,
                "not": {
                    "held": False,
                    "field": "purchase.made_at",
                    "is": "lt",
                    "found": "2026-03-01T00:00:00Z",
                },
            },
        ],
    }


def test_the_explanation_keeps_personal_values_to_itself() -> None:
    condition = criteria.parse(ask("customer.birthday", "lt", "2000-01-01"), FIELDS)
    explained = criteria.explain(condition, {"customer.birthday": date(1990, 5, 17)})
    assert explained == {"held": True, "field": "customer.birthday", "is": "lt"}


@given(document=DOCUMENTS, facts=FACTS)
def test_not_turns_every_answer_round(document: dict[str, Any], facts: dict[str, Any]) -> None:
    condition = criteria.parse(document, FIELDS)
    held = criteria.evaluate(condition, facts)
    assert criteria.evaluate(criteria.Not(condition), facts) is not held
    assert criteria.evaluate(criteria.AnyOf((condition,)), facts) is held


@given(document=DOCUMENTS)
def test_what_is_dumped_is_parsed_to_the_same_criteria(document: dict[str, Any]) -> None:
    condition = criteria.parse(document, FIELDS)
    again = criteria.parse(criteria.dump(condition), FIELDS)
    assert again == condition
    assert criteria.digest(again) == criteria.digest(condition)


@given(documents=st.tuples(DOCUMENTS, DOCUMENTS))
def test_criteria_that_differ_have_another_digest(
    documents: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    first, second = (criteria.parse(document, FIELDS) for document in documents)
    same = criteria.dump(first) == criteria.dump(second)
    assert (criteria.digest(first) == criteria.digest(second)) is same


def test_the_digest_stays_what_it_was() -> None:
    document = {"all": [ask(CATEGORY, "eq", "餐饮"), {"not": ask(AMOUNT, "is_null")}]}
    condition = criteria.parse(document, FIELDS)
    assert criteria.digest(condition).hex() == (
        "a961928bb26d3fe3795405111563bffd163e1fe3246136898939ba0fbd2410be"
    )


def test_the_fields_to_gather_are_known() -> None:
    document = {"any": [ask(AMOUNT, "eq", 1), {"not": {"all": [ask(CATEGORY, "eq", "a")]}}]}
    assert criteria.field_names(criteria.parse(document, FIELDS)) == {AMOUNT, CATEGORY}
