"""Criteria on a set of rows, in PostgreSQL."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any, TypeAlias

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Text,
    all_,
    and_,
    any_,
    literal,
    not_,
    or_,
)
from sqlalchemy.types import TypeEngine

from loyalty.criteria.catalogue import Operator, Type
from loyalty.criteria.tree import AllOf, AnyOf, Criteria, Not, Test

Columns: TypeAlias = Mapping[str, ColumnElement[Any]]

# A value is bound with the type of its field and not of the column: to a smaller column the
# value may be too great, and then no row is equal to it, where a cast would fail.
_TYPES: Mapping[Type, TypeEngine[Any]] = MappingProxyType(
    {
        Type.INTEGER: BigInteger(),
        Type.TEXT: Text(),
        Type.BOOLEAN: Boolean(),
        Type.DAY: Date(),
        Type.INSTANT: DateTime(timezone=True),
        Type.TEXTS: Text(),
    }
)

_COMPARISONS: Mapping[Operator, Callable[[Any, Any], ColumnElement[bool]]] = MappingProxyType(
    {
        Operator.EQ: eq,
        Operator.NE: ne,
        Operator.LT: lt,
        Operator.LE: le,
        Operator.GT: gt,
        Operator.GE: ge,
    }
)


def compile(criteria: Criteria, columns: Columns) -> ColumnElement[bool]:
    """Return a condition that is true for a row exactly where `evaluate` is for its values.

    `columns` gives an expression of the right type (see `Type`) for each field that is asked;
    raises `KeyError` without one. Give columns, not subqueries: each stands in the condition
    twice. The condition is true or false and never null, so it may be negated. All values are
    bound parameters, one for each test.
    """
    match criteria:
        case AllOf(parts):
            return and_(*(compile(part, columns) for part in parts))
        case AnyOf(parts):
            return or_(*(compile(part, columns) for part in parts))
        case Not(part):
            return not_(compile(part, columns))
        case Test():
            return _compile_test(criteria, columns[criteria.field])


def _compile_test(test: Test, column: ColumnElement[Any]) -> ColumnElement[bool]:
    if test.operator == Operator.IS_NULL:
        return column.is_(None)
    # Beside a coalesce around the comparison this can still use an index of the column.
    return and_(column.is_not(None), _compare(test, column))


def _compare(test: Test, column: ColumnElement[Any]) -> ColumnElement[bool]:
    kind = _TYPES[test.type]
    match test.operator, test.value:
        # A list is one parameter: PostgreSQL takes 65,535 in a statement, and criteria may have
        # 200 lists of 1,000.
        case Operator.IN, tuple(values):
            return column == any_(literal(list(values), ARRAY(kind)))
        case Operator.NOT_IN, tuple(values):
            return column != all_(literal(list(values), ARRAY(kind)))
        case Operator.BETWEEN, (low, high):
            return column.between(literal(low, kind), literal(high, kind))
        case Operator.CONTAINS, text:
            return column.op("@>", is_comparison=True, return_type=Boolean())(
                literal([text], ARRAY(kind))
            )
    return _COMPARISONS[test.operator](column, literal(test.value, kind))
