"""What the gate must know of a customer's will, read for many at once."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_LOCK = text(
    "SELECT id, state FROM loyalty.customers WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"
)

NOTHING: Mapping[str, Any] = {
    "status": "NONE",
    "seq": 0,
    "newest_seq": 0,
    "refused_seq": 0,
    "notice": None,
    "suppressions": [],
}
"""Nobody has agreed to anything until they say so."""


def lock(session: Session, customer_ids: Collection[int]) -> dict[int, str]:
    """Lock the customers in the order of their ids; return their states."""
    rows = session.execute(_LOCK, {"ids": sorted(set(customer_ids))})
    return {row.id: row.state for row in rows}


def newest_sequences(_session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Return the number of each customer's newest consent event; 0 where there is none."""
    return dict.fromkeys(customer_ids, 0)


def read(
    _session: Session, asked: Collection[tuple[int, str, str]]
) -> dict[tuple[int, str, str], Mapping[str, Any]]:
    """Return what stands between us and each (customer, purpose, channel)."""
    return dict.fromkeys(asked, NOTHING)
