"""Checkpoints: signed statements of how much a log holds and what its root is.

The note that is signed is plain text, a line each: format, origin, log, hash algorithm, size,
root (hex), instant (RFC 3339), key id. Whoever keeps notes outside can prove later that a log
was cut, or that two people were shown different histories.
"""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from sqlalchemy.orm import Session

from ledger.contents import connection_of
from ledger.sealing import Log, head, lock_sealing, tree

NOTE = "quanyi.checkpoint/1"
PRIVATE_KEY = "sealing.pem"
PUBLIC_KEY = "sealing-public.pem"

_COLUMNS = "origin, log, algorithm, size, root, at, key_id, signature"


class HistoryChanged(Exception):
    """What is sealed no longer begins with what was signed before: nothing more is signed."""


class LooseKey(Exception):
    """A private key that others may read is no key; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size, root and instant, signed."""

    origin: str
    log: str
    algorithm: str
    size: int
    root: bytes
    at: datetime
    key_id: str
    signature: bytes

    @property
    def note(self) -> str:
        """The text that is signed."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        lines = (NOTE, self.origin, self.log, self.algorithm, str(self.size), self.root.hex(), at)
        return "\n".join((*lines, self.key_id, ""))

    def as_json(self) -> dict[str, str]:
        """Return note and signature (base64), as they leave the house."""
        return {"note": self.note, "signature": base64.b64encode(self.signature).decode()}


class Signer:
    """The key that signs checkpoints, and the name of the house it signs for."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        if not origin or "\n" in origin:
            raise ValueError("an origin is one line of text")
        self.origin = origin
        self.key_id = key_id(key.public_key())
        self._key = key

    def sign(self, note: str) -> bytes:
        """Return the signature of a note."""
        return self._key.sign(note.encode())


def create_sealing_key(folder: Path) -> Path:
    """Make the pair of keys that checkpoints are signed and verified with; return the public.

    The private key is for the owner of the files alone (0600). Keys that exist stay.
    """
    private, public = folder / PRIVATE_KEY, folder / PUBLIC_KEY
    if not private.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        _write_whole(private, pem, 0o600)
    if not public.exists():
        key = _read_private(private).public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write_whole(public, pem, 0o644)
    return public


def load_signer(folder: Path, origin: str) -> Signer:
    """Return the signer whose key lies in `folder`. Raises `LooseKey` if others may read it."""
    return Signer(origin, _read_private(folder / PRIVATE_KEY))


def read_public_key(folder: Path) -> tuple[str, str] | None:
    """Return id and PEM text of the public key in `folder`; None where none was made yet."""
    path = folder / PUBLIC_KEY
    if not path.exists():
        return None
    key = load_pem_public_key(path.read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    return key_id(key), path.read_text()


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name of a public key: the first 16 hex digits of its SHA-256."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def sign_checkpoint(session: Session, log: Log, signer: Signer) -> Checkpoint | None:
    """Sign what is sealed of `log` and keep it; None while nothing is sealed.

    Where nothing was sealed since the last checkpoint, returns that one. The instant is the
    database's. Raises `HistoryChanged` if the sealed rows contradict the last checkpoint.
    """
    lock_sealing(session, log)
    connection = connection_of(session)
    size, _ = head(connection, log)
    last = last_checkpoint(session, log)
    if last is not None:
        _check_history(session, log, last, size)
    if size == 0 or (last is not None and last.size == size):
        return last
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    unsigned = Checkpoint(
        signer.origin,
        log.name,
        log.algorithm,
        size,
        tree(connection, log, size).root(),
        row[0],
        signer.key_id,
        b"",
    )
    signature = signer.sign(unsigned.note)
    row = connection.execute(
        f"INSERT INTO ledger.checkpoints ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
        f" RETURNING {_COLUMNS}",
        (
            unsigned.origin,
            unsigned.log,
            unsigned.algorithm,
            unsigned.size,
            unsigned.root,
            unsigned.at,
            unsigned.key_id,
            signature,
        ),
    ).fetchone()
    assert row is not None
    return Checkpoint(*row)


def last_checkpoint(session: Session, log: Log) -> Checkpoint | None:
    """Return the last checkpoint of `log`."""
    row = (
        connection_of(session)
        .execute(
            f"SELECT {_COLUMNS} FROM ledger.checkpoints WHERE log = %s ORDER BY size DESC LIMIT 1",
            (log.name,),
        )
        .fetchone()
    )
    return None if row is None else Checkpoint(*row)


def checkpoints_after(session: Session, log: Log, size: int, limit: int = 1000) -> list[Checkpoint]:
    """Return the checkpoints of `log` that are larger than `size`, smallest first."""
    rows = connection_of(session).execute(
        f"SELECT {_COLUMNS} FROM ledger.checkpoints WHERE log = %s AND size > %s"
        " ORDER BY size LIMIT %s",
        (log.name, size, limit),
    )
    return [Checkpoint(*row) for row in rows]


def newest_checkpoints(
    session: Session, log: str, *, below: int | None = None, limit: int = 100
) -> list[Checkpoint]:
    """Return the checkpoints of the log of that name, largest first; smaller than `below`."""
    rows = connection_of(session).execute(
        f"SELECT {_COLUMNS} FROM ledger.checkpoints WHERE log = %s AND size < %s"
        " ORDER BY size DESC LIMIT %s",
        (log, 2**62 if below is None else below, limit),
    )
    return [Checkpoint(*row) for row in rows]


def append_checkpoints(path: Path, checkpoints: list[Checkpoint]) -> None:
    """Append a JSON line for each checkpoint to a file and force it to disk.

    A line that a crash left half-written is closed first, so that every other line stays whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(item.as_json()) + "\n" for item in checkpoints)
    with path.open("ab+") as file:
        if file.tell() and not _ends_whole(path):
            text = "\n" + text
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def last_appended(path: Path) -> dict[str, int]:
    """Return the largest size of each log that the file at `path` holds whole."""
    sizes: dict[str, int] = {}
    if not path.exists():
        return sizes
    for line in path.read_text().splitlines():
        try:
            _, _, log, _, size, *_ = json.loads(line)["note"].splitlines()
        except ValueError:
            continue  # half a line, left by a crash: its checkpoint is appended again
        sizes[log] = max(sizes.get(log, 0), int(size))
    return sizes


def _check_history(session: Session, log: Log, last: Checkpoint, size: int) -> None:
    if last.algorithm != log.algorithm:
        raise HistoryChanged(f"{log.name} was begun with {last.algorithm}")
    if last.size > size:
        raise HistoryChanged(f"{log.name} had {last.size} rows and has {size}")
    if tree(connection_of(session), log, last.size).root() != last.root:
        raise HistoryChanged(f"the first {last.size} rows of {log.name} are not what was signed")


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _read_private(path: Path) -> Ed25519PrivateKey:
    if path.stat().st_mode & 0o077:
        raise LooseKey(f"others may read {path}; make it yours alone with chmod 600")
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _write_whole(path: Path, content: bytes, mode: int) -> None:
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
