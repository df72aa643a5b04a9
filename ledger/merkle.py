"""Merkle trees of RFC 9162: roots, inclusion and consistency proofs, and their verification.

Leaves and inner nodes are hashed with different first bytes, so that neither can be shown for
the other. A tree of `size` leaves splits at the largest power of two below `size`.
"""

import hashlib
from collections.abc import Callable, Sequence

ALGORITHMS = {"sha-256": "sha256", "sm3": "sm3"}
FAN_OUT = 256
"""Stored nodes are the roots of complete subtrees of FAN_OUT ** level leaves."""

Subtree = Callable[[int, int], bytes]
"""The root of the leaves from `start` to before `end`."""
Read = Callable[[int, int, int], Sequence[bytes]]
"""`count` stored hashes of a level from number `first` on; level 0 are the leaves' hashes."""


class Hashing:
    """How one log hashes: `sha-256` or `sm3`."""

    def __init__(self, algorithm: str) -> None:
        name = ALGORITHMS[algorithm]
        self.algorithm = algorithm
        self._new: Callable[[bytes], hashlib._Hash] = (
            hashlib.sha256 if name == "sha256" else lambda content: hashlib.new(name, content)
        )

    def leaf(self, content: bytes) -> bytes:
        """Return the hash of a leaf."""
        return self._new(b"\0" + content).digest()

    def node(self, left: bytes, right: bytes) -> bytes:
        """Return the hash of the node above two others."""
        return self._new(b"\1" + left + right).digest()

    def empty(self) -> bytes:
        """Return the root of a tree without leaves."""
        return self._new(b"").digest()

    def root(self, hashes: Sequence[bytes]) -> bytes:
        """Return the root over leaves, or over the roots of complete subtrees of one size."""
        if not hashes:
            return self.empty()
        row = list(hashes)
        while len(row) > 1:
            above = [self.node(*row[i : i + 2]) for i in range(0, len(row) - 1, 2)]
            row = above if len(row) % 2 == 0 else [*above, row[-1]]
        return row[0]


class Tree:
    """A log's tree, read from its leaves and stored nodes; each is read and hashed once."""

    def __init__(self, hashing: Hashing, size: int, read: Read) -> None:
        self.hashing = hashing
        self.size = size
        self._read = read
        self._known: dict[tuple[int, int], bytes] = {}
        self._rows: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        return self.subtree(0, self.size)

    def subtree(self, start: int, end: int) -> bytes:
        """Return the root of the leaves from `start` to before `end`, a node of the tree."""
        if start == end:
            return self.hashing.empty()
        found = self._known.get((start, end))
        if found is None:
            found = self._known[start, end] = self._find(start, end)
        return found

    def _find(self, start: int, end: int) -> bytes:
        count = end - start
        level = (count.bit_length() - 1) // 8
        width = FAN_OUT**level
        if count == width:
            number, offset = divmod(start // width, FAN_OUT)
            return bytes(self._row(level, number)[offset])
        middle = start + split(count)
        return self.hashing.node(self.subtree(start, middle), self.subtree(middle, end))

    def inclusion(self, index: int) -> list[bytes]:
        """Return the proof that leaf `index` is in this tree."""
        return inclusion_path(self.subtree, index, self.size)

    def consistency(self, old: int) -> list[bytes]:
        """Return the proof that this tree begins with its first `old` leaves."""
        return consistency_path(self.subtree, old, self.size)

    def _row(self, level: int, number: int) -> Sequence[bytes]:
        row = self._rows.get((level, number))
        if row is None:
            first = number * FAN_OUT
            count = min(FAN_OUT, self.size // FAN_OUT**level - first)
            row = self._rows[level, number] = self._read(level, first, count)
            if len(row) != count:
                raise LookupError(f"level {level} lacks nodes from {first}")
        return row


def split(size: int) -> int:
    """Return the largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_path(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """Return the proof for leaf `index` of `size`, from the leaf upwards."""
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    path.reverse()
    return path


def consistency_path(subtree: Subtree, old: int, new: int) -> list[bytes]:
    """Return the proof that a tree of `new` leaves begins with the tree of its first `old`."""
    if not 0 < old <= new:
        raise IndexError(f"a tree of {new} leaves has no beginning of {old}")
    path: list[bytes] = []
    start, end = 0, new
    while end != old:
        middle = start + split(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    if start:
        path.append(subtree(start, end))
    path.reverse()
    return path


def verify_inclusion(
    hashing: Hashing, leaf: bytes, path: Sequence[bytes], *, index: int, size: int, root: bytes
) -> bool:
    """Return whether `path` proves that `leaf` (a hash) is leaf `index` of the tree `root`."""
    if not 0 <= index < size:
        return False
    number, last, above = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            above = hashing.node(sibling, above)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            above = hashing.node(above, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and above == root


def verify_consistency(
    hashing: Hashing, path: Sequence[bytes], *, old: int, new: int, old_root: bytes, new_root: bytes
) -> bool:
    """Return whether `path` proves that the tree `new_root` begins with the tree `old_root`."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old_above = new_above = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            old_above = hashing.node(sibling, old_above)
            new_above = hashing.node(sibling, new_above)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new_above = hashing.node(new_above, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and old_above == old_root and new_above == new_root
