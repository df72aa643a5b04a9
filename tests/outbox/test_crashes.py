"""Workers killed at random points lose no event and repeat no effect."""

import os
import random
import signal
from collections.abc import Callable
from threading import Event

from sqlalchemy import text

from loyalty import outbox
from loyalty.database import transaction
from loyalty.outbox import queries, rules
from tests.outbox import examples
from tests.outbox.conftest import Start, earn, wait_until
from tests.servers import Database

SEED = random.randrange(2**32)
KILLS = int(os.environ.get("QUANYI_KILLS", "4"))
# What a killed worker sent last may be committed after we hurried: then its lease has to run out.
PATIENCE = 120.0


def hurry() -> int:
    """Let what a killed worker left be taken over at once; return how much it left."""
    left = 0
    with transaction() as session:
        for table in ("outbox", "runs"):
            left += len(
                session.execute(
                    text(
                        f"UPDATE loyalty.{table} SET lease_until = now() - interval '1 second',"
                        " not_before = now(), attempts = 0"
                        " WHERE lease_until IS NOT NULL RETURNING id"
                    )
                ).all()
            )
    return left


def kill_at_random(
    start: Start, progress: Callable[[], int], total: int, begin: Callable[[int], None]
) -> None:
    """Kill one worker after the other, each at its own share of `total`; some while busy."""
    chance = random.Random(SEED)
    left = 0
    for kill in range(KILLS):
        worker = start("worker")
        begin(kill)
        goal = total * kill // KILLS + chance.randrange(1, total // KILLS // 2)
        wait_until(lambda: progress() >= goal, PATIENCE)  # noqa: B023
        Event().wait(chance.random() / 20)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        left += hurry()
    assert left > 0, "no kill met a worker at work"


def test_every_event_has_each_effect_exactly_once(start: Start) -> None:
    print(f"seed {SEED}")
    share = 200
    count = share * KILLS
    start("relay")
    kill_at_random(
        start,
        examples.count_effects,
        2 * count,
        lambda kill: earn(range(share * kill, share * (kill + 1))),
    )
    start("worker")
    wait_until(lambda: examples.count_effects("tell", "tier") >= 2 * count, PATIENCE)
    expected = sorted((f"customer:{n}", who) for n in range(count) for who in ("tell", "tier"))
    assert sorted(examples.effects()) == expected
    wait_until(lambda: not _backlog(), PATIENCE)


def test_every_item_of_a_run_is_done_exactly_once(effects: Database, start: Start) -> None:
    print(f"seed {SEED}")
    items = 400 * KILLS
    with transaction() as session:
        session.execute(
            text("INSERT INTO loyalty.items SELECT generate_series(1, :items)"), {"items": items}
        )
        run_id = outbox.start_run(session, "grant", {}, created_by="staff:1", total=items)
    start("relay")
    kill_at_random(start, lambda: examples.count_effects("grant"), items, lambda kill: None)
    start("worker")
    wait_until(lambda: _state(run_id) == "done", PATIENCE)
    found = examples.effects("grant")
    assert len(found) == len(set(found)) == items
    with transaction() as session:
        assert queries.run(session, run_id).done == items


def test_a_killed_process_s_lease_is_taken_over_without_a_person(start: Start) -> None:
    """With the real waits: the rest of a lease, then the first pause of the table."""
    assert rules.BACKOFF[0].total_seconds() == 5
    earn(range(1), "sms.due")
    with transaction() as session:
        session.execute(
            text(
                "UPDATE loyalty.outbox SET lease_token = gen_random_uuid(), attempts = 1,"
                " lease_until = clock_timestamp() + interval '1 second'"
            )
        )
    start("relay")
    start("worker")
    wait_until(lambda: examples.count_effects() == 1, 25)


def _backlog() -> bool:
    with transaction() as session:
        return bool(queries.backlog(session))


def _state(run_id: int) -> str:
    with transaction() as session:
        return queries.run(session, run_id).state
