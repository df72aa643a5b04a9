"""The bytes of leaves, written anew from their description.

A value starts with a tag byte: `n` null; `i` a whole number in eight bytes with sign; `t` a text
in UTF-8 and `b` bytes, each after four bytes of length; `l` a list, whose four bytes say how
many values follow. Numbers are big endian.
"""

import json
import struct
from json.encoder import encode_basestring
from typing import Any

LEDGER = "quanyi.ledger.leaf/1"
AUDIT = "quanyi.audit.leaf/1"
DECISION = "quanyi.decision.leaf/1"
CONSENT = "quanyi.consent.leaf/1"


def number(value: int) -> bytes:
    """Return the bytes of a whole number."""
    return struct.pack(">cq", b"i", value)


def text(value: str) -> bytes:
    """Return the bytes of a text."""
    content = value.encode("utf-8", "surrogatepass")
    return b"t" + struct.pack(">I", len(content)) + content


def octets(value: bytes) -> bytes:
    """Return the bytes of bytes."""
    return b"b" + struct.pack(">I", len(value)) + value


def sequence(items: list[bytes]) -> bytes:
    """Return the bytes of a list of values that are bytes already."""
    return b"l" + struct.pack(">I", len(items)) + b"".join(items)


def row(values: Any) -> bytes:
    """Return the bytes of a row: a list of numbers, texts, bytes and nulls."""
    items = []
    for value in values:
        if isinstance(value, int):
            items.append(struct.pack(">cq", b"i", value))
        elif isinstance(value, str):
            items.append(text(value))
        else:
            items.append(b"n" if value is None else octets(value))
    return sequence(items)


def leaf(form: str, algorithm: str, parts: list[list[Any]]) -> bytes:
    """Return the bytes of a leaf of a log: its format, its hash algorithm, its parts' rows."""
    rows = [sequence([row(values) for values in part]) for part in parts]
    return sequence([text(form), text(algorithm), *rows])


class _Digits(str):
    """A number of a JSON text, as it is written there."""

    __slots__ = ()


def plain_json(source: str) -> str:
    """Return a JSON text in canonical form: keys sorted by code point, no blanks, numbers kept."""
    pieces: list[str] = []
    _write(json.loads(source, parse_int=_Digits, parse_float=_Digits), pieces)
    return "".join(pieces)


def _write(value: Any, pieces: list[str]) -> None:
    if isinstance(value, _Digits):
        pieces.append(str(value))
    elif isinstance(value, str):
        pieces.append(encode_basestring(value))
    elif isinstance(value, dict):
        for n, key in enumerate(sorted(value)):
            pieces.append(("," if n else "{") + encode_basestring(key) + ":")
            _write(value[key], pieces)
        pieces.append("}" if value else "{}")
    elif isinstance(value, list):
        for n, item in enumerate(value):
            pieces.append("," if n else "[")
            _write(item, pieces)
        pieces.append("]" if value else "[]")
    elif value is None:
        pieces.append("null")
    else:
        pieces.append("true" if value else "false")
