"""Erasing a person: the keys go, what they sealed stays as noise, and a signed record tells of it.

The record also leaves the database, into a list beside it. A restored backup holds the keys again;
replaying the list takes them away again before anybody can use them.
"""

import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import after_commit
from loyalty.settings import settings
from loyalty.vault.blind import forget_values
from loyalty.vault.keyfile import keyring

FILE = "erasures.jsonl"
DOMAIN = b"quanyi/erasure/v1\0"


Forget = Callable[[Session, Collection[int]], None]
_forgetting: list[Forget] = []


def on_erasure(forget: Forget) -> Forget:
    """Have `forget` called with the customers' numbers in every erasure, replayed ones too.

    For slices that keep something of a person beside what their key seals.
    """
    if forget not in _forgetting:
        _forgetting.append(forget)
    return forget


class Reason(StrEnum):
    """Why a person is erased: a code, because a sentence could name the person."""

    REQUEST = "customer-request"
    CLOSED = "account-closed"
    RETENTION = "retention-ended"
    ORDER = "legal-order"


class ForgedErasure(Exception):
    """A line of the erasure list was not written by this installation, or was changed."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A signed record of erasure. `statement` holds ids, counts and an instant, no person."""

    customer_id: int
    statement: dict[str, Any]
    signature: bytes

    @property
    def erased_at(self) -> datetime:
        """When the keys went, by the database's clock."""
        return datetime.fromisoformat(self.statement["erased_at"])


def erase(session: Session, customer_id: int, reason: Reason) -> Receipt:
    """Destroy a customer's keys and look-up digests and return the signed record of it.

    The caller holds the customer's row. Erasing twice returns the first record. Once the
    transaction is durable the record is also appended to the erasure list.
    """
    receipt = find_receipt(session, customer_id)
    if receipt is None:
        destroyed = _destroy(session, customer_id)
        at = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        statement = {
            "kind": "erasure",
            "organisation": keyring().organisation,
            "customer_id": customer_id,
            "erased_at": at.isoformat(),
            "reason": Reason(reason).value,
            "signed_by": keyring().signing_id,
            **destroyed,
        }
        receipt = Receipt(customer_id, statement, keyring().signing_key.sign(_signed(statement)))
        _record(session, receipt)
    path = erasures_file()
    # Also where it was erased before: an earlier attempt may have ended between the two places.
    after_commit(session, partial(_list, path, receipt))
    return receipt


def find_receipt(session: Session, customer_id: int) -> Receipt | None:
    """Return the record of a customer's erasure, or None for one who is not erased."""
    row = session.execute(
        text("SELECT statement, signature FROM vault.erasures WHERE customer_id = :id"),
        {"id": customer_id},
    ).one_or_none()
    return None if row is None else Receipt(customer_id, row.statement, bytes(row.signature))


def erasures_file() -> Path:
    """Return where the list of erasures is kept, outside the database."""
    return settings().home / FILE


def write_out(path: Path, receipts: Iterable[Receipt]) -> int:
    """Append the records that the list does not have yet, durably; return how many."""
    with path.open("a+", encoding="utf-8") as file:
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        _end_torn_line(file.fileno())
        file.seek(0)
        listed = set(file)
        missing = [line for line in map(_line, receipts) if line not in listed]
        file.writelines(missing)
        file.flush()
        os.fsync(file.fileno())
    return len(missing)


def _list(path: Path, receipt: Receipt) -> None:
    write_out(path, [receipt])


def export_erasures(session: Session, path: Path | None = None) -> int:
    """Bring the list up to what the database says; return how many records were missing."""
    rows = session.execute(
        text("SELECT customer_id, statement, signature FROM vault.erasures ORDER BY id")
    )
    receipts = [Receipt(row.customer_id, row.statement, bytes(row.signature)) for row in rows]
    return write_out(path or erasures_file(), receipts)


def replay_erasures(session: Session, path: Path | None = None) -> list[int]:
    """Erase again everybody on the list; return the customers whom the database had back.

    For a restored backup, before it is opened to anybody. Raises `ForgedErasure` naming the
    line that is not ours, and then changes nothing; `FileNotFoundError` where there is no list.
    """
    returned = []
    with (path or erasures_file()).open(encoding="utf-8") as file:
        receipts = list(_read_lines(file, Path(file.name)))
    for receipt in receipts:
        destroyed = _destroy(session, receipt.customer_id)
        unrecorded = find_receipt(session, receipt.customer_id) is None
        if unrecorded:
            _record(session, receipt)
        if unrecorded or any(destroyed.values()):
            returned.append(receipt.customer_id)
    return returned


def is_genuine(receipt: Receipt, public_key: bytes) -> bool:
    """Return whether the holder of the signing key signed exactly this statement."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            receipt.signature, _signed(receipt.statement)
        )
    except InvalidSignature:
        return False
    return receipt.statement.get("customer_id") == receipt.customer_id


def _destroy(session: Session, customer_id: int) -> dict[str, int]:
    gone = session.execute(
        text("DELETE FROM vault.wrapped_keys WHERE customer_id = :id RETURNING version"),
        {"id": customer_id},
    ).all()
    for forget in _forgetting:
        forget(session, [customer_id])
    return {"keys": len(gone), "look_ups": forget_values(session, [customer_id])}


def _record(session: Session, receipt: Receipt) -> None:
    session.execute(
        text(
            "INSERT INTO vault.erasures (customer_id, statement, signature)"
            " VALUES (:id, CAST(:statement AS jsonb), :signature)"
        ),
        {
            "id": receipt.customer_id,
            "statement": json.dumps(receipt.statement),
            "signature": receipt.signature,
        },
    )


def _signed(statement: dict[str, Any]) -> bytes:
    canonical = json.dumps(statement, sort_keys=True, separators=(",", ":"))
    return DOMAIN + canonical.encode()


def _line(receipt: Receipt) -> str:
    content = {"statement": receipt.statement, "signature": receipt.signature.hex()}
    return json.dumps(content, sort_keys=True) + "\n"


def _read_lines(file: Iterable[str], path: Path) -> Iterator[Receipt]:
    public_key = keyring().public_key
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            statement = content["statement"]
            receipt = Receipt(
                statement["customer_id"], statement, bytes.fromhex(content["signature"])
            )
        except (ValueError, KeyError, TypeError):
            raise ForgedErasure(f"line {number} of {path} is no record of an erasure") from None
        if not is_genuine(receipt, public_key):
            raise ForgedErasure(f"line {number} of {path} is not signed by this installation")
        yield receipt


def _end_torn_line(descriptor: int) -> None:
    """Cut off what a crash left half written: the record is in the database and comes again."""
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0)
    whole = content.rfind(b"\n") + 1
    if whole < size:
        os.ftruncate(descriptor, whole)
