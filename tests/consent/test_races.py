"""Who decides and who withdraws queue up; what ended is over at once, written down or not."""

import threading

import pytest

from loyalty import consent, customers, vault
from loyalty.consent import jobs, recording
from loyalty.database import transaction
from loyalty.web import Refused
from tests.consent.builders import CALLER, FIELDS, NOW, World, publish, say, snapshot

ROUNDS = 20


def withdraw(world: World, reference: str) -> None:
    with transaction() as session:
        consent.withdraw(
            session,
            CALLER,
            [world.wang],
            mechanism="APP",
            source="app",
            reference=reference,
            purpose="offers",
            channel="SMS",
        )


def withdraw_later(
    world: World, reference: str, begun: threading.Event, done: threading.Event
) -> None:
    begun.wait()
    withdraw(world, reference)
    done.set()


def test_a_decision_that_holds_the_lock_makes_a_withdrawal_wait_and_the_next_one_sees_it(
    world: World,
) -> None:
    for round_ in range(ROUNDS):
        say(world, "GRANT", occurred_at=None)
        begun, done = threading.Event(), threading.Event()

        thread = threading.Thread(target=withdraw_later, args=(world, f"w-{round_}", begun, done))
        thread.start()
        with transaction() as session:
            before = consent.lock(session, [world.wang])[world.wang]
            begun.set()
            found = consent.read_snapshot(session, [world.wang], purpose="offers", channel="SMS")[
                world.wang
            ]
            assert found.standing.is_granted
            assert not done.wait(0.02), "the withdrawal went past the lock"
        thread.join()
        with transaction() as session:
            assert consent.revisions(session, [world.wang])[world.wang] > before
        assert snapshot(world.wang).standing.status == "WITHDRAWN"


def test_whoever_holds_a_queue_purges_it_in_the_transaction_of_the_withdrawal(
    world: World,
) -> None:
    purged: list[consent.Refusal] = []

    def purge(_: object, refusals: object) -> None:
        purged.extend(refusals)  # type: ignore[call-overload]

    consent.on_refusal(purge)
    try:
        say(world, "GRANT")
        assert purged == []
        withdraw(world, "w")
    finally:
        recording._purges.remove(purge)
    assert purged == [consent.Refusal(world.wang, "offers", "SMS")]


def test_consent_ends_by_itself_and_the_night_writes_it_down(world: World) -> None:
    long_ago = NOW.replace(year=NOW.year - 3)
    say(world, "GRANT", occurred_at=long_ago)
    assert snapshot(world.wang).standing.status == "EXPIRED"
    assert jobs.expire_some(10) == 1
    assert jobs.expire_some(10) == 0
    found = snapshot(world.wang)
    assert (found.standing.status, found.newest_seq) == ("EXPIRED", found.standing.since_seq)


def test_the_night_leaves_the_consents_of_the_erased_alone(world: World) -> None:
    say(world, "GRANT", occurred_at=NOW.replace(year=NOW.year - 3))
    with transaction() as session:
        customers.erase(session, world.wang, vault.Reason.REQUEST)
    assert jobs.expire_some(10) == 0


def test_a_notice_must_be_whole(world: World) -> None:
    fields = {**FIELDS, "en": {**FIELDS["en"], "retention": " "}}
    with pytest.raises(Refused) as refused, transaction() as session:
        publish(session, world.offers, fields=fields)
    assert refused.value.code == "notice-incomplete"
    assert [error["pointer"] for error in refused.value.errors] == ["/fields/en/retention"]
