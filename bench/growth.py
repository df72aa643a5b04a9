"""Growth: reading and posting should cost the same in a small ledger and in a large one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

import ledger
from loyalty.database import transaction

Connection = psycopg.Connection[tuple[Any, ...]]

CHUNK = 1_000_000
TABLES = ("ledger.entries", "ledger.transfers", "ledger.lots")

# Rows as posting writes them; foreign keys are skipped for speed, the shape is the same.
ROWS = """
FROM unnest(%(wallets)s::bigint[]) WITH ORDINALITY AS w(id, n),
    generate_series(%(first)s::bigint, %(last)s::bigint) AS p
"""
ENTRY_ID = "%(ids)s + (w.n - 1) * (%(last)s - %(first)s + 1) + p - %(first)s"
SEED = (
    f"""
    INSERT INTO ledger.entries
    SELECT w.id, {ENTRY_ID}, w.id, 'earn', 'seed', 'seed-' || p, '\\x00'::bytea,
        p, 1, NULL, now(), now() {ROWS}
    """,
    f"""
    INSERT INTO ledger.transfers
    SELECT w.id, p, {ENTRY_ID}, %(issued)s, w.id, 10, p * 10, NULL {ROWS}
    """,
    f"""
    INSERT INTO ledger.lots
    SELECT w.id, p, 10, '1970-01-01 00:00:00+00', %(expires)s::timestamptz
        + make_interval(months => (p %% 24)::int), NULL, 10, 0, 0, true {ROWS}
    """,
)
TAKE_IDS = "SELECT setval('ledger.entry_ids', nextval('ledger.entry_ids') + %s) - %s"
TOTALS = """
INSERT INTO ledger.lot_totals
SELECT account_id, expires_at, available_from, sum(remaining), 0
FROM ledger.lots GROUP BY 1, 2, 3
ON CONFLICT (account_id, expires_at, available_from) DO UPDATE SET remaining = excluded.remaining
"""
WALLETS = """
UPDATE ledger.wallets SET posted = %(last)s * 10, position = %(last)s
WHERE account_id = ANY(%(wallets)s::bigint[])
"""
Filling = tuple[list[int], int]
"""Wallets, and how many earns each of them gets."""


def fill(url: str, issued: int, fillings: list[Filling], say: Callable[[str], None]) -> None:
    """Give each wallet so many earns of 10 points, none of them spent. Needs a superuser.

    The wallets have to be empty. The indexes sleep meanwhile and are built once in the end,
    which takes less time.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        for table in TABLES:
            connection.execute(
                "UPDATE pg_index SET indisready = false, indisvalid = false"
                " WHERE indrelid = %s::regclass",
                (table,),
            )
        for wallets, each in fillings:
            _fill(connection, issued, wallets, each)
            connection.execute(WALLETS, {"wallets": wallets, "last": each})
            say(f"{len(wallets) * each:,} transfers")
        for table in TABLES:
            connection.execute(f"REINDEX TABLE {table}")
        connection.execute(TOTALS)
        connection.execute("VACUUM ANALYZE")


def _fill(connection: Connection, issued: int, wallets: list[int], each: int) -> None:
    at_once, span = max(1, CHUNK // each), min(each, CHUNK)
    for start in range(0, len(wallets), at_once):
        some = wallets[start : start + at_once]
        for first in range(1, each + 1, span):
            last = min(first + span - 1, each)
            count = len(some) * (last - first + 1)
            (ids,) = connection.execute(TAKE_IDS, (count, count)).fetchone() or (0,)
            asked = {
                "wallets": some,
                "issued": issued,
                "first": first,
                "last": last,
                "ids": ids,
                "expires": "2028-01-01 00:00:00+00",
            }
            for statement in SEED:
                connection.execute(statement, asked)


def time_reads(accounts: Sequence[int], rounds: int) -> list[dict[str, float]]:
    """Return for each wallet the median milliseconds of reading a balance and two pages.

    The wallets take turns, so that a machine that slows down slows both.
    """
    with transaction() as session:
        last = [ledger.read_statement(session, a, limit=1)[0].position for a in accounts]
        reads: dict[str, Callable[[int], Any]] = {
            "balance": lambda n: ledger.read_balance(session, accounts[n]),
            "newest page": lambda n: ledger.read_statement(session, accounts[n], limit=50),
            "middle page": lambda n: ledger.read_statement(
                session, accounts[n], before=last[n] // 2, limit=50
            ),
        }
        found: list[dict[str, float]] = [{} for _ in accounts]
        for name, read in reads.items():
            for number, median in enumerate(_medians(read, len(accounts), rounds)):
                found[number][name] = median
        return found


def _medians(read: Callable[[int], Any], count: int, rounds: int) -> list[float]:
    times: list[list[float]] = [[] for _ in range(count)]
    for turn in range(rounds + 20):
        for number in range(count):
            started = time.perf_counter()
            read(number)
            if turn >= 20:  # the first reads warm up
                times[number].append(1000 * (time.perf_counter() - started))
    return [statistics.median(some) for some in times]
