"""A long run does every item once, can stop and go on, and shows how far it is."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from loyalty import outbox
from loyalty.database import transaction
from loyalty.outbox import jobs, queries, registry, rules, runs, shutdown
from loyalty.outbox.delivery import Orphaned
from loyalty.outbox.models import RunRow
from loyalty.web import NotFound
from tests.outbox import examples
from tests.servers import Database

ITEMS = 95


@pytest.fixture
def run_id(effects: Database) -> int:
    """A run over 95 items in chunks of 10."""
    with transaction() as session:
        session.execute(
            text("INSERT INTO loyalty.items SELECT generate_series(1, :items)"), {"items": ITEMS}
        )
        return outbox.start_run(session, "expiry", {"unit": 1}, created_by="staff:1", total=ITEMS)


def row(run_id: int) -> RunRow:
    with transaction() as session:
        return queries.run(session, run_id)


def stop(run_id: int) -> str:
    with transaction() as session:
        return outbox.stop_run(session, run_id)


def resume(run_id: int) -> str:
    with transaction() as session:
        return outbox.resume_run(session, run_id)


def do_chunks(run_id: int, count: int) -> None:
    with transaction() as session:
        run = runs.claim(session, "expiry", timedelta(seconds=30))
    assert run is not None
    for _ in range(count):
        assert jobs._do_chunk(run, timedelta(seconds=30), examples.expire_chunk)
    with transaction() as session:
        runs.release(session, run)


def every_item_once() -> bool:
    return sorted(examples.effects()) == sorted(
        (f"item:{item}", "expiry") for item in range(1, ITEMS + 1)
    )


def test_a_run_does_every_item_once_and_says_so(run_id: int) -> None:
    jobs.work("expiry")
    found = row(run_id)
    assert (found.state, found.done, found.total, found.failed) == ("done", ITEMS, ITEMS, 0)
    assert found.finished_at is not None
    assert every_item_once()
    assert jobs.waiting() == {}


def test_a_run_is_stopped_and_resumed_and_does_every_item_once(run_id: int) -> None:
    do_chunks(run_id, 3)
    assert stop(run_id) == "stopped"
    jobs.work("expiry")
    assert row(run_id).done == 30
    assert resume(run_id) == "queued"
    jobs.work("expiry")
    assert row(run_id).state == "done"
    assert every_item_once()


def test_a_stop_during_a_chunk_takes_effect_after_it(
    run_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_meanwhile(session: object, run: outbox.Run) -> outbox.Progress:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(stop, run_id).result() == "stopping"
        return examples.expire_chunk(session, run)  # type: ignore[arg-type]

    worker = registry.Worker(stop_meanwhile, timedelta(seconds=30))
    monkeypatch.setitem(registry._workers, "expiry", worker)
    jobs.work("expiry")
    found = row(run_id)
    assert (found.state, found.done, found.chunks) == ("stopped", 10, 1)


def test_the_process_s_stop_leaves_the_run_to_the_next(run_id: int) -> None:
    shutdown.requested.set()
    jobs.work("expiry")
    found = row(run_id)
    assert (found.state, found.chunks, found.lease_token) == ("running", 1, None)
    shutdown.requested.clear()
    jobs.work("expiry")
    assert every_item_once()


def test_a_chunk_whose_lease_passed_on_does_not_last(run_id: int) -> None:
    with transaction() as session:
        orphan = runs.claim(session, "expiry", timedelta(0))
    with transaction() as session:
        heir = runs.claim(session, "expiry", timedelta(seconds=30))
    assert orphan is not None
    assert heir is not None
    assert orphan.id == heir.id == run_id
    with pytest.raises(Orphaned), transaction() as session:
        progress = examples.expire_chunk(session, orphan)
        runs.record(session, orphan, progress, timedelta(seconds=30))
    assert not jobs._do_chunk(orphan, timedelta(seconds=30), examples.expire_chunk)
    assert examples.effects() == []
    assert jobs._do_chunk(heir, timedelta(seconds=30), examples.expire_chunk)
    assert len(examples.effects()) == 10


def test_one_run_is_claimed_by_one_of_several_workers(run_id: int) -> None:
    def try_to_claim(_: int) -> bool:
        with transaction() as session:
            return runs.claim(session, "expiry", timedelta(seconds=30)) is not None

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(try_to_claim, range(4))) == 1


def test_several_workers_do_several_runs_without_doing_an_item_twice(run_id: int) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(jobs.work, ["expiry"] * 3))
    assert every_item_once()


def test_a_run_that_only_fails_ends_as_failed_and_can_be_resumed(effects: Database) -> None:
    with transaction() as session:
        broken = outbox.start_run(session, "breaks", {}, created_by="staff:1")
    for _ in range(rules.RUN_ATTEMPTS):
        assert row(broken).state != "failed"
        with transaction() as session:
            session.execute(text("UPDATE loyalty.runs SET not_before = now()"))
        jobs.work("breaks")
    found = row(broken)
    assert found.state == "failed"
    assert found.error is not None
    assert found.error.startswith("ValueError at examples.py:")
    assert found.finished_at is not None
    assert examples.effects() == []
    assert resume(broken) == "queued"


def test_a_run_whose_workers_are_killed_again_and_again_fails(run_id: int) -> None:
    for _ in range(rules.RUN_ATTEMPTS):
        with transaction() as session:
            session.execute(text("UPDATE loyalty.runs SET not_before = now()"))
        with transaction() as session:
            assert runs.claim(session, "expiry", timedelta(0)) is not None
        jobs.sweep()
    assert row(run_id).state == "failed"


def test_a_pause_waits_for_a_person(run_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pause = registry.Worker(
        lambda session, run: outbox.Paused(failed=1, cursor={"after": 7}), timedelta(seconds=30)
    )
    with monkeypatch.context() as patch:
        patch.setitem(registry._workers, "expiry", pause)
        jobs.work("expiry")
    found = row(run_id)
    assert (found.state, found.failed, found.cursor) == ("paused", 1, {"after": 7})
    assert resume(run_id) == "queued"
    jobs.work("expiry")
    assert row(run_id).done == ITEMS - 7


def test_each_chunk_is_written_once(run_id: int) -> None:
    jobs.work("expiry")
    with transaction() as session:
        numbers = session.scalars(text("SELECT chunk_no FROM loyalty.run_chunks ORDER BY 1")).all()
    assert list(numbers) == list(range(1, len(numbers) + 1))
    assert row(run_id).chunks == len(numbers)


def test_a_run_that_ended_keeps_its_state(run_id: int) -> None:
    jobs.work("expiry")
    assert stop(run_id) == "done"
    assert resume(run_id) == "done"


@pytest.mark.parametrize("act", (outbox.stop_run, outbox.resume_run, queries.run))
def test_an_unknown_run_is_not_found(effects: Database, act: object) -> None:
    with pytest.raises(NotFound), transaction() as session:
        act(session, 404)  # type: ignore[operator]


def test_a_run_s_arguments_are_ids_only(effects: Database) -> None:
    with pytest.raises(outbox.NotIds), transaction() as session:
        outbox.start_run(session, "expiry", {"name": "王小明"}, created_by="staff:1")
