"""An event exists exactly if its change was committed, and Redis has no say in it."""

import signal
import time
from datetime import UTC, datetime

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty import outbox
from loyalty.database import transaction
from loyalty.local.valkey import Valkey
from loyalty.outbox import doorbell, queries, rules
from tests.outbox.conftest import earn, wait_until
from tests.servers import Database


def test_an_event_is_written_with_its_change(effects: Database) -> None:
    earn(range(3))
    with transaction() as session:
        assert queries.backlog(session)["points.earned"][0] == 3


def test_a_rollback_takes_the_event_with_it(effects: Database) -> None:
    with pytest.raises(RuntimeError), transaction() as session:
        outbox.publish(session, "points.earned", "customer:1", {"entry": 1})
        raise RuntimeError
    with transaction() as session:
        assert queries.backlog(session) == {}


@pytest.mark.parametrize(
    "payload",
    (
        {"name": "王小明"},
        {"email": "wang@example.com"},
        {"phone": "13800138000"},
        {"phone": "+86 138 0013 8000"},
        {"address": "1 Century Avenue"},
        {"amount": 1.5},
        {"customer": {"name": "x"}},
        {"customers": ["cus_000000000000h", "wang@example.com"]},
        {"说明": 1},
    ),
)
def test_a_payload_holds_ids_only(effects: Database, payload: dict[str, object]) -> None:
    with pytest.raises(outbox.NotIds), transaction() as session:
        outbox.publish(session, "points.earned", "customer:1", payload)


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=60))
def test_a_refusal_does_not_repeat_the_value(value: str) -> None:
    with pytest.raises(outbox.NotIds) as refusal:
        rules.check_ids({"key": f"@{value}@"})
    assert f"@{value}@" not in str(refusal.value)


def test_what_is_left_of_an_exception_has_none_of_its_words() -> None:
    try:
        int("13800138000x")
    except ValueError as error:
        assert rules.describe(error).startswith("ValueError at test_publishing.py:")


def test_a_commit_rings_once_for_all_its_events(effects: Database, redis_server: Valkey) -> None:
    with redis.Redis.from_url(redis_server.url()) as client:
        earn(range(5))
        earn(range(5))
        wait_until(lambda: client.llen(f"rq:queue:{doorbell.QUEUE}") == 1)


def test_no_write_waits_for_a_redis_that_is_stopped(
    effects: Database, redis_server: Valkey
) -> None:
    earn(range(1))
    redis_server.stop(signal.SIGKILL)
    assert _longest_publish() < 0.05


def test_no_write_waits_for_a_redis_that_is_slow(effects: Database, redis_server: Valkey) -> None:
    earn(range(1))
    with redis.Redis.from_url(redis_server.url()) as client:
        client.client_pause(3_000)
    assert _longest_publish() < 0.05


def test_a_ring_that_is_lost_is_counted_and_keeps_quiet_for_a_while(redis_server: Valkey) -> None:
    bell = doorbell.Doorbell(redis_server.url())
    redis_server.stop(signal.SIGKILL)
    lost = doorbell.RINGS.labels("lost")
    before = lost._value.get()
    assert bell.ring_now([doorbell.Bell("drain", "points.earned")]) is False
    redis_server.start()
    assert bell.ring_now([doorbell.Bell("drain", "points.earned")]) is False
    assert lost._value.get() == before + 2


def _longest_publish() -> float:
    """Seconds that `publish` with its share of the commit took at worst, among twenty."""
    longest = 0.0
    for number in range(20):
        with transaction() as session:
            session.execute(text("SELECT 1"))
            began = time.monotonic()
            outbox.publish(session, "points.earned", f"customer:{number}", {"at": _instant()})
        longest = max(longest, time.monotonic() - began)
    return longest


def _instant() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
