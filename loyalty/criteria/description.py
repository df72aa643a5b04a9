"""Criteria as a sentence that a person can check and approve: nothing is left out of it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from loyalty.criteria.catalogue import Catalogue, Operator, Type
from loyalty.criteria.tree import AllOf, AnyOf, Criteria, Not, Test, dump_value
from loyalty.web import Bilingual

_SENTENCES: Mapping[Operator, Bilingual] = MappingProxyType(
    {
        Operator.EQ: Bilingual("{}为{}", "{} is {}"),
        Operator.NE: Bilingual("{}已知且不为{}", "{} is known and is not {}"),
        Operator.LT: Bilingual("{}小于{}", "{} is less than {}"),
        Operator.LE: Bilingual("{}不大于{}", "{} is at most {}"),
        Operator.GT: Bilingual("{}大于{}", "{} is more than {}"),
        Operator.GE: Bilingual("{}不小于{}", "{} is at least {}"),
        Operator.IN: Bilingual("{}为以下之一:{}", "{} is one of {}"),
        Operator.NOT_IN: Bilingual("{}已知且不是以下任何一个:{}", "{} is known and is none of {}"),
        Operator.BETWEEN: Bilingual("{}在{}之间(含两端)", "{} is between {} inclusive"),
        Operator.CONTAINS: Bilingual("{}包含{}", "{} include {}"),
        Operator.IS_NULL: Bilingual("{}未知", "{} is unknown"),
    }
)
_OF_TIME: Mapping[Operator, Bilingual] = MappingProxyType(
    {
        Operator.LT: Bilingual("{}早于{}", "{} is before {}"),
        Operator.LE: Bilingual("{}不晚于{}", "{} is not after {}"),
        Operator.GT: Bilingual("{}晚于{}", "{} is after {}"),
        Operator.GE: Bilingual("{}不早于{}", "{} is not before {}"),
    }
)
_TRUTH = {True: Bilingual("{}:是", "{}: yes"), False: Bilingual("{}:否", "{}: no")}
_ALL = Bilingual(",并且", " and ")
_ANY = Bilingual(",或者", " or ")
_NOT = Bilingual("并非({})", "not ({})")
_BRACKETS = Bilingual("({})", "({})")
_LISTED = Bilingual("、", ", ")
_PAIRED = Bilingual("与", " and ")


def describe(criteria: Criteria, catalogue: Catalogue, language: str) -> str:
    """Return what `criteria` ask, in `zh` or `en`, without a full stop, with every value.

    Raises `ValueError` on another language and `KeyError` where the catalogue lacks a field.
    """
    if language not in ("zh", "en"):
        raise ValueError(f"{language!r} is neither zh nor en")
    match criteria:
        case AllOf(parts):
            return _join(parts, _ALL, catalogue, language)
        case AnyOf(parts):
            return _join(parts, _ANY, catalogue, language)
        case Not(part):
            return _say(_NOT, language).format(describe(part, catalogue, language))
    title = _say(Bilingual(*catalogue[criteria.field].title), language)
    return _say(_sentence(criteria), language).format(title, _values(criteria, language))


def _join(parts: tuple[Criteria, ...], word: Bilingual, catalogue: Catalogue, language: str) -> str:
    if len(parts) == 1:
        return describe(parts[0], catalogue, language)
    said = []
    for part in parts:
        one = describe(part, catalogue, language)
        bracketed = isinstance(part, AllOf | AnyOf)
        said.append(_say(_BRACKETS, language).format(one) if bracketed else one)
    return _say(word, language).join(said)


def _sentence(test: Test) -> Bilingual:
    if isinstance(test.value, bool):
        return _TRUTH[test.value]
    if test.type in (Type.DAY, Type.INSTANT):
        return _OF_TIME.get(test.operator) or _SENTENCES[test.operator]
    return _SENTENCES[test.operator]


def _values(test: Test, language: str) -> str:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    between = test.operator == Operator.BETWEEN
    separator = _say(_PAIRED if between else _LISTED, language)
    return separator.join(_value(value) for value in values)


def _value(value: Any) -> str:
    return f"“{value}”" if isinstance(value, str) else str(dump_value(value))


def _say(words: Bilingual, language: str) -> str:
    return words.en if language == "en" else words.zh
