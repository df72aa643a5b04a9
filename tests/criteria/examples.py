"""A catalogue with a field of each type, and random criteria and facts on it."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from loyalty.criteria import OPERATORS, Catalogue, Field, Operator, Source, Type

FIELDS = Catalogue.of(
    [
        Field("purchase.amount", Type.INTEGER, Source.PROGRAMME, ("消费金额", "the amount"), True),
        Field("purchase.category", Type.TEXT, Source.PROGRAMME, ("消费类别", "the category"), True),
        Field(
            "purchase.in_birthday_month",
            Type.BOOLEAN,
            Source.CUSTOMER,
            ("在生日当月消费", "bought in the month of the birthday"),
        ),
        Field(
            "customer.birthday",
            Type.DAY,
            Source.CUSTOMER,
            ("生日", "the birthday"),
            data_class="C2",
        ),
        Field(
            "purchase.made_at", Type.INSTANT, Source.PROGRAMME, ("消费时间", "the purchase"), True
        ),
        Field("customer.tags", Type.TEXTS, Source.PROGRAMME, ("标签", "the tags"), True),
        Field(
            "credit.overdue", Type.INTEGER, Source.CREDIT_BUREAU, ("逾期次数", "overdue payments")
        ),
        Field("device.address", Type.TEXT, Source.FRAUD_MONITOR, ("设备地址", "the address")),
    ]
)

EPOCH = datetime(1901, 1, 1, tzinfo=UTC)
KNOWN: dict[Type, list[Any]] = {
    Type.INTEGER: [-(2**63), -(2**53) + 1, -1, 0, 1, 2**31, 2**53 - 1, 2**53, 2**63 - 1],
    Type.TEXT: [
        "5411", "５４１１", "5411 ", " 5411", "Gold", "gold", "GOLD", "é", "e\u0301", "É", "ß",
        "ss", "钻石", "鑽石", "I", "ı", "i", "😀", "%", "_", "\\", "'", "''; DROP TABLE x; --", '"',
        "NULL", "{}", "{5411}", ",", "$1", ":x", "%s", "%(x)s", "null",
    ],
    Type.BOOLEAN: [True, False],
    Type.DAY: [date(1900, 1, 1), date(2024, 2, 29), date(2026, 3, 1), date(2999, 12, 31)],
    Type.INSTANT: [
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 1, 4, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=8))),
        datetime(2026, 3, 1, 4, tzinfo=UTC),
        datetime(2999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
}  # fmt: skip
"""Values that are easily confused, so that random criteria often meet the facts."""

_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\0"),
    min_size=1,
    max_size=8,
)
VALUES: dict[Type, st.SearchStrategy[Any]] = {
    Type.INTEGER: st.sampled_from(KNOWN[Type.INTEGER]) | st.integers(-(2**63), 2**63 - 1),
    Type.TEXT: st.sampled_from(KNOWN[Type.TEXT]) | _TEXT,
    Type.BOOLEAN: st.booleans(),
    Type.DAY: st.sampled_from(KNOWN[Type.DAY]) | st.dates(date(1900, 1, 1), date(2999, 12, 31)),
    Type.INSTANT: st.sampled_from(KNOWN[Type.INSTANT])
    | st.integers(0, 2**54).map(lambda micros: EPOCH + timedelta(microseconds=micros)),
}
FACT_VALUES = {
    **VALUES,
    Type.TEXTS: st.lists(VALUES[Type.TEXT] | st.none(), max_size=4),
}
FACTS = st.fixed_dictionaries({field.name: st.none() | FACT_VALUES[field.type] for field in FIELDS})


def is_literal(value: Any) -> bool:
    """Return whether criteria may hold `value`; facts may hold more."""
    if isinstance(value, str):
        return value.isprintable()
    return not isinstance(value, int) or abs(value) < 2**53


def write(value: Any) -> Any:
    """Return `value` as JSON has it, an instant with the offset that it has."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


@st.composite
def _tests(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(list(FIELDS)))
    operator = draw(st.sampled_from(sorted(OPERATORS[field.type])))
    test: dict[str, Any] = {"field": field.name, "is": operator.value}
    literals = VALUES[Type.TEXT if field.type == Type.TEXTS else field.type].filter(is_literal)
    match operator:
        case Operator.IS_NULL:
            return test
        case Operator.IN | Operator.NOT_IN:
            values = draw(st.lists(literals, min_size=1, max_size=5))
            test["value"] = [write(value) for value in values]
        case Operator.BETWEEN:
            pair = sorted([draw(literals), draw(literals)])
            test["value"] = [write(value) for value in pair]
        case _:
            test["value"] = write(draw(literals))
    return test


DOCUMENTS = st.recursive(
    _tests(),
    lambda parts: st.one_of(
        st.fixed_dictionaries({"all": st.lists(parts, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(parts, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": parts}),
    ),
    max_leaves=6,
).filter(lambda document: depth(document) <= 8)


def depth(document: dict[str, Any]) -> int:
    """Return the levels of a document."""
    if "not" in document:
        return 1 + depth(document["not"])
    parts = document.get("all") or document.get("any") or []
    return 1 + max(map(depth, parts), default=0)


def ask(name: str, operator: str, *value: Any) -> dict[str, Any]:
    """Return the JSON of one test; without a value it has none."""
    return {"field": name, "is": operator, **({"value": value[0]} if value else {})}


NOTHING: dict[str, Any] = {field.name: None for field in FIELDS}
WRONG_NUMBERS = [True, False, 1.0, 1.5, math.nan, math.inf, "5", "５", None, [], {}, 2**53]
