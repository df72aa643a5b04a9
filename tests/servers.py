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
from psycopg.rows import TupleRow
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

CATALOGUES = tuple(
    f"pg_{name}"
    for name in (
        *("attrdef", "attribute", "class", "constraint", "db_role_setting", "default_acl"),
        *("extension", "index", "namespace", "policy", "proc", "rewrite", "trigger", "type"),
    )
)
"""Where a change of the schema, of a guard or of a grant shows."""


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
    name = _clone(servers)
    try:
        yield _describe(servers, name)
    finally:
        drop_database(servers, name)


class Shelf:
    """Hands out a migrated database as good as new, the same again where emptying it suffices.

    A copy of the template takes most of a second, emptying what a test filled a few hundredths.
    A test that changed the schema gets its database thrown away. So does one whose database
    cannot be emptied.
    """

    def __init__(self, servers: Servers) -> None:
        """Copies are made on `servers`, when asked for."""
        self._servers = servers
        self._name = ""
        self._schema = ""

    @contextmanager
    def lend(self) -> Iterator[Database]:
        """Yield a database that holds what a migrated one does; afterwards it may serve again."""
        if not self._name:
            self._name = _clone(self._servers)
            self._schema = _read_schema(self._servers.url(self._name))
        yield _describe(self._servers, self._name)
        self._take_back()

    def clear(self) -> None:
        """Drop the database, if there is one."""
        if self._name:
            drop_database(self._servers, self._name)
            self._name = ""

    def _take_back(self) -> None:
        url = self._servers.url(self._name)
        if _read_schema(url) != self._schema:
            self.clear()
            return
        _empty(url)
        self._schema = _read_schema(url)


def _describe(servers: Servers, name: str) -> Database:
    return Database(
        name=name,
        url=servers.url(name, WORKER),
        web_url=servers.url(name, WEB),
        owner_url=servers.url(name, OWNER),
        superuser_url=servers.url(name),
    )


def _clone(servers: Servers) -> str:
    name = f"quanyi_test_{uuid4().hex[:16]}"
    source = template(servers)
    with psycopg.connect(servers.superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY wal_log").format(
                sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(source)
            )
        )
    return name


def _read_schema(url: str) -> str:
    """Return a word that changes when anything in the database's catalogue was written anew."""
    counts = sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT {}, count(*)::text || '@' || coalesce(max(xmin::text::bigint), 0) FROM {}"
        ).format(sql.Literal(catalogue), sql.Identifier("pg_catalog", catalogue))
        for catalogue in CATALOGUES
    )
    with psycopg.connect(url) as connection:
        return repr(connection.execute(counts).fetchall())


def _empty(url: str) -> None:
    """Empty every table that was written to, and start every sequence again that was used."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        used = connection.execute(
            "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c"
            " WHERE c.relkind = 'r' AND c.oid >= 16384 AND c.relname <> 'alembic_version'"
            " AND pg_relation_size(c.oid) > 0"
        ).fetchone()
        if used and used[0]:
            _truncate(connection, used[0])
        connection.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
            " FROM pg_sequences WHERE last_value IS NOT NULL"
        )


def _truncate(connection: psycopg.Connection[TupleRow], tables: str) -> None:
    """Empty `tables`, while the guard that refuses it is replaced by one that lets it pass."""
    guard = "ledger.refuse_change()"
    found = connection.execute("SELECT pg_get_functiondef(to_regprocedure(%s))", [guard]).fetchone()
    assert found is not None
    with connection.transaction():
        connection.execute(
            f"CREATE OR REPLACE FUNCTION {guard} RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NULL; END'"
        )
        connection.execute(f"TRUNCATE {tables} CASCADE")
        connection.execute(found[0])


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
