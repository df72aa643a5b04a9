"""The servers that the tests use: one PostgreSQL and one Valkey a run, a fresh database a test."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4
from weakref import WeakSet

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, event

import migrations
from loyalty.database import forget_engines, sqlalchemy_url
from loyalty.local.passwords import VALKEY, make_passwords
from loyalty.local.postgres import SUPERUSER, Postgres
from loyalty.local.roles import OWNER, WEB, WORKER, create_database, create_roles
from loyalty.local.valkey import Valkey
from loyalty.settings import settings

ANNOUNCED = "QUANYI_TEST_SERVERS"
"""The environment variable by which the process that started the servers tells the others."""


@dataclass(frozen=True)
class Servers:
    """Where this run's servers are. Both addresses may do anything on their server."""

    folder: str
    superuser_url: str
    redis_url: str
    passwords: dict[str, str] = field(repr=False)

    def url(self, database: str, login: str | None = None) -> str:
        """Return the address of `database` for `login`; the superuser's without one."""
        parts = urlsplit(self.superuser_url)
        place = parts.netloc.rpartition("@")[2]
        if login is not None:
            parts = parts._replace(netloc=f"{login}:{quote(self.passwords[login])}@{place}")
        return urlunsplit(parts._replace(path=f"/{database}"))


@dataclass(frozen=True)
class Database:
    """A migrated database of one test's own."""

    name: str
    url: str = field(repr=False)
    """As the login of the workers, who may act as the app and as the sealer."""
    web_url: str = field(repr=False)
    """As the login of the web processes, who may act as the app alone."""
    owner_url: str = field(repr=False)
    superuser_url: str = field(repr=False)


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start the servers of a run and stop them after it.

    TEST_DATABASE_URL (a superuser's address) and TEST_REDIS_URL name servers to use instead.
    """
    passwords = make_passwords()
    with private_folder() as folder:
        postgres = valkey = None
        try:
            superuser_url = os.environ.get("TEST_DATABASE_URL", "")
            if not superuser_url:
                postgres = Postgres(folder, folder / "postgres.log", passwords[SUPERUSER])
                postgres.start()
                superuser_url = postgres.url()
            redis_url = os.environ.get("TEST_REDIS_URL", "")
            if not redis_url:
                valkey = Valkey(folder, folder / "valkey.log", passwords[VALKEY])
                valkey.start()
                redis_url = valkey.url()
            create_roles(superuser_url, passwords)
            yield Servers(str(folder), superuser_url, redis_url, passwords)
        finally:
            for server in (valkey, postgres):
                if server is not None:
                    server.stop()


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a new folder that others may pass through, as the server does when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="quanyi-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def announce(servers: Servers) -> None:
    """Tell this process and those it starts from now on where the servers are."""
    os.environ[ANNOUNCED] = json.dumps(asdict(servers))


def announced() -> Servers:
    """Return the servers of this run."""
    return Servers(**json.loads(os.environ[ANNOUNCED]))


def template(servers: Servers) -> str:
    """Return the name of this run's migrated database, made by whichever process asks first."""
    name = f"quanyi_template_{Path(servers.folder).name[-8:].lower()}"
    done = Path(servers.folder) / "template"
    with (Path(servers.folder) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            drop_database(servers, name)
            create_database(servers.url("postgres"), name)
            migrations.upgrade(sqlalchemy_url(servers.url(name, OWNER)))
            done.touch()
    return name


@contextmanager
def cloned_database(servers: Servers) -> Iterator[Database]:
    """Yield a copy of the migrated database, and drop it after."""
    name = f"quanyi_test_{uuid4().hex[:16]}"
    source = template(servers)
    try:
        with psycopg.connect(servers.superuser_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY wal_log").format(
                    sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(source)
                )
            )
        yield Database(
            name=name,
            url=servers.url(name, WORKER),
            web_url=servers.url(name, WEB),
            owner_url=servers.url(name, OWNER),
            superuser_url=servers.url(name),
        )
    finally:
        drop_database(servers, name)


def drop_database(servers: Servers, name: str) -> None:
    """Drop database `name`, whoever is still connected to it."""
    with psycopg.connect(servers.superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def redis_database(servers: Servers) -> str:
    """Return the address of the Redis database that this worker of the run has to itself."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    number = int(worker.removeprefix("gw")) + 1 if worker else 0
    return urlunsplit(urlsplit(servers.redis_url)._replace(path=f"/{number}"))


_engines: WeakSet[Engine] = WeakSet()


@event.listens_for(Engine, "engine_connect")
def _remember(connection: Connection) -> None:
    _engines.add(connection.engine)


def forget_connections() -> None:
    """Close every pooled connection and forget settings, so the next test reads its own."""
    for used in list(_engines):
        used.dispose()
    forget_engines()
    settings.cache_clear()
