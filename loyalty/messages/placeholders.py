"""Placeholders: `{name}` from a declared list, put in once, and nothing else is understood.

No expression, attribute, format or escape: a brace that is no declared placeholder is refused
when a template is written. What is put in is never read again, so a value that looks like a
placeholder stays as it is.
"""

import re
from collections.abc import Mapping

KINDS = ("text", "whole", "day", "person")
PERSON = frozenset({"customer_name"})
"""Placeholders that are filled from the customer's file at the last moment, never by a request."""
LONGEST_VALUE = 100

_PLACE = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
_WHOLE = re.compile(r"-?[0-9]{1,16}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadFilling(ValueError):
    """What stands in a template's places does not fit its declaration; names a place, no value."""


def check(text: str, declared: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a template's text: stray braces and undeclared names."""
    faults = [f"unknown:{name}" for name in _PLACE.findall(text) if name not in declared]
    rest = _PLACE.sub("", text)
    return faults + (["brace"] if "{" in rest or "}" in rest else [])


def names(text: str) -> set[str]:
    """Return the placeholders that stand in `text`."""
    return set(_PLACE.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each placeholder replaced by its value, in one pass.

    Raises `BadFilling` where a value is missing.
    """

    def value_of(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise BadFilling(found[1])
        return values[found[1]]

    return _PLACE.sub(value_of, text)


def check_filling(declared: Mapping[str, str], filling: Mapping[str, str]) -> list[str]:
    """Return the places that a request fills wrongly, leaves out, or has no business with."""
    asked = {name for name, kind in declared.items() if kind != "person"}
    wrong = [
        name
        for name, value in filling.items()
        if name in asked and not _fits(declared, name, value)
    ]
    return sorted({*wrong, *(asked ^ set(filling))})


def _fits(declared: Mapping[str, str], name: str, value: str) -> bool:
    if not (1 <= len(value) <= LONGEST_VALUE and value.isprintable()):
        return False
    pattern = {"whole": _WHOLE, "day": _DAY}.get(declared[name])
    return pattern is None or pattern.fullmatch(value) is not None
