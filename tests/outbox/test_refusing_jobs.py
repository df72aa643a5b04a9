"""Whoever can write to Redis can ring, and nothing more."""

import json
import pickle
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from loyalty.outbox import doorbell, jobs, worker
from loyalty.outbox.doorbell import Bell, Doorbell
from loyalty.settings import settings
from tests.outbox import examples
from tests.outbox.conftest import earn
from tests.servers import Database

GOOD: list[Any] = ["drain", None, ["points.earned"], {}]
QUEUE_KEY = f"rq:queue:{doorbell.QUEUE}"


@pytest.fixture
def client(effects: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Somebody who can write to Redis, alone: publishing does not ring, signals stay ours."""
    monkeypatch.setattr(Doorbell, "ring", lambda self, bells: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with redis.Redis.from_url(settings().redis_url) as connection:
        yield connection
    for number, handler in handlers.items():
        signal.signal(number, handler)


def plant(client: redis.Redis, call: object, **fields: str) -> None:
    """Put a job into the queue as RQ does; `call` is bytes or becomes JSON."""
    raw = call if isinstance(call, bytes) else json.dumps(call).encode()
    client.hset("rq:job:planted", "data", zlib.compress(raw))
    created_at = "2026-11-22T00:00:00.000000Z"
    for name, value in {"origin": doorbell.QUEUE, "created_at": created_at, **fields}.items():
        client.hset("rq:job:planted", name, value)
    client.rpush(QUEUE_KEY, "planted")


def answer_all(client: redis.Redis) -> float:
    """Let a worker empty the queue; return how many jobs it refused."""
    before = worker.REFUSED._value.get()
    worker.new_worker(client).work(burst=True, logging_level="ERROR")
    assert client.llen(QUEUE_KEY) == 0
    refused: float = worker.REFUSED._value.get() - before
    return refused


def test_a_ring_is_answered(client: redis.Redis) -> None:
    earn(range(3))
    plant(client, GOOD)
    assert answer_all(client) == 0
    assert examples.count_effects() == 6
    assert client.exists("rq:job:planted") == 0


def test_our_own_ring_is_no_stranger(client: redis.Redis) -> None:
    earn(range(3))
    Doorbell(settings().redis_url).ring_now([Bell("drain", "points.earned")])
    assert answer_all(client) == 0
    assert examples.count_effects() == 6


@pytest.mark.parametrize(
    "call",
    (
        ["os.system", None, ["touch {}"], {}],
        ["loyalty.outbox.jobs.drain", None, ["points.earned"], {}],
        ["drain", "os", ["points.earned"], {}],
        ["drain", {"a": 1}, ["points.earned"], {}],
        ["system", "os", ["touch {}"], {}],
        ["drain", None, ["no.such.topic"], {}],
        ["drain", None, ["points.earned", 10_000], {}],
        ["drain", None, ["points.earned"], {"seconds": 10_000}],
        ["drain", None, {"points.earned": 1}, {}],
        ["drain", None, [["points.earned"]], {}],
        [["drain"], None, ["points.earned"], {}],
        ["work", None, ["points.earned"], {}],
        ["drain"],
        {},
        7,
        None,
        b"",
        b"\xff\xfe",
        b"[" * 3_000,
        b"x" * 1_000_000,
    ),
)
def test_a_job_that_is_not_registered_is_refused(
    client: redis.Redis, tmp_path: Path, call: Any
) -> None:
    mark = tmp_path / "ran"
    if isinstance(call, list):
        call = json.loads(json.dumps(call).replace('{}"]', f'{mark}"]'))
    earn(range(1))
    plant(client, call)
    assert answer_all(client) == 1
    assert not mark.exists()
    assert examples.count_effects() == 0
    assert client.exists("rq:job:planted") == 0


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("field", ("data", "meta", "result", "exc_info"))
def test_nothing_is_ever_unpickled(client: redis.Redis, tmp_path: Path, field: str) -> None:
    mark = tmp_path / "unpickled"
    plant(client, GOOD)
    bomb = pickle.dumps(Bomb(mark))
    client.hset("rq:job:planted", field, zlib.compress(bomb) if field == "data" else bomb)
    assert answer_all(client) == 1
    assert not mark.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    (
        ("success_callback_name", "os.getcwd"),
        ("failure_callback_name", "os.getcwd"),
        ("stopped_callback_name", "os.getcwd"),
        ("webhooks", '[{"url": "http://127.0.0.1:1/", "job_status": "finished"}]'),
        ("retries_left", "1000000"),
        ("repeats_left", "1000000"),
        ("dependency_ids", '["other"]'),
        ("rate_limit_key", "x"),
        ("created_at", "yesterday"),
        ("timeout", "for ever"),
        ("some_future_field", "1"),
    ),
)
def test_a_job_that_asks_for_more_is_refused(client: redis.Redis, field: str, value: str) -> None:
    plant(client, GOOD, **{field: value})
    assert answer_all(client) == 1


def test_a_refused_job_stops_nobody(client: redis.Redis) -> None:
    earn(range(1))
    plant(client, ["os.system", None, ["true"], {}])
    queue = Queue(doorbell.QUEUE, connection=client, serializer=JSONSerializer)
    queue.enqueue_call("drain", args=("points.earned",), result_ttl=0)
    assert answer_all(client) == 1
    assert examples.count_effects() == 2


def test_what_a_function_raises_reaches_redis_without_its_words(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leak(name: str, /, seconds: float = 1.0) -> None:
        raise ValueError("王小明 13800138000")

    monkeypatch.setitem(jobs.FUNCTIONS, "drain", leak)
    plant(client, GOOD)
    assert answer_all(client) == 0
    for key in client.keys("*"):
        assert "王小明".encode() not in (client.dump(key) or b"")
        assert b"13800138000" not in (client.dump(key) or b"")


def test_a_worker_takes_no_commands_from_redis(client: redis.Redis) -> None:
    deaf = worker.new_worker(client)
    deaf.bootstrap()
    assert client.publish(deaf.pubsub_channel_name, '{"command": "shutdown"}') == 0
    deaf.teardown()  # type: ignore[no-untyped-call]
