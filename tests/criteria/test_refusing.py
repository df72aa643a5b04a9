"""What is not plainly criteria is refused with a code, a place and words in both languages."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import criteria
from loyalty.web import find_problem
from tests.criteria.examples import FIELDS, WRONG_NUMBERS, ask

AMOUNT = "purchase.amount"
CATEGORY = "purchase.category"
BIRTHDAY = "customer.birthday"
MADE_AT = "purchase.made_at"
RIGHT = ask(AMOUNT, "eq", 1)


def faults(document: Any, **options: Any) -> set[tuple[str, str]]:
    """Return places and codes; each fault must have words in Chinese and English."""
    with pytest.raises(criteria.InvalidCriteria) as refused:
        criteria.parse(document, FIELDS, **options)
    for error in refused.value.errors:
        zh, en = error["detail"]
        assert zh
        assert en.isascii()
        assert zh != en
    assert find_problem(refused.value.code).status == 422
    return {(error["pointer"], error["code"]) for error in refused.value.errors}


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        (None, "", "criterion"),
        ([], "", "criterion"),
        ("1=1", "", "criterion"),
        (True, "", "criterion"),
        ({}, "", "criterion"),
        ({"__class__": {}}, "", "criterion"),
        ({"constructor": {"prototype": {}}}, "", "criterion"),
        ({"all": [RIGHT], "any": [RIGHT]}, "", "criterion"),
        ({**RIGHT, "not": RIGHT}, "", "criterion"),
        ({"all": RIGHT}, "/all", "list"),
        ({"any": "x"}, "/any", "list"),
        ({"all": []}, "/all", "length"),
        ({"any": []}, "/any", "length"),
        ({"not": []}, "/not", "criterion"),
        ({"not": None}, "/not", "criterion"),
        ({"all": [RIGHT], "__proto__": {}}, "/__proto__", "unknown"),
        ({**RIGHT, "a/b~": 1}, "/a~1b~0", "unknown"),
        ({**RIGHT, "eval": "import os"}, "/eval", "unknown"),
        ({"not": {"all": [RIGHT, {"any": [7]}]}}, "/not/all/1/any/0", "criterion"),
        ({"field": AMOUNT}, "/is", "required"),
        ({"field": AMOUNT, "is": "eq"}, "/value", "required"),
        ({"field": AMOUNT, "is": None, "value": 1}, "/is", "text"),
        ({"field": AMOUNT, "is": ["eq"], "value": 1}, "/is", "text"),
        ({"field": None, "is": "eq", "value": 1}, "/field", "text"),
        ({"field": ["purchase", "amount"], "is": "eq", "value": 1}, "/field", "text"),
        (ask("__class__", "eq", 1), "/field", "unknown_field"),
        (ask("constructor", "eq", 1), "/field", "unknown_field"),
        (ask("purchase.amount.__class__", "eq", 1), "/field", "unknown_field"),
        (ask("purchase.amount' OR 1=1 --", "eq", 1), "/field", "unknown_field"),
        (ask("purchase.Amount", "eq", 1), "/field", "unknown_field"),
        (ask("x" * 100_000, "eq", 1), "/field", "unknown_field"),
        (ask(AMOUNT, "__eq__", 1), "/is", "unknown_operator"),
        (ask(AMOUNT, "EQ", 1), "/is", "unknown_operator"),
        (ask(AMOUNT, "regex", "(a+)+$"), "/is", "unknown_operator"),
        (ask(AMOUNT, "eq; DROP TABLE x", 1), "/is", "unknown_operator"),
        (ask(AMOUNT, "contains", 1), "/is", "operator_of_type"),
        (ask(CATEGORY, "lt", "5411"), "/is", "operator_of_type"),
        (ask(CATEGORY, "contains", "5"), "/is", "operator_of_type"),
        (ask("customer.tags", "eq", "vip"), "/is", "operator_of_type"),
        (ask("purchase.in_birthday_month", "ne", True), "/is", "operator_of_type"),
        (ask(AMOUNT, "is_null", True), "/value", "unknown"),
        (ask(AMOUNT, "is_null", None), "/value", "unknown"),
        (ask(AMOUNT, "in", 1), "/value", "list"),
        (ask(AMOUNT, "in", []), "/value", "length"),
        (ask(AMOUNT, "in", [1] * 1001), "/value", "length"),
        (ask(AMOUNT, "in", [1, "2"]), "/value/1", "integer"),
        (ask(AMOUNT, "not_in", [1, None]), "/value/1", "null"),
        (ask(AMOUNT, "between", 1), "/value", "pair"),
        (ask(AMOUNT, "between", [1]), "/value", "pair"),
        (ask(AMOUNT, "between", [1, 2, 3]), "/value", "pair"),
        (ask(AMOUNT, "between", [1, 2.0]), "/value/1", "integer"),
        (ask(AMOUNT, "between", [2, 1]), "/value", "order"),
        (ask(BIRTHDAY, "between", ["2026-03-02", "2026-03-01"]), "/value", "order"),
        (ask(AMOUNT, "eq", 2**53), "/value", "range"),
        (ask(AMOUNT, "eq", -(2**53)), "/value", "range"),
        (ask(AMOUNT, "eq", 10**5000), "/value", "range"),
        (ask(CATEGORY, "eq", 5411), "/value", "text"),
        (ask(CATEGORY, "eq", ""), "/value", "length"),
        (ask(CATEGORY, "eq", "x" * 201), "/value", "length"),
        (ask(CATEGORY, "eq", "a\0b"), "/value", "characters"),
        (ask(CATEGORY, "eq", "a\nb"), "/value", "characters"),
        (ask(CATEGORY, "eq", "\ud800"), "/value", "characters"),
        (ask(CATEGORY, "eq", "\u202e1145"), "/value", "characters"),
        (ask(CATEGORY, "eq", "54\u200b11"), "/value", "characters"),
        (ask("customer.tags", "contains", ["vip"]), "/value", "text"),
        (ask("purchase.in_birthday_month", "eq", 1), "/value", "boolean"),
        (ask("purchase.in_birthday_month", "eq", "true"), "/value", "boolean"),
        (ask(BIRTHDAY, "eq", "2026-02-30"), "/value", "day"),
        (ask(BIRTHDAY, "eq", 20260301), "/value", "day"),
        (ask(BIRTHDAY, "eq", "2026-03-01T00:00:00Z"), "/value", "day"),
        (ask(MADE_AT, "eq", "2026-03-01T00:00:00"), "/value", "instant"),
        (ask(MADE_AT, "eq", "2026-03-01"), "/value", "instant"),
        (ask(MADE_AT, "eq", math.nan), "/value", "instant"),
    ],
)  # fmt: skip
def test_each_fault_has_its_place_and_its_code(document: Any, pointer: str, code: str) -> None:
    assert faults(document) == {(pointer, code)}


@pytest.mark.parametrize("value", WRONG_NUMBERS)
def test_only_an_integer_is_an_integer(value: Any) -> None:
    assert faults(ask(AMOUNT, "eq", value)) <= {
        ("/value", "integer"), ("/value", "range"), ("/value", "null")
    }  # fmt: skip


@pytest.mark.parametrize("value", ["' OR ''='", "1; DROP TABLE customers", "${7*7}", "{{7*7}}"])
def test_a_text_that_looks_like_code_is_only_a_text(value: str) -> None:
    condition = criteria.parse(ask(CATEGORY, "eq", value), FIELDS)
    assert criteria.evaluate(condition, {CATEGORY: value})
    assert not criteria.evaluate(condition, {CATEGORY: "49"})


def test_everything_wrong_is_told_at_once() -> None:
    document = {
        "any": [ask("nobody.knows", "eq", 1), {"all": [ask(AMOUNT, "eq", "5"), RIGHT]}, 7],
        "also": 1,
    }
    assert faults(document) == {
        ("/any/0/field", "unknown_field"),
        ("/any/1/all/0/value", "integer"),
        ("/any/2", "criterion"),
        ("/also", "unknown"),
    }


def nested(levels: int) -> dict[str, Any]:
    document = RIGHT
    for _ in range(levels - 1):
        document = {"not": document}
    return document


def test_eight_levels_are_taken_and_no_more() -> None:
    criteria.parse(nested(8), FIELDS)
    assert faults(nested(9)) == {("/not" * 8, "depth")}


def test_a_hundred_thousand_levels_are_refused_and_not_walked() -> None:
    assert faults(nested(100_000)) == {("/not" * 8, "depth")}
    lists: list[Any] = []
    for _ in range(100_000):
        lists = [lists]
    assert faults(ask(CATEGORY, "eq", lists)) == {("/value", "text")}
    assert faults({"all": lists}) == {("/all/0", "criterion")}


def test_two_hundred_conditions_are_taken_and_no_more() -> None:
    criteria.parse({"all": [RIGHT] * 199}, FIELDS)
    assert faults({"all": [RIGHT] * 200}) == {("/all", "nodes")}
    criteria.parse({"all": [{"not": RIGHT}] * 99}, FIELDS)
    assert faults({"all": [{"not": RIGHT}] * 100}) == {("/all/99/not", "nodes")}
    assert faults({"any": [{"all": [RIGHT] * 100}] * 2}) == {("/any/1/all", "nodes")}


def test_a_list_of_millions_is_refused_by_its_length() -> None:
    assert faults({"all": [None] * 3_000_000}) == {("/all", "nodes")}
    assert faults(ask(AMOUNT, "in", [None] * 3_000_000)) == {("/value", "length")}


def test_at_most_a_hundred_faults_are_told() -> None:
    assert len(faults({"all": [7] * 150})) == 100
    assert len(faults({**RIGHT, **{f"key{number}": 1 for number in range(10_000)}})) == 100


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(["eq", "in", "between", *(field.name for field in FIELDS)]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["all", "any", "not", "field", "is", "value"]) | st.text(), inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(document=json_values)
def test_any_json_is_parsed_or_refused_and_nothing_else_happens(document: Any) -> None:
    try:
        condition = criteria.parse(document, FIELDS)
    except criteria.InvalidCriteria as refused:
        assert refused.errors
    else:
        assert criteria.parse(criteria.dump(condition), FIELDS) == condition
