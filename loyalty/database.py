"""The database session: who may open a transaction, and as which PostgreSQL role.

Only edges (`api`, `console`, `pages`, `jobs`, `commands`) call `transaction()`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from loyalty.settings import settings

APP_ROLE = "quanyi_app"
SEALER_ROLE = "quanyi_sealer"

_AFTER_COMMIT = "after_commit"


def sqlalchemy_url(url: str) -> str:
    """Return `url` with the driver that this project uses."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql+psycopg"))


@cache
def engine(role: str = APP_ROLE) -> Engine:
    """Return this process' connection pool whose connections run as `role`.

    The role is a start-up option, so `RESET ROLE` cannot shed it: the app never runs as the
    owner of its tables, even where one URL is all that an installation gives.
    """
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
            yield session
        effects = session.info.pop(_AFTER_COMMIT, [])
    for effect in effects:
        effect()


def after_commit(session: Session, effect: Callable[[], None]) -> None:
    """Run `effect` once the transaction of `session` is durable; drop it on a rollback."""
    session.info.setdefault(_AFTER_COMMIT, []).append(effect)


def is_reachable() -> bool:
    """Return whether the database answers; raises nothing but the driver's own errors."""
    with engine().connect() as connection:
        return connection.execute(text("SELECT true")).scalar_one() is True
