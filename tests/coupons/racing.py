"""Starting many threads at the same instant, each with transactions of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from loyalty.database import APP_ROLE, sqlalchemy_url
from tests.servers import Database

CONNECTIONS = 64

Result = TypeVar("Result")


def race(
    database: Database, works: Sequence[Sequence[Callable[[Session], Result]]]
) -> list[list[Result]]:
    """Let each of `works` do its list, one transaction after the other, all at once.

    They share as many connections as the server has to spare, as callers of the application do.
    Returns what they return; whatever one of them raises is raised.
    """
    engine = create_engine(
        sqlalchemy_url(database.url),
        pool_size=min(len(works), CONNECTIONS),
        max_overflow=0,
        pool_timeout=120,
        connect_args={"options": f"-c role={APP_ROLE} -c timezone=UTC"},
    )
    start = Barrier(len(works))

    def run(mine: Sequence[Callable[[Session], Result]]) -> list[Result]:
        results = []
        with Session(engine, autoflush=False, expire_on_commit=False) as session:
            start.wait(timeout=60)
            for work in mine:
                results.append(work(session))
                session.commit()
        return results

    try:
        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(run, works))
    finally:
        engine.dispose()
