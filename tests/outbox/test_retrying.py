"""What fails is tried again by a table, then kept for a person who can replay it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import transaction
from loyalty.outbox import Event, delivery, jobs, queries, registry, rules
from loyalty.outbox.models import OutboxEvent
from tests.outbox import examples
from tests.outbox.conftest import earn
from tests.servers import Database

TOPIC = "always.fails"


def only_event() -> OutboxEvent:
    with transaction() as session:
        event: OutboxEvent = session.query(OutboxEvent).one()
        return event


def make_due() -> None:
    with transaction() as session:
        session.execute(text("UPDATE loyalty.outbox SET not_before = now()"))


def fail_once() -> timedelta:
    before: datetime = jobs.now()
    jobs.drain(TOPIC)
    return only_event().not_before - before


def test_attempts_are_spaced_by_the_table_and_end_in_the_dead_letters(effects: Database) -> None:
    earn(range(1), TOPIC)
    for pause in rules.BACKOFF:
        assert pause <= fail_once() < pause + timedelta(seconds=3)
        assert only_event().dead_at is None
        make_due()
    fail_once()
    assert only_event().dead_at is not None
    make_due()
    assert jobs.waiting() == {}
    with transaction() as session:
        [dead] = queries.dead(session)
        assert dead.attempts == len(rules.BACKOFF) + 1


def test_a_failure_leaves_no_effect_and_none_of_its_words(effects: Database) -> None:
    earn(range(1), TOPIC)
    jobs.drain(TOPIC)
    assert examples.effects() == []
    assert only_event().last_error is not None
    assert str(only_event().last_error).startswith("ValueError at examples.py:")


def test_a_replayed_event_is_delivered(effects: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    earn(range(1), TOPIC)
    for _ in range(len(rules.BACKOFF) + 1):
        make_due()
        jobs.drain(TOPIC)
    monkeypatch.setattr(registry, "_consumers", {})
    registry.subscriber(TOPIC)(examples.tell_customer)
    with transaction() as session:
        assert delivery.replay(session, [only_event().id]) == [TOPIC]
    jobs.drain(TOPIC)
    assert examples.effects() == [("customer:0", "tell")]


def test_one_consumer_s_failure_repeats_nothing_for_the_others(
    effects: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.subscriber(TOPIC)(examples.tell_customer)
    earn(range(1), TOPIC)
    for _ in range(3):
        make_due()
        jobs.drain(TOPIC)
    assert examples.effects() == [("customer:0", "tell")]
    assert only_event().done_at is None


def test_one_event_s_failure_holds_up_none_of_its_neighbours(
    effects: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_one(session: Session, event: Event) -> None:
        examples.tell_customer(session, event)
        if event.aggregate == "customer:3":
            raise ValueError

    monkeypatch.setattr(registry, "_consumers", {})
    registry.subscriber("points.earned")(fail_for_one)
    earn(range(6))
    jobs.drain("points.earned")
    assert [subject for subject, _ in examples.effects()] == [
        f"customer:{number}" for number in (0, 1, 2, 4, 5)
    ]
    with transaction() as session:
        assert queries.backlog(session)["points.earned"][0] == 1


def test_the_sweeper_spaces_what_a_killed_worker_left(effects: Database) -> None:
    earn(range(1))
    with transaction() as session:
        delivery.claim(session, "points.earned", 1, timedelta(0))
    before = jobs.now()
    jobs.sweep()
    event = only_event()
    assert event.lease_token is None
    assert event.last_error == "lease expired"
    assert rules.BACKOFF[0] <= event.not_before - before


def test_an_event_that_kills_its_workers_is_dead_in_the_end(effects: Database) -> None:
    earn(range(1))
    for _ in range(len(rules.BACKOFF) + 1):
        make_due()
        with transaction() as session:
            delivery.claim(session, "points.earned", 1, timedelta(0))
        jobs.sweep()
    assert only_event().dead_at is not None


def test_an_effect_outside_happens_again_only_if_its_end_was_not_noted(effects: Database) -> None:
    earn(range(2), "sms.due")
    jobs.drain("sms.due")
    jobs.drain("sms.due")
    assert len(examples.effects()) == 2
    assert jobs.waiting() == {}


def test_delivered_events_are_forgotten_after_a_while_and_others_never(effects: Database) -> None:
    earn(range(3))
    jobs.drain("points.earned")
    earn(range(1), TOPIC)
    with transaction() as session:
        assert delivery.forget(session) == 0
        assert delivery.forget(session, timedelta(0)) == 3
        assert session.execute(text("SELECT count(*) FROM loyalty.inbox")).scalar_one() == 0
    assert only_event().topic == TOPIC
