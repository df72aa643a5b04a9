"""SIGTERM ends both processes soon, between two events, and leaves the rest to others."""

import signal
import sys

import psycopg
import pytest
import redis
from sqlalchemy import text

from loyalty.database import transaction
from loyalty.local.processes import start_leashed, stop
from loyalty.local.valkey import Valkey
from loyalty.outbox import jobs, queries
from tests.outbox import examples
from tests.outbox.conftest import Start, earn, wait_until
from tests.servers import Database


@pytest.mark.parametrize("redis_lives", (True, False))
@pytest.mark.parametrize("name", ("worker", "relay"))
def test_a_stop_while_idle_is_quick(
    start: Start, redis_server: Valkey, name: str, redis_lives: bool
) -> None:
    process = start(name)
    with redis.Redis.from_url(redis_server.url()) as client:
        wait_until(lambda: has_ticked() if name == "relay" else bool(client.keys("rq:worker:*")))
    if not redis_lives:
        redis_server.stop(signal.SIGKILL)
    process.send_signal(signal.SIGTERM)
    assert process.wait(8) == 0


@pytest.mark.parametrize("name", ("worker", "relay"))
def test_a_stop_under_load_leaves_no_event_half_done(
    start: Start, redis_server: Valkey, name: str
) -> None:
    if name == "relay":
        redis_server.stop(signal.SIGKILL)
    process = start(name)
    earn(range(20_000))
    wait_until(lambda: examples.count_effects() >= 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(8) == 0
    with transaction() as session:
        waiting = queries.backlog(session)["points.earned"][0]
    assert 0 < waiting < 20_000
    found = examples.effects()
    assert len(found) == len(set(found)) == 2 * (20_000 - waiting)
    assert jobs.waiting() != {}, "what was leased was given back"


def has_ticked() -> bool:
    with transaction() as session:
        return bool(session.execute(text("SELECT 1 FROM loyalty.schedules")).all())


@pytest.mark.parametrize("name", ("worker", "relay"))
def test_the_commands_themselves_start_and_stop(
    effects: Database, redis_server: Valkey, name: str
) -> None:
    process = start_leashed([sys.executable, "-m", "loyalty", name], death=signal.SIGKILL)
    try:
        with redis.Redis.from_url(redis_server.url()) as client:
            if name == "worker":
                wait_until(lambda: bool(client.keys("rq:worker:*")))
            else:
                wait_until(lambda: has_connected(effects))
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 0
    finally:
        stop(process, signal.SIGKILL, 5)


def has_connected(database: Database) -> bool:
    """Whether a process other than this one uses the test's database."""
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = %s AND application_name = 'quanyi'",
            (database.name,),
        ).fetchone()
        return row is not None and row[0] > 0
