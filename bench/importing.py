"""The import end to end, beside COPY of the same rows into the same tables."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from loyalty import customers, vault
from loyalty.database import transaction
from loyalty.demo import people, purchases, sample
from loyalty.points.commands import apply_import, stage_file
from loyalty.settings import settings

# Everything that an import of purchases writes, parents before children.
TABLES = (
    "loyalty.purchases",
    "loyalty.awards",
    "ledger.entries",
    "ledger.transfers",
    "ledger.lots",
    "ledger.lot_totals",
    "loyalty.tier_states",
    "loyalty.tier_changes",
    "loyalty.outbox",
    "loyalty.audit_events",
    "loyalty.import_rows",
)


def run_import() -> tuple[float, int]:
    """Return the seconds that the import of the sample's file takes, and its purchases.

    The customers are registered before the clock starts. The rest is what a bank does: the file
    is read, staged and applied, with rules, lots, tiers, audit and outbox.
    """
    vault.create_keys(settings().keys)
    references = purchases.read_references()
    with transaction() as session:
        programme = sample.open_sample(session)
        customers.register(session, [people.invent(reference) for reference in references])
    with purchases.unpacked(purchases.days_until_yesterday(programme.zone)) as path:
        started = time.perf_counter()
        import_id = stage_file(path, sample.CODE, sample.SOURCE, purchases.LAYOUT)
        apply_import(import_id, "import")
        seconds = time.perf_counter() - started
    with transaction() as session:
        count: int = session.execute(text("SELECT count(*) FROM loyalty.purchases")).scalar_one()
    return seconds, count


# Emptying those tables empties what refers to them, and each of these guards itself.
ALL_TABLES = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('loyalty', 'ledger')"


def copy_again(url: str) -> tuple[float, int]:
    """Return the seconds and the rows of a COPY of all that an import wrote, table by table.

    The rows are kept aside in unlogged tables, the real tables are emptied, and each gets its
    rows back through COPY with all indexes, foreign keys and triggers as they are. Only a
    superuser can: the tables are append-only.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        saved = {table: _save(connection, table) for table in TABLES}
        connection.execute("SET session_replication_role = replica")
        everything = [f"{schema}.{name}" for schema, name in connection.execute(ALL_TABLES)]
        for table in everything:
            connection.execute(_sql("ALTER TABLE {} DISABLE TRIGGER USER", table))
        connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        for table in everything:
            connection.execute(_sql("ALTER TABLE {} ENABLE TRIGGER USER", table))
        connection.execute("SET session_replication_role = origin")
        started = time.perf_counter()
        for table in TABLES:
            with connection.cursor().copy(
                _sql("COPY {} FROM STDIN (FORMAT binary)", table)
            ) as copy:
                for block in saved[table][0]:
                    copy.write(block)
        return time.perf_counter() - started, sum(count for _, count in saved.values())


def _save(connection: psycopg.Connection[Any], table: str) -> tuple[list[bytes], int]:
    with connection.cursor() as cursor:
        with cursor.copy(_sql("COPY {} TO STDOUT (FORMAT binary)", table)) as copy:
            blocks = [bytes(block) for block in copy]
        row = connection.execute(_sql("SELECT count(*) FROM {}", table)).fetchone()
    assert row is not None
    return blocks, row[0]


def _sql(statement: str, table: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(*table.split(".")))
