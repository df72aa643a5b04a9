"""Every table says what kind it is and how private its columns are, and is what it says."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

import migrations.tables  # noqa: F401 - imports every model
from ledger.base import APPEND_ONLY, CONFIGURATION, PROJECTION, Base
from loyalty.local.roles import GROUPS, LOGINS, OWNER
from tests.servers import Database

KINDS = {APPEND_ONLY, PROJECTION, CONFIGURATION}
DATA_CLASSES = {"C0", "C1", "C2", "C3"}
MODELS = sorted(
    (mapper.class_ for mapper in Base.registry.mappers), key=lambda model: str(model.__table__)
)
GUARDED = [model for model in MODELS if getattr(model, "__kind__", None) == APPEND_ONLY]

# A value for a column that must not be empty, by its type; what it says does not matter.
VALUES = {
    "bool": "true",
    "bytea": "'\\x00'",
    "jsonb": "'{}'",
    "timestamptz": "now()",
    "date": "current_date",
    "uuid": "gen_random_uuid()",
    "text": "'x'",
    "tstzrange": "'empty'",
    "daterange": "'empty'",
}


def name_of(model: type[Base]) -> str:
    return str(model.__table__)


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_a_table_declares_its_kind_itself(model: type[Base]) -> None:
    assert "__kind__" in vars(model), "not inherited: each table says it"
    assert model.__kind__ in KINDS


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_every_column_has_a_data_class(model: type[Base]) -> None:
    assert model.__data_class__ in DATA_CLASSES
    classes = {
        column.name: column.info.get("data_class", model.__data_class__)
        for column in model.__table__.columns
    }
    assert {name: found for name, found in classes.items() if found not in DATA_CLASSES} == {}


def test_there_are_no_tables_beside_the_models(database: Database) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = {row[0] for row in rows} - {"public.alembic_version"}
    assert found == {name_of(model) for model in MODELS}


@pytest.fixture
def unchecked(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's transaction in which rows need not make sense; nothing of it stays.

    It replicates, so only triggers that are enabled always fire: foreign keys do not.
    """
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("SET session_replication_role = replica")
        checks = connection.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint"
            " WHERE contype = 'c' AND conrelid <> 0 AND conparentid = 0 AND connamespace"
            " NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        )
        for table, name in checks.fetchall():
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                    sql.SQL(table), sql.Identifier(name)
                )
            )
        yield connection
        connection.rollback()


def test_append_only_tables_refuse_every_change_even_to_a_superuser(
    unchecked: psycopg.Connection[Any],
) -> None:
    assert GUARDED
    for model in GUARDED:
        table = name_of(model)
        insert_any_row(unchecked, table)
        column = next(c.name for c in model.__table__.columns if c.identity is None)
        for change in (
            f'UPDATE {table} SET "{column}" = "{column}"',
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(errors.InsufficientPrivilege), unchecked.transaction():
                unchecked.execute(change.encode())


def insert_any_row(connection: psycopg.Connection[Any], table: str) -> None:
    """Insert a row that has something in each column that must not be empty."""
    columns = connection.execute(
        "SELECT attname, typname, typcategory FROM pg_attribute a"
        " JOIN pg_type t ON t.oid = atttypid WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attnotnull AND attidentity = '' AND attgenerated = ''",
        [table],
    ).fetchall()
    names = ", ".join(f'"{name}"' for name, _, _ in columns)
    values = ", ".join(
        VALUES.get(kind, "'{}'" if category == "A" else "1") for _, kind, category in columns
    )
    written = f"({names}) VALUES ({values})" if columns else "DEFAULT VALUES"
    connection.execute(f"INSERT INTO {table} {written}".encode())


def test_nobody_who_runs_is_granted_a_change_of_what_is_append_only(database: Database) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        for model in GUARDED:
            for role in (*GROUPS, *(login for login in LOGINS if login != OWNER)):
                granted = connection.execute(
                    "SELECT p FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p"
                    " WHERE has_table_privilege(%(role)s, %(table)s, p) OR (p = 'UPDATE'"
                    " AND has_any_column_privilege(%(role)s, %(table)s, p))",
                    {"role": role, "table": name_of(model)},
                ).fetchall()
                assert granted == [], f"{role} on {name_of(model)}"


def test_who_runs_owns_nothing_and_can_make_nothing(database: Database) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        for role in (*GROUPS, *(login for login in LOGINS if login != OWNER)):
            (owned,) = connection.execute(
                "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", [role]
            ).fetchone() or (None,)
            assert owned == 0, role
            found = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(%s, oid, 'CREATE')"
                " AND nspname !~ '^pg_(temp|toast)'",
                [role],
            ).fetchall()
            assert found == [], role
            rights = connection.execute(
                "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication"
                " FROM pg_roles WHERE rolname = %s",
                [role],
            ).fetchone()
            assert rights == (False,), role
