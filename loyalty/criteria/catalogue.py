"""What criteria may ask about: declared fields with a type, a source and who may use them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Type(StrEnum):
    """What a field's values are.

    As facts: `int`, `str`, `bool`, `date`, `datetime` with an offset, and for `TEXTS` a list,
    tuple or set of `str`. As columns: bigint (or smaller), text, boolean, date, timestamptz,
    text[].
    """

    INTEGER = "integer"
    TEXT = "text"
    BOOLEAN = "boolean"
    DAY = "day"
    INSTANT = "instant"
    TEXTS = "texts"


class Operator(StrEnum):
    """How a test compares a field with its value.

    `between` takes `[low, high]` and includes both, `in` and `not_in` take a list, `contains`
    takes one text, `is_null` takes no value, and the others take one value of the field's type.
    """

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    IN = "in"
    NOT_IN = "not_in"
    BETWEEN = "between"
    CONTAINS = "contains"
    IS_NULL = "is_null"


_EQUALITY = frozenset({Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN, Operator.IS_NULL})
_ORDER = _EQUALITY | {Operator.LT, Operator.LE, Operator.GT, Operator.GE, Operator.BETWEEN}

# Texts have no order: a database sorts them by its collation, Python by code point.
OPERATORS: Mapping[Type, frozenset[Operator]] = MappingProxyType(
    {
        Type.INTEGER: _ORDER,
        Type.TEXT: _EQUALITY,
        Type.BOOLEAN: frozenset({Operator.EQ, Operator.IS_NULL}),
        Type.DAY: _ORDER,
        Type.INSTANT: _ORDER,
        Type.TEXTS: frozenset({Operator.CONTAINS, Operator.IS_NULL}),
    }
)
"""The operators that each type has."""


class Source(StrEnum):
    """Where a field's values come from, as far as a law asks."""

    PROGRAMME = "programme"
    """Made by the programme itself: tier, points, purchases, benefits."""
    CUSTOMER = "customer"
    """Told by the customer, or by the bank about the person."""
    FINANCIAL = "financial"
    """Consumer financial information: accounts, holdings, credit."""
    CREDIT_BUREAU = "credit_bureau"
    """Credit reports: only for the use that was agreed with the bureau."""
    FRAUD_MONITOR = "fraud_monitor"
    """Addresses, devices and places collected against fraud: for nothing else."""


NEVER_FOR_MARKETING = frozenset({Source.CREDIT_BUREAU, Source.FRAUD_MONITOR})

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}(?:\.[a-z][a-z0-9_]{0,39}){1,3}")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that criteria may ask about, named `purchase.category`.

    `title` is a pair of Chinese and English that reads within a sentence. `data_class` is C0
    public, C1 internal or C2 describing a person; the values of C2 fields are left out of
    explanations. Raises `ValueError` on a name of another form, on a secret (C3), and where
    marketing is allowed what its source never allows.
    """

    name: str
    type: Type
    source: Source
    title: tuple[str, str]
    marketing: bool = False
    data_class: str = "C1"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a field")
        if not all(self.title):
            raise ValueError(f"{self.name} lacks a title in Chinese or English")
        if self.data_class not in ("C0", "C1", "C2"):
            raise ValueError(f"{self.name}: criteria cannot ask about {self.data_class}")
        if self.marketing and self.source in NEVER_FOR_MARKETING:
            raise ValueError(f"{self.name}: {self.source} is never for marketing")


class Catalogue:
    """Fields by name; it never changes. Slices compose: `Catalogue.of([*MINE, *THEIRS])`."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = MappingProxyType(dict(fields))

    @classmethod
    def of(cls, fields: Iterable[Field]) -> "Catalogue":
        """Return the catalogue of `fields`; raises `ValueError` where two have one name."""
        found: dict[str, Field] = {}
        for field in fields:
            if found.setdefault(field.name, field) != field:
                raise ValueError(f"two fields are named {field.name}")
        return cls(found)

    def find(self, name: str) -> Field | None:
        """Return the field called `name`, or `None`."""
        return self._fields.get(name)

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)
