"""A ladder is never changed: a new version follows, with every tier of the one before."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from loyalty import tiers
from loyalty.database import transaction
from loyalty.tiers import ladders
from loyalty.tiers.rules import Ladder, Tier
from loyalty.web import Refused
from tests.servers import Database
from tests.tiers.conftest import CALENDAR, ROLLING, TIERS, World, build_world, buy, tier_of

SHALLOWER = replace(ROLLING, tiers=(TIERS[0], replace(TIERS[1], threshold=500), *TIERS[2:]))


def create(world: World, ladder: Ladder) -> Ladder:
    with transaction() as session:
        return tiers.create_ladder(session, world.programme, ladder)


def in_force(world: World, at: datetime | None = None) -> Ladder:
    with transaction() as session:
        return tiers.ladder_in_force(session, world.programme, at)


def test_without_a_ladder_there_is_one_tier_and_points_count_all_the_same(
    database: Database,
) -> None:
    world = build_world(ladder=None)
    assert in_force(world) == tiers.NO_LADDER
    assert buy(world, 20_000) == []
    assert tier_of(world) == "standard"
    create(world, ROLLING)
    assert [change.to_tier for change in buy(world, 1)] == ["diamond"]


def test_a_ladder_reads_back_as_it_was_created(database: Database) -> None:
    world = build_world(ladder=None)
    made = create(world, CALENDAR)
    assert (made.version, made.tiers, made.window) == (1, TIERS, "calendar")
    assert in_force(world) == made


def test_a_new_version_is_in_force_from_its_instant_on(database: Database) -> None:
    world = build_world()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    create(world, replace(SHALLOWER, effective_from=tomorrow))
    assert in_force(world).version == 1
    assert in_force(world, tomorrow).version == 2
    assert buy(world, 600) == []


def test_a_later_version_never_begins_in_the_past(database: Database) -> None:
    world = build_world()
    before = datetime.now(UTC) - timedelta(seconds=5)
    assert create(world, SHALLOWER).effective_from > before


def test_a_version_made_by_another_process_is_seen_within_half_a_minute(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ladders.FRESH_SECONDS < 30
    world = build_world()
    assert in_force(world).version == 1
    with psycopg.connect(database.url) as connection:  # what this process is not told of
        connection.execute(
            "INSERT INTO loyalty.tier_ladders SELECT programme_id, 2, now(), window_kind,"
            " window_months, grace_days, downgrade, tiers, digest FROM loyalty.tier_ladders"
        )
    assert in_force(world).version == 1
    now = ladders.time.monotonic()
    monkeypatch.setattr(ladders.time, "monotonic", lambda: now + ladders.FRESH_SECONDS + 1)
    assert in_force(world).version == 2


def test_a_version_that_was_rolled_back_is_in_force_nowhere(database: Database) -> None:
    world = build_world()
    with pytest.raises(RuntimeError), transaction() as session:
        tiers.create_ladder(session, world.programme, SHALLOWER)
        assert tiers.ladder_in_force(session, world.programme).version == 2
        raise RuntimeError
    assert in_force(world).version == 1


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ROLLING, tiers=TIERS[:1]),
        replace(ROLLING, tiers=TIERS[1:]),
        replace(ROLLING, tiers=(*TIERS, TIERS[1])),
        replace(ROLLING, tiers=(*TIERS, Tier("black", "黑卡", "Black", 20_000))),
        replace(ROLLING, tiers=(TIERS[0], TIERS[2], TIERS[1], TIERS[3])),
        replace(ROLLING, tiers=(replace(TIERS[0], threshold=1), *TIERS[1:])),
        replace(ROLLING, window="weekly"),
        replace(ROLLING, window_months=0),
        replace(CALENDAR, window_months=6),
        replace(ROLLING, grace_days=-1),
        replace(ROLLING, downgrade="two"),
    ],
)
def test_a_ladder_that_does_not_hold_together_is_refused(database: Database, wrong: Ladder) -> None:
    world = build_world(ladder=None)
    with pytest.raises(Refused, match="invalid-ladder"):
        create(world, wrong)


def test_a_new_version_drops_no_tier(database: Database) -> None:
    world = build_world()
    with pytest.raises(Refused, match="invalid-ladder"):
        create(world, replace(ROLLING, tiers=(*TIERS[:2], TIERS[3])))
    inserted = (*TIERS[:3], Tier("ruby", "红宝石卡", "Ruby", 9_000), TIERS[3])
    assert create(world, replace(ROLLING, tiers=inserted)).version == 2


def test_two_who_add_a_version_at_once_add_one(database: Database) -> None:
    world = build_world()

    def try_to_create(_: int) -> bool:
        try:
            create(world, SHALLOWER)
        except Refused as refusal:
            assert refusal.code == "ladder-exists"
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(try_to_create, range(4)))
    with transaction() as session:
        assert len(tiers.list_ladders(session, world.programme)) == 1 + sum(outcomes)


def test_no_ladder_is_ever_changed(database: Database) -> None:
    build_world()
    for statement in (
        "UPDATE loyalty.tier_ladders SET grace_days = 0",
        "DELETE FROM loyalty.tier_ladders",
        "TRUNCATE loyalty.tier_ladders CASCADE",
    ):
        with psycopg.connect(database.owner_url) as connection, pytest.raises(psycopg.Error):
            connection.execute(statement)
