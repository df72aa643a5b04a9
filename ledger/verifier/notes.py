"""Checkpoints: signed notes of a log's size and root, from tables, files and statements."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

FORMAT = "quanyi.checkpoint/1"

Keys = dict[str, Ed25519PublicKey]


class BadNote(Exception):
    """A note or its signature is not what it must be; the message says what is wrong."""


@dataclass(frozen=True)
class Note:
    """What one checkpoint says."""

    origin: str
    log: str
    algorithm: str
    size: int
    root: bytes
    at: str
    key_id: str


def read_keys(paths: list[Path]) -> Keys:
    """Return the public keys in PEM files, by key id. Raises `ValueError`."""
    keys: Keys = {}
    for path in paths:
        key = load_pem_public_key(path.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError(f"{path} holds no Ed25519 public key")
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        keys[hashlib.sha256(raw).hexdigest()[:16]] = key
    return keys


def read_note(text: str) -> Note:
    """Return what a note says. Raises `BadNote`."""
    lines = text.split("\n")
    if len(lines) != 9 or lines[0] != FORMAT or lines[8]:
        raise BadNote("is not in the form of a checkpoint")
    try:
        note = Note(
            lines[1], lines[2], lines[3], int(lines[4]), bytes.fromhex(lines[5]), *lines[6:8]
        )
    except ValueError as error:
        raise BadNote("is not in the form of a checkpoint") from error
    if str(note.size) != lines[4] or note.size < 1:
        raise BadNote("does not state a size")
    return note


def check_signature(text: str, signature: bytes, keys: Keys) -> None:
    """Check that one of `keys` signed a note. Without any key nothing is checked.

    Raises `BadNote`.
    """
    if not keys:
        return
    key = keys.get(read_note(text).key_id)
    if key is None:
        raise BadNote(f"is signed with key {read_note(text).key_id}, which was not given")
    try:
        key.verify(signature, text.encode())
    except InvalidSignature as error:
        raise BadNote("is not signed by the key that it names") from error


def read_signed(document: Any, keys: Keys) -> Note:
    """Return what a note in a JSON document says, its signature checked. Raises `BadNote`."""
    try:
        text, encoded = document["note"], document["signature"]
        signature = base64.b64decode(encoded, validate=True)
        text.encode()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadNote("is no note with a signature") from error
    note = read_note(text)
    check_signature(text, signature, keys)
    return note


def read_exported(path: Path) -> list[tuple[int, Any]]:
    """Return the JSON documents of a file of exported checkpoints, each with its line number.

    A line that is cut off, as a crash leaves it, is skipped; what it said was appended again.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                found.append((number, json.loads(line)))
            except ValueError:
                continue
    return found
