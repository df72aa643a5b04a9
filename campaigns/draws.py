"""Prize draws that anybody can recompute: a seed that was promised before, and a list of tickets.

Before the start the hash of the seed is published. Afterwards the seed and the tickets are: each
ticket's rank is HMAC-SHA-256(seed, ticket), and the lowest ranks win, from the highest prize down.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Prize:
    """A kind of prize and how many of it there are, the highest first."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Winner:
    """A ticket that won, and what."""

    ticket: str
    prize: str


def promise(seed: bytes) -> str:
    """Return what is published before the start: it binds to the seed and tells nothing of it."""
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes")
    return hashlib.sha256(b"quanyi.draw/1\0" + seed).hexdigest()


def keeps(seed: bytes, commitment: str) -> bool:
    """Return whether `seed` is the one that was promised."""
    return hmac.compare_digest(promise(seed), commitment)


def digest_tickets(tickets: Iterable[str]) -> str:
    """Return the hash of a list of tickets, whatever their order."""
    lines = "".join(f"{ticket}\n" for ticket in sorted(set(tickets)))
    return hashlib.sha256(b"quanyi.tickets/1\0" + lines.encode()).hexdigest()


def draw(seed: bytes, tickets: Collection[str], prizes: Sequence[Prize]) -> list[Winner]:
    """Return the winners: each ticket wins at most once, and the order of tickets is nothing.

    Fewer tickets than prizes leave the last prizes without a winner.
    """
    ranked = sorted(set(tickets), key=lambda ticket: (rank(seed, ticket), ticket))
    won = (prize.name for prize in prizes for _ in range(prize.count))
    return [Winner(ticket, name) for ticket, name in zip(ranked, won, strict=False)]


def rank(seed: bytes, ticket: str) -> bytes:
    """Return by what tickets are ranked: nobody can tell it before the seed is known."""
    return hmac.digest(seed, ticket.encode(), hashlib.sha256)
