"""The key file: the keys that wrap customers' keys, kept outside the database.

One JSON file, `vault.json`, readable by its owner alone, in the folder that `QUANYI_KEYS` names.
Whoever loses it loses every customer's name and phone number for good; whoever copies it together
with the database can read them. It is backed up apart from the database.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.settings import settings
from loyalty.vault.ciphers import Algorithm, algorithm, new_key

FILE = "vault.json"
PUBLIC_FILE = "erasures.pub"
FORMAT = 1
HASHES = {Algorithm.AES_256_GCM: "sha256", Algorithm.SM4_GCM: "sm3"}


class BadKeys(Exception):
    """The key file is missing, open to others or damaged; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class WrappingKey:
    """One version of the key that wraps customers' keys."""

    version: int
    algorithm: Algorithm
    key: bytes = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """Sixteen bytes that tell two keys apart and give neither away: the keys are random."""
        return hashlib.sha256(b"quanyi/wrapping-key/v1" + self.key).digest()[:16]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The content of the key file."""

    organisation: str
    current: int
    versions: Mapping[int, WrappingKey]
    hash_name: str
    index_key: bytes = field(repr=False)
    signing_key: Ed25519PrivateKey = field(repr=False)

    @property
    def newest(self) -> WrappingKey:
        """The version that wraps new keys."""
        return self.versions[self.current]

    @property
    def signing_id(self) -> str:
        """The name of the signing key: the start of the digest of its public half."""
        return hashlib.sha256(self.public_key).hexdigest()[:16]

    @property
    def public_key(self) -> bytes:
        """The public half of the signing key, with which anybody checks a record of erasure."""
        return self.signing_key.public_key().public_bytes_raw()

    def version(self, number: int) -> WrappingKey:
        """Return the wrapping key `number`. Raises `BadKeys` when the file does not have it."""
        if number not in self.versions:
            raise BadKeys(
                f"the key file has no wrapping key version {number}: copy the current key file"
                " to this machine"
            )
        return self.versions[number]

    def index_key_for(self, name: str) -> bytes:
        """Return the look-up key of one field; no field's key tells anything of another's."""
        return hmac.digest(self.index_key, b"quanyi/blind-index/v1/" + name.encode(), "sha256")


def create_keys(folder: Path, label: str = "AES-256-GCM") -> Path:
    """Write a new key file into `folder` and return its path; `label` names the algorithm.

    Raises `BadKeys` where one exists: a second file would make the first one's customers
    unreadable. Raises `ValueError` on an unknown algorithm.
    """
    kind = algorithm(label)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    signing = Ed25519PrivateKey.generate()
    content = {
        "format": FORMAT,
        "organisation": secrets.token_hex(8),
        "hash": HASHES[kind],
        "current": 1,
        "wrapping": {"1": _wrapping_entry(kind)},
        "index": _text(secrets.token_bytes(32)),
        "signing": _text(signing.private_bytes_raw()),
    }
    path = folder / FILE
    try:
        _write_new(path, content)
    except FileExistsError:
        raise BadKeys(f"{path} exists already; keys are never overwritten") from None
    (folder / PUBLIC_FILE).write_text(signing.public_key().public_bytes_raw().hex() + "\n")
    return path


def add_wrapping_key(folder: Path, label: str | None = None) -> int:
    """Add a wrapping key, make it the current one and return its version.

    `label` changes the algorithm of this and of every later customer's key.
    """
    content = _load(folder / FILE)
    newest = content["wrapping"][str(content["current"])]
    version = max(int(number) for number in content["wrapping"]) + 1
    content["wrapping"][str(version)] = _wrapping_entry(algorithm(label or newest["algorithm"]))
    content["current"] = version
    _replace(folder / FILE, content)
    return version


def drop_wrapping_key(folder: Path, version: int) -> None:
    """Destroy one wrapping key. Only `retire` calls this, once nothing is wrapped under it.

    Raises `BadKeys` for the current version.
    """
    content = _load(folder / FILE)
    if content["current"] == version:
        raise BadKeys(f"version {version} wraps new keys; add another version first")
    content["wrapping"].pop(str(version), None)
    _replace(folder / FILE, content)


def read_keys(folder: Path) -> KeyRing:
    """Return the keys in `folder`, read again when the file has changed.

    Raises `BadKeys` when the file is missing, open to others or damaged.
    """
    path = folder / FILE
    try:
        state = path.stat()
    except FileNotFoundError:
        raise BadKeys(f"{path} is missing; `loyalty keys create` makes one") from None
    if state.st_mode & 0o077:
        raise BadKeys(f"{path} may be read by others; run: chmod 600 {path}")
    return _ring(path, state.st_mtime_ns, state.st_ino)


def keyring() -> KeyRing:
    """Return the keys of this installation. Raises `BadKeys` as `read_keys` does."""
    return read_keys(settings().keys)


@lru_cache(maxsize=4)
def _ring(path: Path, _changed: int, _inode: int) -> KeyRing:
    content = _load(path)
    try:
        versions = {
            int(number): WrappingKey(
                int(number), algorithm(entry["algorithm"]), _bytes(entry["key"])
            )
            for number, entry in content["wrapping"].items()
        }
        ring = KeyRing(
            organisation=content["organisation"],
            current=content["current"],
            versions=versions,
            hash_name=content["hash"],
            index_key=_bytes(content["index"]),
            signing_key=Ed25519PrivateKey.from_private_bytes(_bytes(content["signing"])),
        )
        _check(ring)
    except (KeyError, TypeError, ValueError) as fault:
        raise BadKeys(f"{path} is damaged ({fault}); restore it from its own backup") from fault
    return ring


def _check(ring: KeyRing) -> None:
    for key in ring.versions.values():
        if len(key.key) != key.algorithm.key_bytes:
            raise ValueError(f"wrapping key {key.version} has the wrong length")
    if ring.current not in ring.versions:
        raise ValueError("the current wrapping key is missing")
    if len(ring.index_key) != 32 or ring.hash_name not in HASHES.values():
        raise ValueError("the look-up key makes no sense")


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadKeys(f"{path} is missing; `loyalty keys create` makes one") from None
    except ValueError as fault:
        raise BadKeys(f"{path} is damaged; restore it from its own backup") from fault
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadKeys(f"{path} is not a key file of format {FORMAT}")
    return content


def _wrapping_entry(kind: Algorithm) -> dict[str, str]:
    return {
        "algorithm": kind.label,
        "added_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "key": _text(new_key(kind)),
    }


def _write_new(path: Path, content: dict[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _replace(path: Path, content: dict[str, Any]) -> None:
    # Renaming is one step: a reader, or a machine that loses power, sees the old file or the new.
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    _write_new(fresh, content)
    fresh.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
