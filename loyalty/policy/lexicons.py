"""Finding words however they are written, unless they are denied. No I/O.

Text is compared in NFKC, without case, without characters that nobody sees; Chinese words also
without the blanks and marks that somebody put between their characters. Spans are those of the
text as written.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

# What may stand between the characters of a word without ending it.
_BETWEEN = frozenset("*·•・-_~|/\\.`'\"“”‘’「」『』【】[]()<>《》^+=#&")
_LATIN = re.compile(r"[a-z0-9]")


class Hit(NamedTuple):
    """A word that was found: which of the list, and where in the text as written."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A list of words. `allowed` are longer words around one that make it harmless.

    `negators` directly before a word, with nothing but `bridges` between, deny it; two of them
    do not. Words may hold `…` for up to eight characters of anything within a sentence.
    """

    words: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    negators: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> "Lexicon":
        """Return the list in a pack's JSON."""
        return cls(**{name: tuple(words) for name, words in content.items()})

    def find(self, text: str) -> list[Hit]:
        """Return the words that are meant in a text, by where they begin."""
        plain = _flatten(text)
        hits = {hit for hit in self._hits(plain) if not self._is_allowed(plain, hit)}
        meant = [hit for hit in hits if not self._is_denied(plain, hit)]
        return [
            Hit(word, plain.places[start], plain.places[end - 1] + 1)
            for word, start, end in sorted(meant, key=lambda hit: (hit.start, -hit.end))
        ]

    def _hits(self, plain: "_Plain") -> Iterator[Hit]:
        for word in self.words:
            for found in _pattern(word).finditer(plain.text):
                yield Hit(word, *found.span())

    def _is_allowed(self, plain: "_Plain", hit: Hit) -> bool:
        return any(
            found.start() <= hit.start and hit.end <= found.end()
            for longer in self.allowed
            for found in _pattern(longer).finditer(plain.text)
        )

    def _is_denied(self, plain: "_Plain", hit: Hit) -> bool:
        """Return whether an odd number of negators stands before the word."""
        if not self.negators:
            return False
        count, end = 0, hit.start
        while True:
            before = _before(self.negators, self.bridges, self.words).search(plain.text, 0, end)
            if before is None:
                return count % 2 == 1
            count += 1
            end = before.start()


@dataclass(frozen=True, slots=True)
class _Plain:
    text: str
    places: Sequence[int]


def _flatten(text: str) -> _Plain:
    """Return the text as it is compared, and for each character where it came from."""
    characters: list[str] = []
    places: list[int] = []
    for place, written in enumerate(text):
        for character in unicodedata.normalize("NFKC", written).casefold():
            if unicodedata.category(character) in ("Cf", "Mn", "Cc") and not character.isspace():
                continue
            characters.append(" " if character.isspace() else character)
            places.append(place)
    return _squeeze(characters, places)


def _squeeze(characters: Sequence[str], places: Sequence[int]) -> _Plain:
    """Leave out blanks and marks, but for those between two Latin words."""
    kept: list[str] = []
    kept_places: list[int] = []
    gap = False
    for character, place in zip(characters, places, strict=True):
        if character == " " or character in _BETWEEN:
            gap = True
            continue
        if gap and kept and _LATIN.match(kept[-1]) and _LATIN.match(character):
            kept.append(" ")
            kept_places.append(place)
        gap = False
        kept.append(character)
        kept_places.append(place)
    return _Plain("".join(kept), kept_places)


@lru_cache(maxsize=4096)
def _pattern(word: str) -> re.Pattern[str]:
    body = _spell(word)
    before = r"(?<![a-z0-9])" if _LATIN.match(word[0]) else ""
    after = r"(?![a-z0-9])" if _LATIN.match(word[-1]) else ""
    return re.compile(before + body + after)


def _spell(word: str) -> str:
    """Return a word of a list as a pattern over flattened text."""
    parts = (re.escape(_flatten(part).text) for part in word.split("…"))
    return "[^。!?;,]{0,8}?".join(parts)


@lru_cache(maxsize=64)
def _before(
    negators: tuple[str, ...], bridges: tuple[str, ...], words: tuple[str, ...]
) -> re.Pattern[str]:
    """Return what matches a negator right before a word, with bridges or listed words between."""
    between = "|".join(_longest_first((*bridges, *words)))
    denying = "|".join(_longest_first(negators))
    return re.compile(f"(?:{denying}) ?(?:(?:{between}) ?){{0,6}}$")


def _longest_first(words: Iterable[str]) -> list[str]:
    return [_spell(word) for word in sorted(words, key=len, reverse=True)]
