"""What campaigns say: their placeholders, and what is wrong with their words."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

PLACEHOLDERS: Mapping[str, str] = {
    "customer_name": "person",
    "campaign": "text",
    "starts_on": "day",
    "ends_on": "day",
}
"""What stands in for a value in a campaign's words, and of which kind it is."""
LINK = {"link": "text"}
"""Beside them, in a campaign that has a link: the address that leads there by way of us."""

WITH_SUBJECT = ("email", "in_app")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")


def placeholders_of(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the placeholders that a campaign's words may use."""
    return {**PLACEHOLDERS, **LINK} if document.get("link") else PLACEHOLDERS


def check(
    told: Mapping[str, Any], declared: Mapping[str, str] = PLACEHOLDERS
) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a variant's words: pointer, rule, and the words in question."""
    for channel, languages in told.items():
        for language, words in languages.items():
            at = f"/{channel}/{language}"
            if ("subject" in words) != (channel in WITH_SUBJECT):
                yield f"{at}/subject", "subject", ""
            for part, text in words.items():
                for fault in _check_places(text, declared):
                    yield f"{at}/{part}", "placeholder", fault


def _check_places(text: str, declared: Mapping[str, str]) -> Iterator[str]:
    """Yield names that nobody declared, and braces that are no placeholder."""
    yield from (name for name in _PLACE.findall(text) if name not in declared)
    rest = _PLACE.sub("", text)
    if "{" in rest or "}" in rest:
        yield "{ }"
