"""Fixtures of the outbox: the examples registered, their table made, processes to kill."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from threading import Event

import psycopg
import pytest

from loyalty.database import transaction
from loyalty.local.processes import start_leashed, stop
from loyalty.local.valkey import Valkey
from loyalty.outbox import publish_many, registry, shutdown
from loyalty.outbox.publishing import Change
from tests.outbox import examples
from tests.servers import Database

Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the examples are registered, and no stop is asked."""
    for name in ("_consumers", "_workers", "_schedules"):
        monkeypatch.setattr(registry, name, {})
    monkeypatch.setattr(registry, "load", lambda: None)
    monkeypatch.setattr(shutdown, "requested", Event())
    examples.register()


@pytest.fixture
def effects(database: Database, registered: None) -> Database:
    """A database where the examples can leave effects."""
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(examples.EFFECTS)
    return database


@pytest.fixture
def start(effects: Database, redis_server: Valkey) -> Iterator[Start]:
    """Start a `worker` or a `relay` with the examples, on this test's own servers."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.outbox.process", name]
        started.append(start_leashed(command, death=signal.SIGKILL))
        return started[-1]

    yield begin
    for process in started:
        stop(process, signal.SIGKILL, 5)


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return once `condition` holds; fail after `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        Event().wait(0.02)


def earn(numbers: range, topic: str = "points.earned") -> None:
    """Publish one event for each of `numbers` in one transaction."""
    with transaction() as session:
        publish_many(
            session, topic, [Change(f"customer:{number}", {"entry": number}) for number in numbers]
        )
