"""Replacing the wrapping key while everything runs.

Add a version, rewrap in chunks, retire the old one. Customers' keys and sealed values do not
change. Which version a key is wrapped under decides, so nothing is forgotten and nothing is
rewrapped twice.
"""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import after_commit
from loyalty.settings import settings
from loyalty.vault.customer_keys import claim_wrapping_key, unwrap, wrap
from loyalty.vault.keyfile import BadKeys, drop_wrapping_key, keyring


class StillInUse(Exception):
    """Customers' keys are wrapped under the version that was to be retired."""


def rewrap(session: Session, limit: int = 1000) -> int:
    """Wrap up to `limit` customers' keys under the newest version; return how many those were.

    Call it in one transaction each until it returns 0. Several may run at once.
    """
    ring = keyring()
    claim_wrapping_key(session, ring.newest)
    rows = session.execute(
        text(
            "SELECT customer_id, version, kek_version, algorithm, wrapped FROM vault.wrapped_keys"
            " WHERE kek_version <> :newest LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED"
        ),
        {"newest": ring.current, "limit": limit},
    ).all()
    if not rows:
        return 0
    fresh = []
    for row in rows:
        fresh.append(wrap(ring, ring.newest, row.customer_id, row.version, unwrap(ring, row)))
    session.connection().exec_driver_sql(
        "UPDATE vault.wrapped_keys AS kept SET kek_version = %(newest)s, wrapped = fresh.wrapped"
        " FROM unnest(%(ids)b::bigint[], %(numbers)b::smallint[], %(wrapped)b::bytea[])"
        " AS fresh (customer_id, version, wrapped)"
        " WHERE kept.customer_id = fresh.customer_id AND kept.version = fresh.version",
        {
            "newest": ring.current,
            "ids": [row.customer_id for row in rows],
            "numbers": [row.version for row in rows],
            "wrapped": fresh,
        },
    )
    return len(rows)


def count_users(session: Session) -> dict[int, int]:
    """Return how many customers' keys each wrapping version holds."""
    rows = session.execute(
        text("SELECT kek_version, count(*) AS users FROM vault.wrapped_keys GROUP BY kek_version")
    )
    return {row.kek_version: row.users for row in rows}


def retire(session: Session, version: int, folder: Path | None = None) -> None:
    """Destroy a wrapping key under which nothing is wrapped any more.

    Waits for transactions that are wrapping under it; later ones are refused. The key leaves the
    file once the retirement is durable. Raises `StillInUse`, and `BadKeys` for the current version.
    """
    if keyring().current == version:
        raise BadKeys(f"version {version} wraps new keys; add another version first")
    session.execute(
        text("SELECT FROM vault.wrapping_versions WHERE version = :version FOR NO KEY UPDATE"),
        {"version": version},
    )
    # A statement of its own: only now does it see those for whom the lock above waited.
    users = count_users(session).get(version, 0)
    if users:
        raise StillInUse(f"{users} keys are wrapped under version {version}; rewrap them first")
    session.execute(
        text(
            "UPDATE vault.wrapping_versions SET retired_at = clock_timestamp()"
            " WHERE version = :version AND retired_at IS NULL"
        ),
        {"version": version},
    )
    place = folder or settings().keys
    after_commit(session, lambda: drop_wrapping_key(place, version))
