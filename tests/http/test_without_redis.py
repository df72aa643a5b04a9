"""Redis only says "look now": without it everything is served, as quickly, and nothing is lost."""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest

from loyalty.local.processes import free_port, start_leashed, stop
from loyalty.local.valkey import Valkey
from loyalty.web import ids
from tests.http.serving import Connection, Web
from tests.outbox import examples
from tests.outbox.conftest import wait_until
from tests.points.builders import World, balance
from tests.servers import Database, forget_connections
from tests.staff.conftest import Account

SENT = 25  # requests of which the middle one counts
SLOWER = 0.05  # seconds by which a POST may take longer without Redis
_numbers = count()


@pytest.fixture
def served(
    database: Database,
    redis_server: Valkey,
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    world: World,
) -> Iterator[Web]:
    """The web processes with a Redis of their own."""
    environment.setenv("PORT", str(free_port()))
    forget_connections()
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(examples.EFFECTS)
    web = Web(tmp_path / "web.log", {"DATABASE_URL": database.web_url})
    web.start()
    yield web
    web.stop()


@pytest.fixture
def listeners(served: Web) -> Iterator[None]:
    """A worker and a relay that wait for purchases."""
    started: list[subprocess.Popen[bytes]] = [
        start_leashed([sys.executable, "-m", "tests.http.process", name], death=signal.SIGKILL)
        for name in ("worker", "relay")
    ]
    yield
    for process in started:
        stop(process, signal.SIGKILL, 5)


def report(connection: Connection) -> int:
    """Report one purchase and return its number."""
    reference = f"p{next(_numbers)}"
    at = datetime.now(UTC) - timedelta(minutes=1)
    purchase = {
        "reference": reference,
        "customer": "00001",
        "purchased_at": at.isoformat(),
        "amount": 1_000,
    }
    body = json.dumps({"purchases": [purchase]}).encode()
    answer = connection.post("/v1/purchases", body, reference)
    assert answer.status == 201, answer.body
    return ids.decode("pur", answer.content["purchases"][0]["purchase_id"])


def usual_seconds(connection: Connection) -> float:
    """Return how long a POST takes, the middle of several."""

    def one() -> float:
        started = time.perf_counter()
        report(connection)
        return time.perf_counter() - started

    return statistics.median(one() for _ in range(SENT))


def test_values_are_written_and_read_as_quickly_without_redis(
    served: Web, redis_server: Valkey, bank: Account, world: World
) -> None:
    connection = served.connect(served.token(bank))
    path = f"/v1/customers/{ids.encode('cus', world.customers['00001'])}"
    report(connection)
    with_redis = usual_seconds(connection)
    os.kill(redis_server.pid, signal.SIGSTOP)  # it takes connections and never answers
    with_hung_redis = usual_seconds(connection)
    redis_server.stop(signal.SIGKILL)
    without_redis = usual_seconds(connection)
    print("ms:", [round(s * 1000, 1) for s in (with_redis, with_hung_redis, without_redis)])
    assert max(with_hung_redis, without_redis) < with_redis + SLOWER
    spent = connection.post(f"{path}/redemptions", b'{"reference":"r1","points":10}', "r1")
    assert spent.status == 201
    left = (1 + 3 * SENT) * 10 - 10
    assert connection.get(f"{path}/points").content["available"] == left
    assert balance(world).available == left
    ready = connection.get("/readyz")
    assert ready.status == 200
    assert ready.content == {
        "status": "ready",
        "postgresql": "up",
        "migrations": "current",
        "redis": "down",
        "degraded": True,
    }
    redis_server.start()
    wait_until(lambda: connection.get("/readyz").content["redis"] == "up")


def test_events_written_without_redis_are_delivered_once(
    served: Web, listeners: None, redis_server: Valkey, bank: Account
) -> None:
    connection = served.connect(served.token(bank))
    reported = [report(connection) for _ in range(5)]
    wait_until(lambda: examples.count_effects("heard") == len(reported))
    redis_server.stop(signal.SIGKILL)
    reported += [report(connection) for _ in range(5)]
    redis_server.start()
    reported += [report(connection) for _ in range(5)]
    wait_until(lambda: examples.count_effects("heard") >= len(reported))
    heard = sorted(int(purchase) for purchase, _ in examples.effects("heard"))
    assert heard == sorted(reported)
