"""JSON into criteria: everything that is not plainly right is refused, with its place."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from marshmallow import ValidationError, fields

from loyalty.criteria.catalogue import OPERATORS, Catalogue, Field, Operator, Source, Type
from loyalty.criteria.tree import AllOf, AnyOf, Criteria, Not, Single, Test
from loyalty.criteria.wording import DEPTH, LIST, NODES
from loyalty.web import Refused, validation
from loyalty.web.fields import GREATEST, Day, Instant, Text, Truth, Whole

MARKETING: Final = "marketing"
Purpose: TypeAlias = Literal["marketing"]
Path: TypeAlias = tuple[str, ...]

_MISSING = "Missing data for required field."
_UNKNOWN = "Unknown field."
_KINDS = ("all", "any", "not", "field")
_OPERATORS = {operator.value: operator for operator in Operator}
_REFUSED_SOURCES = {Source.CREDIT_BUREAU: "credit_report", Source.FRAUD_MONITOR: "antifraud"}


class InvalidCriteria(Refused):
    """A document is no criteria; `errors` lists pointers, codes and words.

    `messages` says the same in the nested shape of a marshmallow `ValidationError`.
    """

    def __init__(self, messages: dict[str, Any] | list[str]) -> None:
        errors = validation.list_errors(ValidationError(messages), "pointer")
        super().__init__("invalid-criteria", errors=errors)
        self.messages = messages


class _Fault(Exception):
    """What is wrong at one place, by a code of `validation.MESSAGES`."""

    def __init__(self, path: Path, code: str) -> None:
        super().__init__(code)
        self.path = path
        self.code = code


class _Visible(Text):
    """A text that shows all that it holds, so that whoever approves criteria sees their values."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.isprintable():
            raise ValidationError("characters")
        return text


_VALUES: Mapping[Type, fields.Field[Any]] = MappingProxyType(
    {
        Type.INTEGER: Whole(-GREATEST, GREATEST),
        Type.TEXT: _Visible(200),
        Type.BOOLEAN: Truth(),
        Type.DAY: Day(),
        Type.INSTANT: Instant(),
        Type.TEXTS: _Visible(200),
    }
)


def parse(document: Any, catalogue: Catalogue, purpose: Purpose | None = None) -> Criteria:
    """Return the criteria that a JSON `document` writes.

    With `purpose="marketing"` the fields that marketing may not use are refused. Raises
    `InvalidCriteria` naming up to 100 places, and `ValueError` on another purpose.
    """
    if purpose not in (None, MARKETING):
        raise ValueError(f"{purpose!r} is no purpose of criteria")
    reading = _Reading(catalogue, purpose)
    try:
        criteria = reading.read(document, (), 1)
    except _Fault as fault:
        raise InvalidCriteria(_nest([*reading.faults, fault])) from None
    if reading.faults:
        raise InvalidCriteria(_nest(reading.faults))
    return criteria


def _nest(faults: Iterable[_Fault]) -> dict[str, Any] | list[str]:
    """Return faults as marshmallow nests them. No fault lies within the place of another."""
    nested: dict[str, Any] = {}
    for fault in faults:
        if not fault.path:
            return [fault.code]
        place = nested
        for step in fault.path[:-1]:
            place = place.setdefault(step, {})
        place[fault.path[-1]] = [fault.code]
    return nested


class _Reading:
    """One document being read: how many conditions it has, and what is wrong so far.

    Its methods raise `_Fault` where a condition cannot be read. Among the parts of an `all` or
    `any` the others are still read, so that an author sees everything at once.
    """

    def __init__(self, catalogue: Catalogue, purpose: Purpose | None) -> None:
        self.catalogue = catalogue
        self.purpose = purpose
        self.nodes = 1
        self.faults: list[_Fault] = []

    def read(self, document: Any, path: Path, depth: int) -> Criteria:
        """Return the condition that `document` writes."""
        if depth > DEPTH:
            raise _Fault(path, "depth")
        kinds = [kind for kind in _KINDS if kind in document] if type(document) is dict else []
        if len(kinds) != 1:
            raise _Fault(path, "criterion")
        kind = kinds[0]
        known = ("field", "is", "value") if kind == "field" else (kind,)
        self.faults += [_Fault((*path, str(key)), _UNKNOWN) for key in document if key not in known]
        if kind == "field":
            return self.read_test(document, path)
        inner = (*path, kind)
        if kind == "not":
            self.count(1, inner)
            return Not(self.read(document[kind], inner, depth + 1))
        parts = self.read_parts(document[kind], inner, depth + 1)
        return AllOf(parts) if kind == "all" else AnyOf(parts)

    def count(self, more: int, path: Path) -> None:
        """Count `more` conditions before any of them is looked at."""
        self.nodes += more
        if self.nodes > NODES:
            raise _Fault(path, "nodes")

    def read_parts(self, documents: Any, path: Path, depth: int) -> tuple[Criteria, ...]:
        """Return the parts of an `all` or `any`, without those that are noted as wrong."""
        if type(documents) is not list:
            raise _Fault(path, "list")
        if not documents:
            # "All of nothing" would be everybody, which nobody means who forgot the parts.
            raise _Fault(path, "length")
        self.count(len(documents), path)
        parts = []
        for place, document in enumerate(documents):
            try:
                parts.append(self.read(document, (*path, str(place)), depth))
            except _Fault as fault:
                self.faults.append(fault)
        return tuple(parts)

    def read_test(self, document: dict[str, Any], path: Path) -> Test:
        """Return one test of a field."""
        field = self.read_field(document["field"], (*path, "field"))
        if "is" not in document:
            raise _Fault((*path, "is"), _MISSING)
        operator = _read_operator(document["is"], field, (*path, "is"))
        place = (*path, "value")
        if (operator == Operator.IS_NULL) == ("value" in document):
            raise _Fault(place, _UNKNOWN if "value" in document else _MISSING)
        value = _read_value(document.get("value"), field.type, operator, place)
        return Test(field.name, field.type, operator, value, field.data_class == "C2")

    def read_field(self, name: Any, path: Path) -> Field:
        """Return the field called `name`, if there is one and the purpose may use it."""
        if type(name) is not str:
            raise _Fault(path, "text")
        field = self.catalogue.find(name)
        if field is None:
            raise _Fault(path, "unknown_field")
        if self.purpose == MARKETING and not field.marketing:
            raise _Fault(path, _REFUSED_SOURCES.get(field.source, "not_for_marketing"))
        return field


def _read_operator(name: Any, field: Field, path: Path) -> Operator:
    if type(name) is not str:
        raise _Fault(path, "text")
    operator = _OPERATORS.get(name)
    if operator is None:
        raise _Fault(path, "unknown_operator")
    if operator not in OPERATORS[field.type]:
        raise _Fault(path, "operator_of_type")
    return operator


def _read_value(
    value: Any, kind: Type, operator: Operator, path: Path
) -> Single | tuple[Single, ...] | None:
    match operator:
        case Operator.IS_NULL:
            return None
        case Operator.BETWEEN:
            if type(value) is not list or len(value) != 2:
                raise _Fault(path, "pair")
            low, high = _read_list(value, kind, path)
            if low > high:  # type: ignore[operator]  # both are of one type that has an order
                raise _Fault(path, "order")
            return low, high
        case Operator.IN | Operator.NOT_IN:
            return _read_list(value, kind, path)
    return _read_single(value, kind, path)


def _read_list(values: Any, kind: Type, path: Path) -> tuple[Single, ...]:
    if type(values) is not list:
        raise _Fault(path, "list")
    if not 1 <= len(values) <= LIST:
        raise _Fault(path, "length")
    return tuple(
        _read_single(value, kind, (*path, str(place))) for place, value in enumerate(values)
    )


def _read_single(value: Any, kind: Type, path: Path) -> Single:
    try:
        single: Single = _VALUES[kind].deserialize(value)
    except ValidationError as error:
        raise _Fault(path, str(error.messages[0])) from None
    return single
