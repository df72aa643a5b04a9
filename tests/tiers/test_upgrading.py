"""A customer rises the moment the score allows it, however many tiers at once, whoever races."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import psycopg
import pytest
from sqlalchemy import text

from loyalty import tiers
from loyalty.database import transaction
from loyalty.programmes import Member
from loyalty.tiers.qualification import Change
from tests.servers import Database
from tests.tiers.conftest import ROLLING, TIERS, World, build_world, buy, post_status, tier_of

WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def test_a_purchase_lifts_over_several_tiers_at_once(database: Database) -> None:
    world = build_world()
    assert tier_of(world) == "standard"
    assert buy(world, 999) == []
    change = buy(world, 19_001)[0]
    assert (change.from_tier, change.to_tier, change.reason) == ("standard", "diamond", "upgraded")
    assert (change.score, change.threshold) == (20_000, 20_000)
    assert tier_of(world) == "diamond"
    assert buy(world, 5) == []


def buy_together(world: World, member: Member, barrier: Barrier) -> list[Change]:
    with transaction() as session:
        session.execute(text("SELECT 1"))  # connected, and then off at the same moment
        barrier.wait(10)
        post_status(session, world, member, 600)
        return tiers.requalify(
            session, world.programme, [member], lambda _: {"kind": "purchase", "purchases": [1]}
        )


def test_of_two_purchases_at_once_that_only_together_suffice_one_lifts(
    database: Database,
) -> None:
    world = build_world(members=8)
    for member in world.members:
        both_posting = Barrier(2)

        with ThreadPoolExecutor(2) as pool:
            buying = [pool.submit(buy_together, world, member, both_posting) for _ in range(2)]
            changes = [change for each in buying for change in each.result()]
        assert [(change.to_tier, change.score) for change in changes] == [("gold", 1_200)]
        assert tier_of(world, member) == "gold"


def test_the_second_purchase_waits_for_the_first_and_sees_it(database: Database) -> None:
    world = build_world()
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            post_status(session, world, world.member, 600)
            assert (
                tiers.requalify(
                    session, world.programme, [world.member], lambda _: {"kind": "purchase"}
                )
                == []
            )
            second = pool.submit(buy, world, 600)
            with psycopg.connect(database.superuser_url, autocommit=True) as watcher:
                while not watcher.execute(WAITING).fetchone():
                    assert not second.done()
        assert [change.score for change in second.result()] == [1_200]


def test_a_back_dated_purchase_whose_window_is_over_does_not_count(database: Database) -> None:
    world = build_world()
    long_ago = datetime.now(UTC) - timedelta(days=400)
    assert buy(world, 5_000, purchased_at=long_ago) == []
    assert tier_of(world) == "standard"
    assert buy(world, 1_000)[0].score == 1_000


def test_many_members_are_lifted_together_each_by_their_own_score(database: Database) -> None:
    world = build_world(members=5)
    with transaction() as session:
        for member, points in zip(world.members, (0, 999, 1_000, 5_000, 50_000), strict=True):
            if points:
                post_status(session, world, member, points)
        changes = tiers.requalify(
            session, world.programme, world.members, lambda _: {"kind": "purchase"}
        )
    assert [change.to_tier for change in changes] == ["gold", "platinum", "diamond"]
    with transaction() as session:
        found = tiers.current(session, world.programme, [m.customer_id for m in world.members])
    assert list(found.values()) == ["standard", "standard", "gold", "platinum", "diamond"]


@pytest.mark.parametrize(("points", "statements"), [(1, 1), (1_000, 3)])
def test_the_number_of_statements_does_not_grow_with_the_members(
    database: Database, monkeypatch: pytest.MonkeyPatch, points: int, statements: int
) -> None:
    world = build_world(members=20)
    sent: list[object] = []
    for count in (1, 20):
        with transaction() as session:
            for member in world.members[:count]:
                post_status(session, world, member, points)
            tiers.ladder_in_force(session, world.programme)
            with monkeypatch.context() as patch:
                execute = psycopg.Cursor.execute

                def count_and_execute(self, query, *rest, **options):  # type: ignore[no-untyped-def]
                    sent.append(query)
                    return execute(self, query, *rest, **options)  # noqa: B023

                patch.setattr(psycopg.Cursor, "execute", count_and_execute)
                tiers.requalify(
                    session, world.programme, world.members[:count], lambda _: {"kind": "purchase"}
                )
            session.rollback()
        assert len(sent) == statements
        sent.clear()


def test_a_cheaper_ladder_lifts_at_the_next_purchase(database: Database) -> None:
    world = build_world()
    buy(world, 600)
    cheaper = (TIERS[0], replace(TIERS[1], threshold=500), *TIERS[2:])
    with transaction() as session:
        tiers.create_ladder(session, world.programme, replace(ROLLING, tiers=cheaper))
    assert [change.to_tier for change in buy(world, 1)] == ["gold"]
