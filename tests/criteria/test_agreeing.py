"""Criteria hold for a row in PostgreSQL exactly where they hold for the same facts in Python."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    column,
    literal,
    select,
    text,
)

from loyalty import criteria
from loyalty.criteria import OPERATORS, Operator, Type
from loyalty.database import engine
from tests.criteria.examples import DOCUMENTS, FACTS, FIELDS, KNOWN, NOTHING, ask, is_literal, write
from tests.servers import Database

COLUMN_TYPES: dict[Type, Any] = {
    Type.INTEGER: BigInteger,
    Type.TEXT: Text,
    Type.BOOLEAN: Boolean,
    Type.DAY: Date,
    Type.INSTANT: DateTime(timezone=True),
    Type.TEXTS: ARRAY(Text),
}


TABLE = Table(
    "facts",
    MetaData(),
    Column("place", BigInteger, primary_key=True),
    *(Column(field.name, COLUMN_TYPES[field.type]) for field in FIELDS),
    prefixes=["TEMPORARY"],
)

COLUMNS = dict(TABLE.c)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with engine().connect() as connected:
        with connected.begin():
            TABLE.create(connected)
        yield connected


def judge_in_postgres(
    connection: Connection, conditions: list[criteria.Criteria], facts: list[dict[str, Any]]
) -> list[tuple[Any, ...]]:
    """Return for each of the facts what each condition makes of them, in one statement."""
    judged = [criteria.compile(condition, COLUMNS) for condition in conditions]
    rows = [{"place": place, **one} for place, one in enumerate(facts)]
    with connection.begin() as transaction:
        connection.execute(TABLE.insert(), rows)
        answers = connection.execute(select(*judged).order_by(TABLE.c.place)).all()
        transaction.rollback()
    return [tuple(answer) for answer in answers]


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=6),
    facts=st.lists(FACTS, min_size=1, max_size=8),
)
def test_python_and_postgres_give_the_same_answer(
    connection: Connection, documents: list[dict[str, Any]], facts: list[dict[str, Any]]
) -> None:
    conditions = [criteria.parse(document, FIELDS) for document in documents]
    expected = [
        tuple(criteria.evaluate(condition, one) for condition in conditions) for one in facts
    ]
    assert judge_in_postgres(connection, conditions, facts) == expected
    explained = [
        tuple(criteria.explain(condition, one)["held"] for condition in conditions) for one in facts
    ]
    assert explained == expected


@pytest.mark.parametrize("kind", list(Type))
def test_every_operator_agrees_on_values_that_are_easily_confused(
    connection: Connection, kind: Type
) -> None:
    field = next(field for field in FIELDS if field.type == kind)
    known = KNOWN[Type.TEXT if kind == Type.TEXTS else kind]
    literals = [write(value) for value in known if is_literal(value)]
    conditions = []
    for operator in sorted(OPERATORS[kind] - {Operator.IS_NULL}):
        for first, second in zip(literals, literals[1:] + literals[:1], strict=True):
            value: Any = first
            if operator == Operator.BETWEEN:
                value = [first, first]
            elif operator in (Operator.IN, Operator.NOT_IN):
                value = [first, second]
            conditions.append(criteria.parse(ask(field.name, operator.value, value), FIELDS))
    found = [None, *([value] if kind == Type.TEXTS else value for value in known)]
    facts = [{**NOTHING, field.name: value} for value in found]
    assert judge_in_postgres(connection, conditions, facts) == [
        tuple(criteria.evaluate(condition, one) for condition in conditions) for one in facts
    ]


def test_a_test_of_a_missing_value_does_not_hold_and_its_negation_does(
    connection: Connection,
) -> None:
    tests = [
        ask("purchase.amount", "ne", 5),
        ask("purchase.amount", "not_in", [5]),
        ask("purchase.amount", "between", [0, 5]),
        ask("purchase.category", "ne", "5411"),
        ask("purchase.category", "not_in", ["5411"]),
        ask("customer.tags", "contains", "vip"),
        ask("customer.birthday", "ge", "1900-01-01"),
        ask("purchase.in_birthday_month", "eq", False),
    ]
    for test in tests:
        conditions = [
            criteria.parse(document, FIELDS)
            for document in (test, {"not": test}, {"not": {"not": test}})
        ]
        held = tuple(criteria.evaluate(condition, NOTHING) for condition in conditions)
        assert held == (False, True, False)
        assert judge_in_postgres(connection, conditions, [NOTHING]) == [held]


def test_a_value_beyond_a_smaller_column_is_no_error(connection: Connection) -> None:
    condition = criteria.parse(
        {"any": [ask("purchase.amount", "in", [2**40, 7]), ask("purchase.amount", "gt", 2**40)]},
        FIELDS,
    )
    for kind in (SmallInteger, Integer):
        judged = criteria.compile(condition, {"purchase.amount": literal(7, kind)})
        assert connection.execute(select(judged)).scalar_one() is True


def test_a_column_of_limited_length_compares_as_text(connection: Connection) -> None:
    condition = criteria.parse(ask("purchase.category", "in", ["5411 ", "54"]), FIELDS)
    judged = criteria.compile(condition, {"purchase.category": literal("5411", String(4))})
    assert connection.execute(select(judged)).scalar_one() is False


def test_the_largest_criteria_run_in_postgres(connection: Connection) -> None:
    longest = ask("purchase.category", "not_in", [str(number) for number in range(1000)])
    document = {"all": [{"any": [longest] * 2}] * 66}
    condition = criteria.parse(document, FIELDS)
    facts = {**NOTHING, "purchase.category": "5411"}
    assert criteria.evaluate(condition, facts)
    assert judge_in_postgres(connection, [condition], [facts]) == [(True,)]


def test_no_value_becomes_part_of_the_statement() -> None:
    injected = "'; DROP TABLE loyalty.customer; --"
    document = {
        "all": [
            ask("purchase.category", "eq", injected),
            ask("purchase.category", "in", [injected]),
            ask("customer.tags", "contains", injected),
            ask("purchase.amount", "between", [4711, 4712]),
            ask("purchase.in_birthday_month", "eq", True),
            ask("customer.birthday", "eq", "2001-02-03"),
        ]
    }
    columns: Mapping[str, ColumnElement[Any]] = {
        field.name: column(field.name.replace(".", "_"), COLUMN_TYPES[field.type])
        for field in FIELDS
    }
    compiled = criteria.compile(criteria.parse(document, FIELDS), columns).compile()
    for value in ("DROP", "4711", "4712", "true", "2001"):
        assert value not in str(compiled)
    assert len(compiled.params) == 7


def test_compiled_criteria_can_use_an_index(database: Database, connection: Connection) -> None:
    facts = Table(
        "indexed", MetaData(), Column("category", Text, index=True), prefixes=["TEMPORARY"]
    )
    facts.create(connection)
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    for operator, value in (("eq", "5411"), ("in", ["5411", "5812"])):
        document = {"all": [ask("purchase.category", operator, value)]}
        condition = criteria.compile(
            criteria.parse(document, FIELDS), {"purchase.category": facts.c.category}
        )
        compiled = select(facts).where(condition).compile(connection)
        plan = connection.exec_driver_sql(f"EXPLAIN {compiled}", compiled.params).scalars().all()
        assert any("Index Cond" in line and "category = " in line for line in plan), plan


def test_a_field_without_a_column_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError, match="purchase"):
        criteria.compile(criteria.parse(ask("purchase.amount", "eq", 1), FIELDS), {})
