"""Alembic's entry: runs the steps on the database that the configuration names."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from migrations.tables import metadata

LOCK = 7_201_917  # one migrator at a time: a session-level advisory lock


def run() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            include_schemas=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
