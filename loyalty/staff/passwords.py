"""Passwords: long, not guessable, kept as Argon2id. No forced change, no rules of composition."""

import re
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from loyalty.web import Refused

SHORTEST, LONGEST = 12, 200
# What people choose when twelve characters are asked for: the beginnings of the lists that
# attackers try, and the words of this product. A password made of them alone is refused.
GUESSED = (
    *("password", "passw0rd", "p@ssw0rd", "p@ssword", "welcome", "letmein", "iloveyou", "woaini"),
    *("admin", "administrator", "changeme", "default", "secret", "qwerty", "asdfgh", "zxcvbn"),
    *("abcdef", "monkey", "dragon", "football", "baseball", "sunshine", "princess", "master"),
    *("superman", "trustno", "whatever", "starwars", "computer", "internet", "microsoft"),
    *("quanyi", "loyalty", "points", "jifen", "bank", "yinhang", "diamond", "platinum", "gold"),
    *("console", "marketing", "customer", "china", "beijing", "shanghai", "test", "demo", "user"),
    *("woaizhongguo", "zhongguo", "mima", "hello", "summer", "winter", "spring", "autumn"),
)
ROWS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")
FEWEST_CHARACTERS = 6

_hasher = PasswordHasher()
_NOBODY = _hasher.hash("the password of nobody")


def hash_password(password: str, login: str) -> str:
    """Return what is stored of a new password. Raises `Refused` with `weak-password`."""
    canonical = _canonical(password)
    if not SHORTEST <= len(canonical) <= LONGEST:
        raise Refused("weak-password")
    if is_guessable(canonical, login):
        raise Refused("weak-password")
    return _hasher.hash(canonical)


def is_password(stored: str | None, password: str) -> bool:
    """Return whether `password` is the one stored; takes as long where there is none."""
    try:
        _hasher.verify(stored or _NOBODY, _canonical(password)[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_guessable(password: str, login: str) -> bool:
    """Return whether nothing is left of a password without what everybody tries first."""
    left = password.casefold()
    if len(set(left)) < FEWEST_CHARACTERS:
        return True
    for word in (login.casefold(), *login.casefold().split("-"), *GUESSED):
        if len(word) >= 4:
            left = left.replace(word, "")
    for row in ROWS:
        left = _without_runs(left, row)
    left = re.sub(r"(19|20)\d\d|[\W_]+", "", left)
    return len(left) < FEWEST_CHARACTERS


def _without_runs(text: str, row: str) -> str:
    """Return `text` without pieces of four and more that run along a row of keys, either way."""
    for line in (row, row[::-1]):
        for length in range(len(line), 3, -1):
            for start in range(len(line) - length + 1):
                text = text.replace(line[start : start + length], "")
    return text


def _canonical(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
