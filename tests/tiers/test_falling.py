"""Whoever falls short is warned, has time, and then falls by one tier, or to what they earned."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text

import ledger
from loyalty import tiers
from loyalty.database import transaction
from loyalty.tiers.ladders import ladder_versions
from loyalty.tiers.rules import Case, load_state, settle
from tests.servers import Database
from tests.tiers.conftest import (
    ANNIVERSARY,
    CALENDAR,
    ROLLING,
    World,
    build_world,
    buy,
    post_status,
    review,
    tier_of,
)

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def at(days: int) -> datetime:
    return NOW + timedelta(days=days)


def rows(world: World) -> list[tuple[object, ...]]:
    with transaction() as session:
        found = session.execute(
            text(
                "SELECT reason, from_tier, to_tier, score, threshold FROM loyalty.tier_changes"
                " WHERE customer_id = :customer ORDER BY id"
            ),
            {"customer": world.member.customer_id},
        )
        return [tuple(row) for row in found]


def state(world: World) -> tuple[object, ...]:
    with transaction() as session:
        return tuple(
            session.execute(
                text(
                    "SELECT tier, source, earned, grace_until, valid_until FROM loyalty.tier_states"
                )
            ).one()
        )


def test_a_soft_landing_step_by_step(database: Database) -> None:
    world = build_world()
    buy(world, 6_000)
    assert tier_of(world) == "platinum"
    assert review(world) == []
    assert review(world, at(360)) == []
    assert review(world, at(370)) == ["grace-started"]
    assert tier_of(world) == "platinum"
    assert review(world, at(370)) == []
    assert review(world, at(458)) == []
    assert review(world, at(462)) == ["downgraded", "grace-started"]
    assert tier_of(world) == "gold"
    assert review(world, at(470)) == []
    assert review(world, at(560)) == ["downgraded"]
    assert tier_of(world) == "standard"
    assert review(world, at(900)) == []
    assert rows(world) == [
        ("upgraded", "standard", "platinum", 6_000, 5_000),
        ("grace-started", "platinum", "platinum", 0, 5_000),
        ("downgraded", "platinum", "gold", 0, 5_000),
        ("grace-started", "gold", "gold", 0, 1_000),
        ("downgraded", "gold", "standard", 0, 1_000),
    ]
    assert state(world) == ("standard", "earned", "standard", None, None)


def test_points_that_suffice_again_within_the_grace_keep_the_tier_at_once(
    database: Database,
) -> None:
    world = build_world()
    buy(world, 1_000, purchased_at=NOW - 300 * DAY)
    assert review(world, at(70)) == ["grace-started"]
    reasons = [change.reason for change in buy(world, 400)]
    assert reasons == ["grace-ended-kept"]  # the old lot has not lapsed by the real clock
    assert tier_of(world) == "gold"
    assert review(world, at(1)) == []


def test_a_review_keeps_whoever_qualified_again(database: Database) -> None:
    world = build_world()
    buy(world, 1_000, purchased_at=NOW - 300 * DAY)
    review(world, at(70))
    with transaction() as session:
        post_status(session, world, world.member, 1_000)
    assert review(world, at(80)) == ["grace-ended-kept"]
    assert review(world, at(200)) == []


def test_without_grace_the_fall_is_at_once(database: Database) -> None:
    world = build_world(replace(ROLLING, grace_days=0))
    buy(world, 6_000)
    assert review(world, at(370)) == ["downgraded", "downgraded"]
    assert tier_of(world) == "standard"


def test_to_basis_means_to_what_the_score_earns(database: Database) -> None:
    world = build_world(replace(ROLLING, downgrade="basic"))
    buy(world, 20_000, purchased_at=NOW - 200 * DAY)
    buy(world, 1_000)
    assert tier_of(world) == "diamond"
    assert review(world, at(180)) == ["grace-started"]
    assert review(world, at(280)) == ["downgraded"]
    assert tier_of(world) == "gold"


def test_points_taken_back_lead_to_grace_and_not_to_a_fall(database: Database) -> None:
    world = build_world()
    buy(world, 1_000)
    take_back(world)
    assert tier_of(world) == "gold"
    assert review(world) == ["grace-started"]


def take_back(world: World) -> list[str]:
    """Reverse the last status points of the member and requalify, as a refund does."""
    with transaction() as session:
        wallet = world.member.status_wallet
        last = ledger.read_statement(session, wallet, limit=1)[0].position
        entry = ledger.Entry(
            wallet, "test", f"refund-{last}", "reverse", (ledger.Reverse(wallet, last),)
        )
        assert isinstance(ledger.post(session, [entry])[0], ledger.Posted)
        changes = tiers.requalify(
            session, world.programme, [world.member], lambda _: {"kind": "refund", "purchases": [1]}
        )
        return [change.reason for change in changes]


def new_year(years_ahead: int) -> datetime:
    """Return an instant on the first of January, so many years from now, in Shanghai."""
    year = (NOW + timedelta(hours=8)).year + years_ahead
    return datetime(year - 1, 12, 31, 16, tzinfo=UTC)


def test_a_calendar_tier_is_kept_to_the_end_of_the_next_year(database: Database) -> None:
    world = build_world(CALENDAR)
    buy(world, 1_000)
    assert state(world)[4] == new_year(2)
    assert review(world, new_year(1) + DAY) == []
    assert review(world, new_year(2) - DAY) == []
    assert review(world, new_year(2)) == ["grace-started"]
    assert review(world, new_year(2) + 100 * DAY) == ["downgraded"]


def test_a_refund_in_the_year_takes_the_next_year_back(database: Database) -> None:
    world = build_world(CALENDAR)
    buy(world, 1_000)
    assert take_back(world) == ["renewal-lost"]
    assert tier_of(world) == "gold"
    assert state(world)[4] == new_year(1)
    assert [change.reason for change in buy(world, 1_000)] == ["renewed"]
    assert take_back(world) == ["renewal-lost"]
    assert review(world, new_year(1)) == ["grace-started"]


def test_an_anniversary_tier_is_kept_to_the_anniversary_after_the_next(
    database: Database,
) -> None:
    world = build_world(ANNIVERSARY)
    buy(world, 1_000)
    assert review(world, at(380)) == []
    assert review(world, at(725)) == []
    assert review(world, at(735)) == ["grace-started"]


def test_after_a_fall_a_calendar_tier_lasts_the_year(database: Database) -> None:
    world = build_world(replace(CALENDAR, grace_days=0))
    buy(world, 5_000)
    assert review(world, new_year(2)) == ["downgraded"]
    assert tier_of(world) == "gold"
    assert review(world, new_year(3) - DAY) == []
    assert review(world, new_year(3)) == ["downgraded"]
    assert tier_of(world) == "standard"


def test_every_change_can_be_decided_again_to_the_same_answer(database: Database) -> None:
    world = build_world(CALENDAR)
    buy(world, 1_000)
    take_back(world)
    buy(world, 6_000)
    for years, days in ((1, 0), (2, 0), (2, 100), (3, 0), (3, 100)):
        review(world, new_year(years) + days * DAY)
    with transaction() as session:
        versions = ladder_versions(session, world.programme)
        found = session.execute(text("SELECT * FROM loyalty.tier_changes ORDER BY id")).all()
        states = session.execute(text("SELECT * FROM loyalty.tier_states")).one()
    assert [row.reason for row in found] == [
        "upgraded",
        "renewal-lost",
        "upgraded",
        "grace-started",
        "downgraded",
        "grace-started",
        "downgraded",
    ]
    for row in found:
        ladder = versions[row.ladder_version]
        joined = world.member.joined_at
        case = Case(ladder, world.programme.zone, joined, row.score, row.at, review=True)
        step = settle(case, load_state(row.before))[0]
        assert (step.reason, step.after) == (row.reason, load_state(row.after))
        assert (step.before.tier(ladder), step.after.tier(ladder)) == (row.from_tier, row.to_tier)
        assert step.threshold == row.threshold
    last = load_state(found[-1].after)
    assert (states.earned, states.valid_until, states.met) == (
        last.earned,
        last.valid_until,
        last.met,
    )
    assert states.change_id == found[-1].id
    moved = [row.at for row in found if row.from_tier != row.to_tier]
    assert states.since == moved[-1]


@pytest.mark.parametrize(
    "statement",
    (
        "UPDATE loyalty.tier_changes SET score = 0",
        "DELETE FROM loyalty.tier_changes",
        "TRUNCATE loyalty.tier_changes CASCADE",
        "TRUNCATE loyalty.tier_applications CASCADE",
        "TRUNCATE loyalty.tier_decisions CASCADE",
    ),
)
def test_history_is_never_changed(database: Database, statement: str) -> None:
    world = build_world()
    buy(world, 1_000)
    refused = pytest.raises(psycopg.Error, match="append-only")
    with psycopg.connect(database.owner_url) as connection, refused:
        connection.execute(statement)
