"""Secrets that belong to no customer (codes of coupons): digested to be found, sealed to be read.

Both keys are derived from the look-up key of the key file, which lives outside the database and
never changes: a digest that must be found again for years could not follow a rotation either.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from loyalty.vault.ciphers import Algorithm, Unreadable, bind, decrypt, encrypt
from loyalty.vault.keyfile import keyring

FORMAT = 1
DIGEST_BYTES = 16  # no two of ten thousand million values share one, but for a miracle


@dataclass(frozen=True, slots=True)
class ValueKey:
    """What digests and seals the values of one place (`table.column`)."""

    place: str
    organisation: str
    algorithm: Algorithm
    index_key: bytes = field(repr=False)
    sealing_key: Callable[[Algorithm], bytes] = field(repr=False)

    def digest(self, value: str) -> bytes:
        """Return the digest under which `value` is found."""
        return hmac.digest(self.index_key, value.encode(), "sha256")[:DIGEST_BYTES]

    def seal(self, value: str, digest: bytes) -> bytes:
        """Return `value` sealed for the row that holds `digest`, and for no other."""
        key = self.sealing_key(self.algorithm)
        header = bytes((FORMAT, self.algorithm))
        return header + encrypt(self.algorithm, key, value.encode(), self._bound_to(digest))

    def unseal(self, sealed: bytes, digest: bytes) -> str:
        """Return what `seal` was given. Raises `Unreadable` for anything else."""
        if len(sealed) < 2 or sealed[0] != FORMAT or sealed[1] not in tuple(Algorithm):
            raise Unreadable("not a value that this installation sealed")
        kind = Algorithm(sealed[1])
        bound_to = self._bound_to(digest)
        return decrypt(kind, self.sealing_key(kind), sealed[2:], bound_to).decode()

    def _bound_to(self, digest: bytes) -> bytes:
        return bind("secret", self.organisation, self.place) + digest


def value_key(place: str) -> ValueKey:
    """Return what digests and seals the values of `place`. Raises `BadKeys`."""
    ring = keyring()
    root = ring.index_key_for(f"seal/{place}")
    keys = {kind: hmac.digest(root, kind.label.encode(), "sha256") for kind in Algorithm}
    return ValueKey(
        place=place,
        organisation=ring.organisation,
        algorithm=ring.newest.algorithm,
        index_key=ring.index_key_for(place),
        sealing_key=lambda kind: keys[kind][: kind.key_bytes],
    )
