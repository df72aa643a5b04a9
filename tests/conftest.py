"""Fixtures that every test may use. Whatever touches a server is real: see `servers.py`."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from loyalty.local.passwords import VALKEY, make_passwords
from loyalty.local.postgres import SUPERUSER, Postgres
from loyalty.local.roles import create_roles
from loyalty.local.valkey import Valkey
from loyalty.vault import create_keys
from tests.servers import (
    Database,
    Servers,
    Shelf,
    announce,
    announced,
    forget_connections,
    private_folder,
    redis_database,
    running_servers,
)

_running = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers in the process that outlives the workers, before those start."""
    if hasattr(config, "workerinput") or config.option.collectonly or config.option.help:
        return
    stack = config.stash[_running] = ExitStack()
    announce(stack.enter_context(running_servers()))


def pytest_unconfigure(config: pytest.Config) -> None:
    if stack := config.stash.get(_running, None):
        stack.close()


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The servers of this run."""
    return announced()


@pytest.fixture
def environment(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """Settings of one test: a home and keys of its own, an empty Redis, no database yet."""
    redis_url = redis_database(servers)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    for name in ("QUANYI_KEYS", "QUANYI_ISSUER", "METRICS_TOKEN", "PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUANYI_ENV", "test")
    monkeypatch.setenv("QUANYI_RATES", "off")  # tests call as fast as they can
    monkeypatch.setenv("QUANYI_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", redis_url)
    create_keys(tmp_path / "keys")
    forget_connections()
    yield monkeypatch
    forget_connections()


@pytest.fixture(scope="session")
def databases(servers: Servers) -> Iterator[Shelf]:
    """Where this worker's tests get their database from, one after the other."""
    shelf = Shelf(servers)
    yield shelf
    shelf.clear()


@pytest.fixture
def database(databases: Shelf, environment: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated database of this test's own, with the settings pointing at it."""
    with databases.lend() as lent:
        environment.setenv("DATABASE_URL", lent.url)
        environment.setenv("OWNER_DATABASE_URL", lent.owner_url)
        forget_connections()
        yield lent
        forget_connections()


@pytest.fixture
def redis_server(environment: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """A Valkey of this test's own, started, with REDIS_URL pointing at it; stop it as you like."""
    with private_folder() as folder:
        server = Valkey(folder, folder / "valkey.log", make_passwords()[VALKEY])
        server.start()
        environment.setenv("REDIS_URL", server.url())
        forget_connections()
        yield server
        server.stop()


@pytest.fixture
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, started, with the roles in it; stop it as you like."""
    passwords = make_passwords()
    with private_folder() as folder:
        server = Postgres(folder, folder / "postgres.log", passwords[SUPERUSER])
        server.start()
        create_roles(server.url(), passwords)
        yield server
        server.stop()
