"""Criteria on one fact, in Python."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any, TypeAlias

from loyalty.criteria.catalogue import Operator, Type
from loyalty.criteria.tree import AllOf, AnyOf, Criteria, Not, Test, dump_value

Facts: TypeAlias = Mapping[str, Any]
"""Values by field name. `None` is a missing value; a name that is not there is a fault of the
program, and so is a value of another type than the field's."""

Judge: TypeAlias = Callable[[Facts], bool]

_TYPES: Mapping[Type, tuple[type, ...]] = MappingProxyType(
    {
        Type.INTEGER: (int,),
        Type.TEXT: (str,),
        Type.BOOLEAN: (bool,),
        Type.DAY: (date,),
        Type.INSTANT: (datetime,),
        Type.TEXTS: (tuple, list, frozenset, set),
    }
)

# The value of the test comes first in a `partial`, so each stands here the other way round.
_COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        Operator.EQ: eq,
        Operator.NE: ne,
        Operator.LT: gt,
        Operator.LE: ge,
        Operator.GT: lt,
        Operator.GE: le,
    }
)


def prepare(criteria: Criteria) -> Judge:
    """Return a function that says whether the criteria hold for some facts.

    It raises `KeyError` where facts lack the name of a field that is asked, and `TypeError` on a
    value of another type: to answer "does not hold" would hide the fault. Parts that cannot
    change the answer are not asked.
    """
    match criteria:
        case AllOf(parts):
            return _all(tuple(prepare(part) for part in parts))
        case AnyOf(parts):
            return _any(tuple(prepare(part) for part in parts))
        case Not(part):
            return _not(prepare(part))
        case Test():
            return _prepare_test(criteria)


def evaluate(criteria: Criteria, facts: Facts) -> bool:
    """Return whether `criteria` hold for `facts`; `prepare` once where there are many facts."""
    return prepare(criteria)(facts)


def explain(criteria: Criteria, facts: Facts) -> dict[str, Any]:
    """Return, as JSON, for each node of `criteria` whether it held, in the shape of the criteria.

    `{"held": true, "all": [{"held": true, "field": "purchase.category", "is": "in", "found":
    "5411"}]}`. `found` is the fact, null where it is missing, and absent where the field
    describes a person (C2). Every node is judged; raises as `prepare` says.
    """
    match criteria:
        case AllOf(parts):
            every = [explain(part, facts) for part in parts]
            return {"held": all(part["held"] for part in every), "all": every}
        case AnyOf(parts):
            every = [explain(part, facts) for part in parts]
            return {"held": any(part["held"] for part in every), "any": every}
        case Not(part):
            inner = explain(part, facts)
            return {"held": not inner["held"], "not": inner}
    result: dict[str, Any] = {
        "held": evaluate(criteria, facts),
        "field": criteria.field,
        "is": criteria.operator.value,
    }
    if not criteria.is_personal:
        result["found"] = dump_value(facts[criteria.field])
    return result


def _all(parts: tuple[Judge, ...]) -> Judge:
    def holds(facts: Facts) -> bool:
        for part in parts:  # noqa: SIM110 - a generator would cost more than the tests
            if not part(facts):
                return False
        return True

    return holds


def _any(parts: tuple[Judge, ...]) -> Judge:
    def holds(facts: Facts) -> bool:
        for part in parts:  # noqa: SIM110 - as above
            if part(facts):
                return True
        return False

    return holds


def _not(part: Judge) -> Judge:
    return lambda facts: not part(facts)


def _prepare_test(test: Test) -> Judge:
    name = test.field
    if test.operator == Operator.IS_NULL:
        return lambda facts: facts[name] is None
    types = _TYPES[test.type]
    compare = _prepare_comparison(test)

    def holds(facts: Facts) -> bool:
        value = facts[name]
        if value is None:
            return False
        if type(value) not in types:  # exactly: True is an int and an instant is a day otherwise
            raise TypeError(f"the fact {name} is a {type(value).__name__}, not {test.type}")
        return compare(value)

    return holds


def _prepare_comparison(test: Test) -> Callable[[Any], bool]:
    compare = _prepare_operator(test.operator, test.value)
    if test.type != Type.INSTANT:
        return compare

    def compare_instant(value: datetime) -> bool:
        if value.tzinfo is None:
            raise TypeError(f"the fact {test.field} is an instant without an offset")
        return compare(value)

    return compare_instant


def _prepare_operator(operator: Operator, value: Any) -> Callable[[Any], bool]:
    match operator:
        case Operator.IN:
            return frozenset(value).__contains__
        case Operator.NOT_IN:
            refused = frozenset(value)
            return lambda found: found not in refused
        case Operator.BETWEEN:
            low, high = value
            return lambda found: low <= found <= high
        case Operator.CONTAINS:
            return lambda found: value in found
    return partial(_COMPARISONS[operator], value)
