"""Criteria read as a sentence in Chinese and in English, with every value in it."""

from typing import Any

import pytest
from hypothesis import given

from loyalty import criteria
from tests.criteria.examples import DOCUMENTS, FIELDS, ask

AMOUNT = "purchase.amount"
CATEGORY = "purchase.category"


def say(document: Any) -> tuple[str, str]:
    condition = criteria.parse(document, FIELDS)
    return (
        criteria.describe(condition, FIELDS, "zh"),
        criteria.describe(condition, FIELDS, "en"),
    )


def test_parts_are_joined_and_bracketed() -> None:
    document = {
        "all": [
            ask(CATEGORY, "in", ["5411", "5812"]),
            {"any": [ask(AMOUNT, "ge", 100), ask("customer.tags", "contains", "老客户")]},
            {"not": ask("purchase.made_at", "lt", "2026-01-01T08:00:00+08:00")},
        ]
    }
    assert say(document) == (
        "消费类别为以下之一:“5411”、“5812”,并且(消费金额不小于100,或者标签包含“老客户”),"
        "并且并非(消费时间早于2026-01-01T00:00:00Z)",
        "the category is one of “5411”, “5812” and (the amount is at least 100 or the tags include"
        " “老客户”) and not (the purchase is before 2026-01-01T00:00:00Z)",
    )


@pytest.mark.parametrize(
    ("document", "zh", "en"),
    [
        (ask(AMOUNT, "eq", 5), "消费金额为5", "the amount is 5"),
        (ask(AMOUNT, "ne", 5), "消费金额已知且不为5", "the amount is known and is not 5"),
        (
            ask(AMOUNT, "between", [1, 5]),
            "消费金额在1与5之间(含两端)",
            "the amount is between 1 and 5 inclusive",
        ),
        (ask(AMOUNT, "is_null"), "消费金额未知", "the amount is unknown"),
        (
            ask("purchase.in_birthday_month", "eq", False),
            "在生日当月消费:否",
            "bought in the month of the birthday: no",
        ),
        (
            ask("customer.birthday", "ge", "2000-01-01"),
            "生日不早于2000-01-01",
            "the birthday is not before 2000-01-01",
        ),
        (
            ask(CATEGORY, "not_in", ["{}", "{0.__class__}"]),
            "消费类别已知且不是以下任何一个:“{}”、“{0.__class__}”",
            "the category is known and is none of “{}”, “{0.__class__}”",
        ),
        ({"all": [{"any": [ask(AMOUNT, "eq", 5)]}]}, "消费金额为5", "the amount is 5"),
    ],
)
def test_each_test_reads_in_both_languages(document: Any, zh: str, en: str) -> None:
    assert say(document) == (zh, en)


@given(document=DOCUMENTS)
def test_all_criteria_can_be_described(document: Any) -> None:
    zh, en = say(document)
    assert zh
    assert en
    assert zh != en


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="fr"):
        criteria.describe(criteria.parse(ask(AMOUNT, "eq", 5), FIELDS), FIELDS, "fr")
