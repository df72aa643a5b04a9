"""A test gets a migrated database of its own, as logins that are not superusers."""

import signal

import psycopg
import pytest
import redis
from sqlalchemy import text

from loyalty.database import SEALER_ROLE, transaction
from loyalty.local.postgres import Postgres
from loyalty.local.valkey import Valkey
from loyalty.settings import settings
from tests.servers import Database


@pytest.mark.parametrize("attempt", (1, 2))
def test_a_database_starts_as_the_migrations_leave_it(database: Database, attempt: int) -> None:
    with psycopg.connect(database.owner_url) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        assert found is not None
        connection.execute("CREATE TABLE left_behind ()")


def test_the_app_runs_as_the_role_that_it_names(database: Database) -> None:
    with transaction() as session:
        assert session.scalar(text("SELECT current_user")) == "quanyi_app"
    with transaction(SEALER_ROLE) as session:
        assert session.scalar(text("SELECT current_user")) == "quanyi_sealer"


def test_no_login_of_the_app_is_a_superuser(database: Database) -> None:
    for url in (database.url, database.web_url, database.owner_url):
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT current_setting('is_superuser')").fetchone()
            assert row == ("off",)


def test_the_web_login_cannot_act_as_the_sealer(database: Database) -> None:
    with psycopg.connect(database.web_url) as connection:
        connection.execute("SET ROLE quanyi_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE quanyi_sealer")


def test_settings_point_at_the_test_s_servers(database: Database, redis_server: Valkey) -> None:
    assert settings().database_url == database.url
    assert settings().redis_url == redis_server.url()


def test_a_private_valkey_keeps_its_address_and_keys_over_a_restart(redis_server: Valkey) -> None:
    with redis.Redis.from_url(redis_server.url()) as client:
        client.set("look", "now")
        redis_server.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        redis_server.start()
        assert client.get("look") == b"now"


def test_a_private_postgres_keeps_what_it_acknowledged_over_a_crash(
    postgres_server: Postgres,
) -> None:
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    postgres_server.stop(signal.SIGQUIT)
    postgres_server.start()
    with psycopg.connect(postgres_server.url()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
