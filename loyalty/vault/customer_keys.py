"""A key per customer: made, wrapped, stored, opened; it seals and unseals that customer's values.

A sealed value is `format | algorithm | wrapping version | key version | nonce | text and tag`.
The wrapping version says under which key the customer's key was wrapped at that moment; it is
history, for reading only the key version counts, because wrapping keys are replaced underneath.
"""

import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty.vault.ciphers import Algorithm, Unreadable, bind, decrypt, encrypt, new_key
from loyalty.vault.keyfile import BadKeys, KeyRing, WrappingKey, keyring

FORMAT = 1
HEADER = struct.Struct(">BBHH")


# `%(…)b` sends the arrays as bytes, which takes a sixth of the time that their text takes.
_STORE = (
    "INSERT INTO vault.wrapped_keys (customer_id, version, kek_version, algorithm, wrapped)"
    " SELECT fresh.customer_id, fresh.version, %(kek)s, fresh.algorithm, fresh.wrapped"
    " FROM unnest(%(ids)b::bigint[], %(numbers)b::smallint[], %(algorithms)b::smallint[],"
    " %(wrapped)b::bytea[]) AS fresh (customer_id, version, algorithm, wrapped)"
    " WHERE NOT EXISTS (SELECT FROM vault.erasures"
    " WHERE erasures.customer_id = fresh.customer_id)"
    " ON CONFLICT DO NOTHING"
)
_READ = (
    "SELECT customer_id, version, kek_version, algorithm, wrapped FROM vault.wrapped_keys"
    " WHERE customer_id = ANY(%(ids)b::bigint[])"
)


class Erased(Exception):
    """The customers had keys and their keys were destroyed: nothing of theirs can be read."""

    def __init__(self, customer_ids: Iterable[int]) -> None:
        self.customer_ids = sorted(customer_ids)
        super().__init__(f"erased customers: {self.customer_ids[:10]}")


class NoKey(Exception):
    """The customer never had a key."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One unwrapped key."""

    algorithm: Algorithm
    kek_version: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """All key versions of one customer. Lives as long as the request that opened it."""

    organisation: str
    customer_id: int
    versions: Mapping[int, KeyVersion]

    def seal(self, column: str, plain: str) -> bytes:
        """Return `plain` sealed for `column` (`table.column`) of this customer's row."""
        number = max(self.versions)
        newest = self.versions[number]
        header = HEADER.pack(FORMAT, newest.algorithm, newest.kek_version, number)
        bound_to = self._bound_to(column, header)
        return header + encrypt(newest.algorithm, newest.key, plain.encode(), bound_to)

    def unseal(self, column: str, sealed: bytes) -> str:
        """Return the text that `seal` was given for the same column and customer.

        Raises `Unreadable` for anything else.
        """
        if len(sealed) < HEADER.size:
            raise Unreadable("too short to be a sealed value")
        header = sealed[: HEADER.size]
        form, kind, _, number = HEADER.unpack(header)
        version = self.versions.get(number)
        if form != FORMAT or version is None or version.algorithm != kind:
            raise Unreadable("sealed in a format or by a key that this customer does not have")
        rest = sealed[HEADER.size :]
        return decrypt(
            version.algorithm, version.key, rest, self._bound_to(column, header)
        ).decode()

    def _bound_to(self, column: str, header: bytes) -> bytes:
        return header + _place(self.organisation, column) + bind(self.customer_id)


@lru_cache(maxsize=256)
def _place(organisation: str, column: str) -> bytes:
    table, _, name = column.rpartition(".")
    return bind("value", organisation, table, name)


def make_key(ring: KeyRing, customer_id: int) -> CustomerKey:
    """Return a fresh first key for a customer; `store_keys` keeps it."""
    version = KeyVersion(ring.newest.algorithm, ring.newest.version, new_key(ring.newest.algorithm))
    return CustomerKey(ring.organisation, customer_id, {1: version})


def open_keys(
    session: Session, customer_ids: Collection[int], *, create: bool = False
) -> dict[int, CustomerKey]:
    """Return the keys of the customers that have one; with `create` make the missing ones.

    Without `create` a customer who is erased or never had a key is left out; `erased` tells which
    of both. With `create` the caller holds the customers' rows. Raises `Erased` when `create` is
    asked for a customer whose key was destroyed, `BadKeys` when the key file does not fit.
    """
    opened = _stored_keys(session, customer_ids)
    missing = set(customer_ids) - opened.keys()
    if create and missing:
        ring = keyring()
        store_keys(session, [make_key(ring, customer_id) for customer_id in sorted(missing)])
        # Read back: where another transaction was first, its key is the one that counts.
        opened |= _stored_keys(session, missing)
    return opened


def open_key(session: Session, customer_id: int) -> CustomerKey:
    """Return one customer's key. Raises `Erased` or `NoKey`, which are different things."""
    opened = _stored_keys(session, [customer_id])
    if customer_id in opened:
        return opened[customer_id]
    if erased(session, [customer_id]):
        raise Erased([customer_id])
    raise NoKey(f"customer {customer_id} never had a key")


def erased(session: Session, customer_ids: Collection[int]) -> set[int]:
    """Return those of the customers whose keys were destroyed."""
    rows = session.execute(
        text("SELECT customer_id FROM vault.erasures WHERE customer_id = ANY(:ids)"),
        {"ids": list(customer_ids)},
    )
    return set(rows.scalars())


def store_keys(session: Session, keys: Collection[CustomerKey]) -> None:
    """Wrap and write fresh keys, in one statement however many.

    A customer who has a key keeps the old one. Raises `Erased` when one of them is erased.
    """
    if not keys:
        return
    ring = keyring()
    claim_wrapping_key(session, ring.newest)
    versions = [
        (key.customer_id, number, version)
        for key in keys
        for number, version in key.versions.items()
    ]
    session.connection().exec_driver_sql(
        _STORE,
        {
            "kek": ring.current,
            "ids": [customer_id for customer_id, _, _ in versions],
            "numbers": [number for _, number, _ in versions],
            "algorithms": [int(version.algorithm) for _, _, version in versions],
            "wrapped": [
                wrap(ring, ring.newest, customer_id, number, version)
                for customer_id, number, version in versions
            ],
        },
    )
    gone = erased(session, [key.customer_id for key in keys])
    if gone:
        raise Erased(gone)


def wrap(
    ring: KeyRing, under: WrappingKey, customer_id: int, number: int, version: KeyVersion
) -> bytes:
    """Return a customer's key sealed under a wrapping key, bound to the customer and version."""
    bound_to = _wrapped_to(ring, under.version, customer_id, number, version.algorithm)
    return bytes([under.algorithm]) + encrypt(under.algorithm, under.key, version.key, bound_to)


def unwrap(ring: KeyRing, stored: Row[Any]) -> KeyVersion:
    """Return the key in a row of `vault.wrapped_keys`. Raises `Unreadable` or `BadKeys`."""
    under = ring.version(stored.kek_version)
    wrapped = bytes(stored.wrapped)
    if not wrapped or wrapped[0] != under.algorithm:
        raise Unreadable(f"the key of customer {stored.customer_id} is damaged")
    bound_to = _wrapped_to(
        ring, under.version, stored.customer_id, stored.version, stored.algorithm
    )
    key = decrypt(under.algorithm, under.key, wrapped[1:], bound_to)
    return KeyVersion(Algorithm(stored.algorithm), under.version, key)


def _wrapped_to(ring: KeyRing, kek: int, customer_id: int, number: int, kind: int) -> bytes:
    return bind("key", ring.organisation, customer_id, number, int(kind), kek)


def _stored_keys(session: Session, customer_ids: Collection[int]) -> dict[int, CustomerKey]:
    ids = {"ids": list(customer_ids)}
    rows = session.connection().exec_driver_sql(_READ, ids).all()
    if not rows:
        return {}
    ring = keyring()
    found: dict[int, dict[int, KeyVersion]] = {}
    for row in rows:
        found.setdefault(row.customer_id, {})[row.version] = unwrap(ring, row)
    return {
        customer_id: CustomerKey(ring.organisation, customer_id, versions)
        for customer_id, versions in found.items()
    }


def claim_wrapping_key(session: Session, key: WrappingKey) -> None:
    """Hold the wrapping key in use until the commit, so that nobody retires it meanwhile."""
    session.execute(
        text(
            "INSERT INTO vault.wrapping_versions (version, fingerprint)"
            " SELECT :version, :fingerprint WHERE NOT EXISTS"
            " (SELECT FROM vault.wrapping_versions WHERE version = :version)"
            " ON CONFLICT DO NOTHING"
        ),
        {"version": key.version, "fingerprint": key.fingerprint},
    )
    known = session.execute(
        text(
            "SELECT fingerprint, retired_at FROM vault.wrapping_versions"
            " WHERE version = :version FOR SHARE"
        ),
        {"version": key.version},
    ).one()
    if bytes(known.fingerprint) != key.fingerprint:
        raise BadKeys(
            f"wrapping key version {key.version} of the key file is not the one that this"
            " database was written with"
        )
    if known.retired_at is not None:
        raise BadKeys(
            f"wrapping key version {key.version} is retired: copy the current key file to this"
            " machine"
        )
