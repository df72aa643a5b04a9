"""The database session: who may open a transaction, and as which PostgreSQL role.

Only edges (`api`, `console`, `pages`, `jobs`, `commands`) call `transaction()`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
from psycopg import Connection
from psycopg.rows import namedtuple_row
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from loyalty.settings import settings

APP_ROLE = "quanyi_app"
SEALER_ROLE = "quanyi_sealer"
GATE_ROLE = "quanyi_gate"  # decides which message may leave
ADAPTER_ROLE = "quanyi_adapter"  # hands messages to the gateways

_AFTER_COMMIT = "after_commit"
_BEFORE_COMMIT = "before_commit"
_DRIVER = "driver"
_making = Lock()


def sqlalchemy_url(url: str) -> str:
    """Return `url` with the driver that this project uses."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql+psycopg"))


def engine(role: str = APP_ROLE) -> Engine:
    """Return this process' connection pool whose connections run as `role`.

    The role is a start-up option, so `RESET ROLE` cannot shed it: the app never runs as the
    owner of its tables, even where one URL is all that an installation gives.
    """
    with _making:  # or threads that come first together would each get a pool of their own
        return _make_engine(role)


def forget_engines() -> None:
    """Make the next caller open a new pool, as after a change of settings."""
    _make_engine.cache_clear()


@cache
def _make_engine(role: str) -> Engine:
    return create_engine(
        sqlalchemy_url(settings().database_url),
        pool_size=16,
        max_overflow=4,
        pool_timeout=2,
        pool_pre_ping=False,
        connect_args={
            "options": f"-c role={role} -c timezone=UTC -c lock_timeout=5s"
            " -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
            " -c plan_cache_mode=force_generic_plan",
            "connect_timeout": 5,
            "application_name": "quanyi",
        },
    )


@contextmanager
def transaction(role: str = APP_ROLE) -> Iterator[Session]:
    """Yield a session whose work is committed on leaving, or rolled back whole on an exception.

    Effects registered with `after_commit` run once the commit is durable, and never after a
    rollback.
    """
    with Session(engine(role), autoflush=False, expire_on_commit=False) as session:
        with session.begin():
            session.info[_BEFORE_COMMIT] = {}
            yield session
            _write_last(session, session.info[_BEFORE_COMMIT])
            session.info.pop(_DRIVER, None)
        effects = session.info.pop(_AFTER_COMMIT, [])
    for effect in effects:
        effect()


@contextmanager
def reading(role: str = APP_ROLE) -> Iterator[Session]:
    """Yield a session whose statements stand by themselves, without BEGIN and COMMIT around.

    For views that only read: at READ COMMITTED each statement sees its own moment anyway, and
    two trips to the server are most of what a small read costs. What must belong together
    (a write, several reads of one moment) belongs into `transaction`.
    """
    with Session(engine(role), autoflush=False, expire_on_commit=False) as session:
        session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session


def driver(session: Session) -> Connection[Any]:
    """Return the driver's own connection, inside the transaction of `session`.

    For statements on hot paths, where SQLAlchemy's layer costs twice what the statement does.
    Errors come as the driver's; the edges know both kinds.
    """
    connection = session.info.get(_DRIVER)
    if connection is None:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, Connection)
        if _BEFORE_COMMIT in session.info:
            session.info[_DRIVER] = connection
    return connection


def fetch(session: Session, statement: str, asked: Mapping[str, object]) -> list[Any]:
    """Return the rows of a statement by name, through the driver: for hot paths, as `driver`."""
    with driver(session).cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(statement, asked).fetchall()


def write_last(session: Session, statement: str, rows: Sequence[object]) -> None:
    """Write rows that nobody reads in this transaction: right before its commit, all in one trip.

    `statement` has the rows as its one parameter, a JSON list. Statements that are left by
    several callers become one, and rows that are left for the same statement one list. Inside a
    savepoint, which may yet be rolled back alone, the rows are written at once.
    """
    left = session.info.get(_BEFORE_COMMIT)
    if left is None or session.in_nested_transaction():
        _write_last(session, {statement: rows})
    else:
        left.setdefault(statement, []).extend(rows)


def _write_last(session: Session, left: Mapping[str, Sequence[object]]) -> None:
    if left:
        parts = ", ".join(f"w{number} AS ({part})" for number, part in enumerate(left))
        values = [orjson.dumps(rows).decode() for rows in left.values()]
        driver(session).execute(f"WITH {parts} SELECT", values)


def after_commit(session: Session, effect: Callable[[], None]) -> None:
    """Run `effect` once the transaction of `session` is durable; drop it on a rollback."""
    session.info.setdefault(_AFTER_COMMIT, []).append(effect)


def is_reachable() -> bool:
    """Return whether the database answers; raises nothing but the driver's own errors."""
    with engine().connect() as connection:
        return connection.execute(text("SELECT true")).scalar_one() is True
