"""An event is leased to one worker at a time, and only that worker finishes it."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import transaction
from loyalty.outbox import delivery, jobs, registry
from loyalty.outbox.delivery import Orphaned
from loyalty.outbox.registry import LEASE, Event
from tests.outbox.conftest import earn
from tests.outbox.examples import effects as lasting_effects
from tests.servers import Database

TOPIC = "points.earned"


def claim(limit: int = 10, lease: timedelta = LEASE) -> list[Event]:
    with transaction() as session:
        return delivery.claim(session, TOPIC, limit, lease)


def let_leases_expire() -> None:
    with transaction() as session:
        session.execute(
            text(
                "UPDATE loyalty.outbox SET lease_until = now() - interval '1 second'"
                " WHERE lease_until IS NOT NULL"
            )
        )


def test_several_connections_never_claim_the_same_event(effects: Database) -> None:
    earn(range(300))
    together = Barrier(4)

    def claim_all(seed: int) -> list[int]:
        chance = random.Random(seed)
        together.wait()
        mine: list[int] = []
        while events := claim(chance.randint(1, 9)):
            mine += [event.id for event in events]
        return mine

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(claim_all, range(4)))
    claimed = [number for share in shares for number in share]
    assert len(claimed) == len(set(claimed)) == 300
    assert sum(bool(share) for share in shares) > 1


def test_an_event_that_is_not_due_is_left_alone(effects: Database) -> None:
    earn(range(1))
    with transaction() as session:
        session.execute(text("UPDATE loyalty.outbox SET not_before = now() + interval '1 hour'"))
    assert claim() == []


def test_an_expired_lease_lets_another_take_over(effects: Database) -> None:
    earn(range(1))
    [first] = claim()
    assert claim() == []
    let_leases_expire()
    [second] = claim()
    assert (second.id, second.attempts) == (first.id, 2)
    assert second.lease_token != first.lease_token


@pytest.mark.parametrize("act", (delivery.hold, delivery.finish))
def test_the_orphan_is_refused(effects: Database, act: object) -> None:
    earn(range(1))
    [orphan] = claim()
    let_leases_expire()
    [heir] = claim()
    with pytest.raises(Orphaned), transaction() as session:
        act(session, [orphan])  # type: ignore[operator]
    with transaction() as session:
        delivery.finish(session, [heir])


def test_an_orphan_s_late_effect_does_not_last(effects: Database) -> None:
    earn(range(1))
    [orphan] = claim()
    let_leases_expire()
    jobs.drain(TOPIC)
    assert jobs._deliver(orphan, registry.consumers(TOPIC)) == "orphaned"
    assert lasting_effects() == [("customer:0", "tell"), ("customer:0", "tier")]


def test_an_event_is_not_taken_from_a_delivery_that_is_under_way(effects: Database) -> None:
    earn(range(1))
    [event] = claim()
    with held(event):
        let_leases_expire_unless_locked()
        assert claim() == []


@contextmanager
def held(event: Event) -> Iterator[Session]:
    with transaction() as session:
        delivery.hold(session, [event])
        session.execute(text("UPDATE loyalty.outbox SET lease_until = now() - interval '1 second'"))
        yield session


def let_leases_expire_unless_locked() -> None:
    with transaction() as session:
        rows = session.execute(
            text("SELECT id FROM loyalty.outbox FOR NO KEY UPDATE SKIP LOCKED")
        ).all()
    assert rows == []


def test_a_batch_with_an_orphan_in_it_leaves_nothing(effects: Database) -> None:
    earn(range(3))
    events = claim()
    with transaction() as session:
        session.execute(
            text("UPDATE loyalty.outbox SET lease_token = gen_random_uuid() WHERE id = :id"),
            {"id": events[1].id},
        )
    assert jobs._deliver_together(events, registry.consumers(TOPIC)) is False
    assert lasting_effects() == []


def test_events_given_back_count_as_never_claimed(effects: Database) -> None:
    earn(range(2))
    events = claim()
    with transaction() as session:
        delivery.release(session, events)
    assert [event.attempts for event in claim()] == [1, 1]


def test_events_of_an_unknown_topic_are_left_and_not_dropped(effects: Database) -> None:
    earn(range(1), topic="from.the.future")
    jobs.drain("from.the.future")
    assert jobs.waiting() == {}
    with transaction() as session:
        assert session.execute(text("SELECT attempts FROM loyalty.outbox")).scalar_one() == 0
