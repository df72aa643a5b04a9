"""Merkle trees of RFC 9162, grown leaf by leaf; and paths from a leaf to a root."""

import hashlib

NAMES = {"sha-256": "sha256", "sm3": "sm3"}


class Unknown(Exception):
    """This hash algorithm is not known here, or this machine lacks it."""


class Hash:
    """Hashing of leaves and nodes with one algorithm."""

    def __init__(self, algorithm: str) -> None:
        try:
            self.algorithm = algorithm
            self._name = NAMES[algorithm]
            hashlib.new(self._name)
        except (KeyError, ValueError) as error:
            raise Unknown(f"hash algorithm {algorithm!r} is not available") from error

    def leaf(self, content: bytes) -> bytes:
        """Return the hash of a leaf's bytes."""
        return hashlib.new(self._name, b"\x00" + content).digest()

    def node(self, left: bytes, right: bytes) -> bytes:
        """Return the hash above two hashes."""
        return hashlib.new(self._name, b"\x01" + left + right).digest()


class Tree:
    """A tree that grows: only the roots of its complete parts are kept."""

    def __init__(self, hashing: Hash) -> None:
        self.size = 0
        self._hashing = hashing
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add the hash of a leaf; return the nodes that it completes, as they are stored.

        A stored node has a level, a number and a hash; it covers 256 ** level leaves.
        """
        complete = []
        self._peaks.append(leaf)
        self.size += 1
        size, height = self.size, 0
        while size % 2 == 0:
            right = self._peaks.pop()
            self._peaks[-1] = self._hashing.node(self._peaks[-1], right)
            size, height = size // 2, height + 1
            if height % 8 == 0:
                complete.append((height // 8, size - 1, self._peaks[-1]))
        return complete

    def root(self) -> bytes:
        """Return the root of the leaves so far; there must be one."""
        root = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            root = self._hashing.node(peak, root)
        return root


def root_of_path(
    hashing: Hash, leaf: bytes, index: int, size: int, path: list[bytes]
) -> bytes | None:
    """Return the root that a path leads to, or None where its length does not fit."""
    if size == 1:
        return leaf if not path else None
    if not path:
        return None
    left = 1
    while left * 2 < size:
        left *= 2
    if index < left:
        below = root_of_path(hashing, leaf, index, left, path[:-1])
        return None if below is None else hashing.node(below, path[-1])
    below = root_of_path(hashing, leaf, index - left, size - left, path[:-1])
    return None if below is None else hashing.node(path[-1], below)
