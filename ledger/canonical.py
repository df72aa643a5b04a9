"""The bytes that are hashed for one entry in one log.

A value starts with a tag byte: `n` is null; `i` a whole number, in eight bytes with sign; `t` a
text in UTF-8 and `b` bytes, each after a length of four bytes; `l` a list: four bytes say how
many values follow. Numbers are big endian. So no two different contents have the same bytes.

A leaf is the list: format, hash algorithm, and then the parts named in `PARTS`, each a list of
rows, each row the list of its columns in the order given there. Instants are microseconds since
1970 UTC. Rows stand in ascending order of their key. `cause` is canonical JSON as text.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring
from struct import Struct
from typing import Any

FORMAT = "quanyi.ledger.leaf/1"

PARTS: dict[str, tuple[str, ...]] = {
    "account": ("id", "unit", "unit_kind", "role", "holder", "floor", "opened_at"),
    "entry": (
        "account_id",
        "id",
        "home_id",
        "kind",
        "source",
        "reference",
        "digest",
        "position",
        "transfers",
        "cause",
        "effective_at",
        "recorded_at",
    ),
    "transfers": (
        "position",
        "entry_id",
        "from_account_id",
        "from_role",
        "from_holder",
        "to_account_id",
        "to_role",
        "to_holder",
        "amount",
        "balance_after",
        "reverses",
    ),
    "lots": ("position", "amount", "available_from", "expires_at", "terms"),
    "lot_uses": ("position", "lot", "amount"),
    "hold": ("amount", "lapses_at"),
    "hold_lots": ("lot", "amount"),
    "hold_moves": ("hold_id", "kind", "amount"),
}
INSTANTS = frozenset(
    ("opened_at", "effective_at", "recorded_at", "available_from", "expires_at", "lapses_at")
)

Row = tuple[Any, ...]
"""Whole numbers, texts, bytes and None, in the order of a part's columns."""
Content = Sequence[Sequence[Row]]
"""What one leaf covers: for each of `PARTS`, in order, its rows."""

_whole = Struct(">cq").pack
_sized = Struct(">cI").pack


def leaf_bytes(content: Content, algorithm: str, form: str = FORMAT) -> bytes:
    """Return the bytes of one leaf, for hashing with `algorithm`.

    `form` names what is covered and in which version, so that no leaf of one log is one of
    another.
    """
    return encode([form, algorithm, *content])


def encode(value: object) -> bytes:
    """Return the bytes of a value: None, a whole number, a text, bytes, or a list of these.

    Raises `TypeError` on anything else (a float, a boolean): it has no canonical form; and
    `struct.error` on a number beyond 64 bits.
    """
    parts: list[bytes] = []
    _encode((value,), parts.append)
    return b"".join(parts)


def _encode(items: Iterable[Any], write: Callable[[bytes], None]) -> None:
    for item in items:
        kind = item.__class__
        if kind is int:
            write(_whole(b"i", item))
        elif kind is str:
            content = item.encode()
            write(_sized(b"t", len(content)) + content)
        elif item is None:
            write(b"n")
        elif kind is bytes:
            write(_sized(b"b", len(item)) + item)
        elif kind is list or kind is tuple:
            write(_sized(b"l", len(item)))
            _encode(item, write)
        else:
            raise TypeError(f"a {kind.__name__} has no canonical form")


class _Number(str):
    """A number as the database wrote it: it never passes through floating point."""

    __slots__ = ()


def canonical_json(text: str) -> str:
    """Return a JSON text in its one canonical form.

    Keys in order of their code points, no blanks, texts with only what JSON requires escaped,
    numbers digit by digit as they stand in `text` (PostgreSQL's jsonb writes each stored number
    in one way). A null stays a null: it is not the same as no JSON at all.
    """
    return _dump(json.loads(text, parse_int=_Number, parse_float=_Number))


def _dump(value: object) -> str:
    if isinstance(value, dict):
        items = (f"{encode_basestring(key)}:{_dump(value[key])}" for key in sorted(value))
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_dump(item) for item in value) + "]"
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(value)
    return {True: "true", False: "false", None: "null"}[value]  # type: ignore[index]
