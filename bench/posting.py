"""Posting to the ledger: one entry a call and a thousand, beside what the database can do."""

from __future__ import annotations

import itertools
import random
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import text

import ledger
from bench.callers import Call
from bench.limits import POST_MANY
from loyalty.database import engine, transaction

EXPIRES = datetime(2028, 1, 1, tzinfo=UTC)
TERMS = ledger.Terms(expires_at=EXPIRES)
DIGEST = bytes(32)


def open_wallets(count: int) -> dict[str, Any]:
    """Open `count` wallets of one unit; return the issuing account and the first and last id."""
    with transaction() as session:
        unit = ledger.open_unit(session, "bench.points", "points")
        issued = ledger.house(session, unit).issued
    for start in range(0, count, 10_000):
        with transaction() as session:
            holders = [f"bench:{n}" for n in range(start, min(start + 10_000, count))]
            ledger.open_wallets(session, unit, holders)
    with transaction() as session:
        wallets = list(
            session.scalars(
                text("SELECT account_id FROM ledger.wallets WHERE unit_id = :unit"), {"unit": unit}
            )
        )
    engine().dispose()
    return {"issued": issued, "wallets": wallets}


def call_post(*, issued: int, wallets: list[int], batch: int = 1, **_: Any) -> Call:
    """Return a call that posts `batch` earns to random wallets through `ledger.post`."""
    prefix, numbers = uuid.uuid4().hex[:12], itertools.count()

    def call(_: int) -> int:
        picked = random.sample(wallets, batch) if batch > 1 else [random.choice(wallets)]
        reference = f"{prefix}-{next(numbers)}"
        entries = [
            ledger.Entry(
                wallet,
                "bench",
                f"{reference}-{wallet}",
                "earn",
                (ledger.Move(issued, wallet, 10, TERMS),),
                cause={"purchase": 1},
            )
            for wallet in picked
        ]
        with transaction() as session:
            outcomes = ledger.post(session, entries)
        assert all(isinstance(outcome, ledger.Posted) for outcome in outcomes)
        return batch

    return call


def call_limit(*, issued: int, wallets: list[int], url: str, **_: Any) -> Call:
    """Return a call that writes the same rows with one round trip to a database function."""
    connections = _Connections(url)
    prefix, numbers = uuid.uuid4().hex[:12], itertools.count()

    def call(_: int) -> int:
        with connections.mine().cursor() as cursor:
            cursor.execute(
                "SELECT ledger.bench_post(%s, %s, 10, %s, %s, %s, %s)",
                (
                    random.choice(wallets),
                    issued,
                    f"{prefix}-{next(numbers)}",
                    DIGEST,
                    EXPIRES,
                    '{"purchase": 1}',
                ),
            )
            cursor.fetchone()
        return 1

    return call


def call_many_limit(*, issued: int, wallets: list[int], url: str, batch: int, **_: Any) -> Call:
    """Return a call that writes the rows of `batch` earns with one set-based statement."""
    connections = _Connections(url)
    prefix, numbers = uuid.uuid4().hex[:12], itertools.count()

    def call(_: int) -> int:
        with connections.mine().cursor() as cursor:
            cursor.execute(
                POST_MANY,
                {
                    "wallets": random.sample(wallets, batch),
                    "ref": f"{prefix}-{next(numbers)}-",
                    "digest": DIGEST,
                    "issued": issued,
                    "expires": EXPIRES,
                },
            )
        return batch

    return call


class _Connections:
    """One autocommitting connection for each thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()

    def mine(self) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = psycopg.connect(self._url, autocommit=True)
            self._local.connection = connection
        return connection
