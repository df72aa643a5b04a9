"""Codes of coupons: made from random bits, read back however a person types or scans them.

The alphabet has 31 characters and no two that look alike; as 31 is a prime, one check character
finds every single wrong character and every two that changed places. Eighteen characters hold 84
random bits: nobody guesses one. Nine hold 39 and are given only with a customer to show them.
"""

import secrets
import unicodedata

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LONG, SHORT = 17, 8  # random characters, before the check character
LONGEST_TYPED = 100
_GROUP = {LONG + 1: 6, SHORT + 1: 3}
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]


def make_code(length: int = LONG) -> str:
    """Return a new code of `length` random characters and one that checks them."""
    number = secrets.randbelow(31**length)
    parts = []
    for _ in range(length // 2):
        number, pair = divmod(number, 961)
        parts.append(_PAIRS[pair])
    if length % 2:
        parts.append(ALPHABET[number])
    drawn = "".join(parts)
    return drawn + _check_character(drawn)


def read_code(typed: str) -> str | None:
    """Return the code that was meant by `typed`, or None where it can be none of ours.

    Width and case do not matter, nor do spaces and hyphens between characters. Nothing is
    guessed: a letter of another script or an invisible mark makes it no code.
    """
    if len(typed) > LONGEST_TYPED:
        return None
    code = unicodedata.normalize("NFKC", typed).upper().replace(" ", "").replace("-", "")
    if len(code) not in _GROUP or not all(character in _VALUES for character in code):
        return None
    return code if _check_character(code[:-1]) == code[-1] else None


def show_code(code: str) -> str:
    """Return a code in groups, as people read it: `7K3M9P-…`."""
    size = _GROUP[len(code)]
    return "-".join(code[start : start + size] for start in range(0, len(code), size))


def mask_code(code: str) -> str:
    """Return a code of which only the last three characters can be read."""
    hidden = "•" * (len(code) - 3) + code[-3:]
    size = _GROUP[len(code)]
    return "-".join(hidden[start : start + size] for start in range(0, len(hidden), size))


def _check_character(drawn: str) -> str:
    weighed = sum(place * _VALUES[character] for place, character in enumerate(drawn, 1))
    return ALPHABET[weighed % 31]
