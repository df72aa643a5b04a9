"""Starting many sessions at the same instant, each on a connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import ledger
from loyalty.database import APP_ROLE, sqlalchemy_url
from tests.servers import Database

Result = TypeVar("Result")


def race(database: Database, works: Sequence[Callable[[Session], Result]]) -> list[Result]:
    """Do all `works` at once, each in a session of its own; return what they return.

    All connections are open before the first begins. What a work leaves open is committed after
    it. Whatever one of them raises is raised.
    """
    engine = create_engine(
        sqlalchemy_url(database.url),
        pool_size=len(works),
        connect_args={"options": f"-c role={APP_ROLE} -c timezone=UTC"},
    )
    start = Barrier(len(works))

    def run(work: Callable[[Session], Result]) -> Result:
        with Session(engine) as session:
            session.connection()
            start.wait(timeout=60)
            result = work(session)
            session.commit()
            return result

    try:
        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(run, works))
    finally:
        engine.dispose()


def race_entries(database: Database, entries: Sequence[ledger.Entry]) -> list[ledger.Outcome]:
    """Post each of `entries` in a call of its own, all at once; return their outcomes in order."""

    def posting(entry: ledger.Entry) -> Callable[[Session], ledger.Outcome]:
        return lambda session: ledger.post(session, [entry])[0]

    return race(database, [posting(entry) for entry in entries])


def succeeded(outcomes: Sequence[ledger.Outcome]) -> list[ledger.Posted]:
    return [outcome for outcome in outcomes if isinstance(outcome, ledger.Posted)]


def refusals(outcomes: Sequence[ledger.Outcome]) -> list[str]:
    return [outcome.code for outcome in outcomes if isinstance(outcome, ledger.Refusal)]
