"""Dumping the ledger's tables for those who verify it without a connection."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Table, inspect
from sqlalchemy.orm import Session

from ledger.base import Base
from ledger.contents import connection_of
from ledger.models import SCHEMA


def dump_tables(session: Session, folder: Path, also: Sequence[type[Base]] = ()) -> dict[str, int]:
    """Write a file of JSON lines for each table of the ledger; return how many rows each has.

    `also` names tables of those above whose logs are sealed. All from one moment: `session` must
    not have read anything yet. Instants are RFC 3339, bytes hex after a backslash and an x, JSON
    is the text of PostgreSQL.
    """
    connection = connection_of(session)
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.execute("SET LOCAL statement_timeout = 0")
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for table in (*_ledger_tables(), *(_table(model) for model in also)):
        counts[table.name] = _dump(connection, table, folder / f"{table.name}.jsonl")
    return counts


def _ledger_tables() -> list[Table]:
    tables = [_table(mapper.class_) for mapper in Base.registry.mappers]
    return [table for table in tables if table.schema == SCHEMA]


def _table(model: type[Base]) -> Table:
    table = inspect(model).local_table
    assert isinstance(table, Table)
    return table


def _dump(connection: Any, table: Table, path: Path) -> int:
    columns = ", ".join(
        f"{column.name}::text" if column.type.__visit_name__ == "JSONB" else column.name
        for column in table.columns
    )
    count = 0
    with (
        path.open("w", encoding="utf-8") as file,
        connection.cursor() as cursor,
        cursor.copy(
            f"COPY (SELECT row_to_json(r) FROM (SELECT {columns} FROM {table.fullname}) r)"
            " TO STDOUT"
        ) as copy,
    ):
        for (line,) in copy.rows():
            file.write(line + "\n")
            count += 1
    return count
