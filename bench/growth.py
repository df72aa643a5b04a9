"""Growth: reading and posting should cost the same in a small ledger and in a large one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg

import ledger
from loyalty.database import transaction

CHUNK = 1_000_000

# Rows as posting writes them; foreign keys are skipped for speed, the shape is the same.
SEED = (
    """
    INSERT INTO ledger.entries
    SELECT w.id, nextval('ledger.entry_ids'), w.id, 'earn', 'seed', 'seed-' || p, '\\x00'::bytea,
        p, 1, NULL, now(), now()
    FROM unnest(%(wallets)s::bigint[]) AS w(id),
        generate_series(%(first)s::bigint, %(last)s::bigint) AS p
    """,
    """
    INSERT INTO ledger.transfers
    SELECT e.account_id, e.position, e.id, %(issued)s, e.account_id, 10, e.position * 10, NULL
    FROM ledger.entries e WHERE e.account_id = ANY(%(wallets)s)
        AND e.position BETWEEN %(first)s AND %(last)s
    """,
    """
    INSERT INTO ledger.lots
    SELECT w.id, p, 10, '1970-01-01 00:00:00+00', %(expires)s::timestamptz
        + make_interval(months => (p %% 24)::int), NULL, 10, 0, 0, true
    FROM unnest(%(wallets)s::bigint[]) AS w(id),
        generate_series(%(first)s::bigint, %(last)s::bigint) AS p
    """,
)
TOTALS = """
INSERT INTO ledger.lot_totals
SELECT account_id, expires_at, available_from, sum(remaining), 0
FROM ledger.lots WHERE account_id = ANY(%(wallets)s) GROUP BY 1, 2, 3
"""
WALLETS = """
UPDATE ledger.wallets SET posted = %(last)s * 10, position = %(last)s
WHERE account_id = ANY(%(wallets)s)
"""


def fill(url: str, issued: int, wallets: list[int], each: int, say: Callable[[str], None]) -> None:
    """Give each wallet `each` earns of 10 points, none of them spent. Needs a superuser."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        at_once = max(1, CHUNK // each)
        span = min(each, CHUNK)
        for start in range(0, len(wallets), at_once):
            some = wallets[start : start + at_once]
            for first in range(1, each + 1, span):
                asked = {
                    "wallets": some,
                    "issued": issued,
                    "first": first,
                    "last": min(first + span - 1, each),
                    "expires": "2028-01-01 00:00:00+00",
                }
                for statement in SEED:
                    connection.execute(statement, asked)
            connection.execute(TOTALS, {"wallets": some})
            connection.execute(WALLETS, {"wallets": some, "last": each})
            say(f"{min(start + at_once, len(wallets)) * each:,} transfers")
        connection.execute("VACUUM ANALYZE")


def time_reads(account: int, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of reading a balance and the newest and middle page."""
    with transaction() as session:
        last = ledger.read_statement(session, account, limit=1)[0].position

        def balance() -> Any:
            return ledger.read_balance(session, account)

        def newest() -> Any:
            return ledger.read_statement(session, account, limit=50)

        def middle() -> Any:
            return ledger.read_statement(session, account, before=last // 2, limit=50)

        return {
            "balance": _median(balance, rounds),
            "newest page": _median(newest, rounds),
            "middle page": _median(middle, rounds),
        }


def _median(read: Callable[[], Any], rounds: int) -> float:
    for _ in range(20):
        read()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        read()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
