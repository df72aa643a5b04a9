"""Migrations: one head, every step can be undone, and what they make is what the models say."""

from collections.abc import Iterator
from itertools import pairwise
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool

import migrations
from loyalty.database import sqlalchemy_url
from loyalty.local.roles import OWNER, create_database
from migrations.tables import metadata
from tests.migrations.catalogue import OF_MODELS, differences, read_catalogue
from tests.servers import Database, Servers, drop_database


@pytest.fixture
def empty(servers: Servers) -> Iterator[str]:
    """The owner's address of a database with nothing in it."""
    name = f"quanyi_test_{uuid4().hex[:16]}"
    try:
        create_database(servers.url("postgres"), name)
        yield servers.url(name, OWNER)
    finally:
        drop_database(servers, name)


def steps() -> list[str]:
    """Return the revisions from the first to the last."""
    script = ScriptDirectory.from_config(migrations.configure("postgresql://"))
    return [step.revision for step in reversed(list(script.walk_revisions()))]


def test_there_is_one_head_and_one_line_of_steps() -> None:
    script = ScriptDirectory.from_config(migrations.configure("postgresql://"))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    assert not [step.revision for step in script.walk_revisions() if step.is_branch_point]


def test_every_step_up_can_be_taken_down_and_up_again_to_the_same_schema(empty: str) -> None:
    url = sqlalchemy_url(empty)
    catalogues = {"base": read_catalogue(empty)}
    for step in steps():
        migrations.upgrade(url, step)
        catalogues[step] = read_catalogue(empty)
    revisions = list(catalogues)
    for before, step in reversed(list(pairwise(revisions))):
        migrations.downgrade(url, before)
        assert differences(catalogues[before], read_catalogue(empty)) == [], f"down from {step}"
        migrations.upgrade(url, step)
        assert differences(catalogues[step], read_catalogue(empty)) == [], f"up to {step} again"
        migrations.downgrade(url, before)
    migrations.upgrade(url)
    assert differences(catalogues[revisions[-1]], read_catalogue(empty)) == []


def test_alembic_finds_no_difference_between_the_models_and_the_database(
    database: Database,
) -> None:
    engine = create_engine(sqlalchemy_url(database.owner_url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_tables_made_from_the_models_are_those_that_the_migrations_make(
    database: Database, empty: str
) -> None:
    """Alembic compares neither checks nor which rows an index leaves out."""
    with psycopg.connect(empty, autocommit=True) as connection:
        for schema in sorted({table.schema or "public" for table in metadata.tables.values()}):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
    engine = create_engine(sqlalchemy_url(empty), poolclass=pool.NullPool)
    metadata.create_all(engine)
    modelled, migrated = read_catalogue(empty), read_catalogue(database.owner_url)
    of_models = [{name: found[name] for name in OF_MODELS} for found in (modelled, migrated)]
    assert "\n".join(differences(*of_models)) == ""
