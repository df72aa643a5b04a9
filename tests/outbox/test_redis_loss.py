"""Redis only says "look now": losing it, or all it holds, loses nothing."""

import signal

import redis
from sqlalchemy import text

from loyalty.database import transaction
from loyalty.local.valkey import Valkey
from loyalty.outbox import doorbell, relay
from loyalty.outbox.doorbell import Bell
from tests.outbox import examples
from tests.outbox.conftest import Start, earn, wait_until
from tests.servers import Database


def test_a_flush_under_load_loses_nothing(start: Start, redis_server: Valkey) -> None:
    start("relay")
    start("worker")
    with redis.Redis.from_url(redis_server.url()) as client:
        for batch in range(20):
            earn(range(batch * 10, batch * 10 + 10))
            if batch % 4 == 1:
                client.flushall()
        wait_until(lambda: examples.count_effects() == 400, 60)
    found = examples.effects()
    assert len(set(found)) == 400


def test_work_goes_on_without_redis(start: Start, redis_server: Valkey) -> None:
    redis_server.stop(signal.SIGKILL)
    start("relay")
    earn(range(20))
    wait_until(lambda: examples.count_effects() == 40)


def test_work_goes_on_when_redis_is_full(start: Start, redis_server: Valkey) -> None:
    with redis.Redis.from_url(redis_server.url()) as client:
        client.config_set("maxmemory", "1")
    start("worker")
    start("relay")
    earn(range(20))
    wait_until(lambda: examples.count_effects() == 40)


def test_a_worker_that_starts_before_redis_waits_for_it(start: Start, redis_server: Valkey) -> None:
    redis_server.stop(signal.SIGKILL)
    worker = start("worker")
    earn(range(5))
    redis_server.start()
    bell = doorbell.Doorbell(redis_server.url())
    assert bell.ring_now([Bell("drain", "points.earned")])
    wait_until(lambda: examples.count_effects() == 10)
    assert worker.poll() is None


def test_a_worker_outlives_a_restart_of_redis(start: Start, redis_server: Valkey) -> None:
    worker = start("worker")
    bell = doorbell.Doorbell(redis_server.url())
    earn(range(1))
    bell.ring_now([Bell("drain", "points.earned")])
    wait_until(lambda: examples.count_effects() == 2)
    redis_server.stop(signal.SIGKILL)
    earn(range(1))
    redis_server.start()
    bell.ring_now([Bell("drain", "points.earned")])
    wait_until(lambda: examples.count_effects() == 4)
    assert worker.poll() is None


def test_work_that_nobody_came_for_is_done_by_the_relay(
    effects: Database, redis_server: Valkey
) -> None:
    earn(range(3))
    relay.relay()
    assert examples.count_effects() == 0, "a worker was rung, so the relay leaves it to them"
    with transaction() as session:
        session.execute(text("UPDATE loyalty.outbox SET not_before = now() - interval '1 minute'"))
    relay.relay()
    assert examples.count_effects() == 6


def test_a_worker_s_absence_does_not_fill_redis(effects: Database, redis_server: Valkey) -> None:
    bell = doorbell.Doorbell(redis_server.url())
    for _ in range(50):
        bell.ring_now([Bell("drain", "points.earned")])
    with redis.Redis.from_url(redis_server.url()) as client:
        assert client.llen(f"rq:queue:{doorbell.QUEUE}") == 1
        assert 0 < client.ttl(client.keys("rq:job:*")[0]) <= 60
