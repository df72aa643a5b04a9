"""Parsed criteria: a frozen tree, its JSON and its digest."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

from loyalty.criteria.catalogue import Operator, Type
from loyalty.web.fields import dump_instant

Single: TypeAlias = int | str | bool | date | datetime


@dataclass(frozen=True, slots=True)
class Test:
    """A field compared with a value.

    `value` is one value, a tuple for `in`, `not_in` and `between`, and `None` for `is_null`.
    `is_personal` keeps what was found out of explanations.
    """

    __test__ = False  # or pytest takes it for one of its own

    field: str
    type: Type
    operator: Operator
    value: Single | tuple[Single, ...] | None
    is_personal: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where every part holds."""

    parts: "tuple[Criteria, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where at least one part holds."""

    parts: "tuple[Criteria, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where its part does not hold."""

    part: "Criteria"


Criteria: TypeAlias = AllOf | AnyOf | Not | Test


def dump(criteria: Criteria) -> dict[str, Any]:
    """Return the JSON of `criteria`: parsed again it gives an equal tree."""
    match criteria:
        case AllOf(parts):
            return {"all": [dump(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [dump(part) for part in parts]}
        case Not(part):
            return {"not": dump(part)}
    written: dict[str, Any] = {"field": criteria.field, "is": criteria.operator.value}
    if criteria.operator != Operator.IS_NULL:
        written["value"] = dump_value(criteria.value)
    return written


def dump_value(value: Any) -> Any:
    """Return a value of a test, or a fact, as JSON: days and instants in ISO 8601."""
    if isinstance(value, datetime):
        return dump_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [dump_value(one) for one in value]
    return value


def digest(criteria: Criteria) -> bytes:
    """Return 32 bytes (SHA-256) that differ where the criteria were written differently.

    The order of parts and of values counts. Spelling that says nothing (spaces, the order of
    keys, the offset in which an instant was written) does not.
    """
    content = json.dumps(dump(criteria), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(b"quanyi/criteria/v1\0" + content.encode()).digest()


def field_names(criteria: Criteria) -> frozenset[str]:
    """Return the names of the fields that `criteria` ask about: the facts to gather."""
    return frozenset(test.field for test in _tests(criteria))


def _tests(criteria: Criteria) -> Iterator[Test]:
    match criteria:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _tests(part)
        case Not(part):
            yield from _tests(part)
        case Test():
            yield criteria
