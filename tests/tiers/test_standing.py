"""A customer sees where they stand, what leads to the next tier, what it takes to stay, and why."""

from datetime import UTC, datetime, timedelta

from loyalty import tiers
from loyalty.database import transaction
from loyalty.tiers.rules import State
from loyalty.tiers.standing import Staying, find_staying
from loyalty.tiers.wording import explain
from tests.servers import Database
from tests.tiers.conftest import CALENDAR, ROLLING, World, build_world, buy, review

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def standing(world: World) -> tiers.Standing:
    with transaction() as session:
        return tiers.read_standing(session, world.programme, world.member)


def midnight_after(purchased_at: datetime, world: World) -> datetime:
    terms = tiers.status_terms(ROLLING, world.programme, world.member.joined_at, purchased_at)
    return terms.expires_at


def test_a_new_member_stands_at_the_bottom(database: Database) -> None:
    world = build_world()
    found = standing(world)
    assert (found.tier.code, found.source, found.score) == ("standard", "earned", 0)
    assert found.since == world.member.joined_at
    assert (found.next_tier and found.next_tier.code, found.points_to_next) == ("gold", 1_000)
    assert found.staying == Staying(0, None)
    assert found.history == []


def test_the_first_lapse_that_takes_the_score_below_the_threshold_is_named(
    database: Database,
) -> None:
    world = build_world()
    first, second = NOW - 200 * DAY, NOW - 100 * DAY
    buy(world, 300, purchased_at=first)
    buy(world, 400, purchased_at=second)
    buy(world, 800)
    found = standing(world)
    assert (found.tier.code, found.score) == ("gold", 1_500)
    assert found.points_to_next == 3_500
    # Without the first 300 it is 1,200 still; without the next 400 it is 800.
    assert found.staying == Staying(200, midnight_after(second, world))
    assert [points for _, points in found.expiries] == [300, 400, 800]


def test_at_the_top_there_is_no_next_tier(database: Database) -> None:
    world = build_world()
    buy(world, 25_000)
    found = standing(world)
    assert (found.tier.code, found.next_tier, found.points_to_next) == ("diamond", None, None)


def test_in_grace_it_takes_what_the_score_lacks_by_the_end_of_the_grace(
    database: Database,
) -> None:
    world = build_world()
    buy(world, 1_000, purchased_at=NOW - 300 * DAY)
    assert review(world, NOW + 100 * DAY) == ["grace-started"]
    found = standing(world)
    assert found.grace_until is not None
    assert found.staying.until == found.grace_until
    assert found.history[0].reason == "grace-started"


def test_a_calendar_tier_says_what_the_next_year_has_to_bring(database: Database) -> None:
    world = build_world(CALENDAR)
    buy(world, 1_700)
    found = standing(world)
    assert found.staying == Staying(1_000, found.valid_until)
    last = State("gold", valid_until=NOW + 30 * DAY)
    lapses = [(NOW + 30 * DAY, 400)]
    assert find_staying(CALENDAR, last, 400, lapses) == Staying(600, NOW + 30 * DAY)


def test_points_that_never_lapse_keep_a_tier_for_ever() -> None:
    assert find_staying(ROLLING, State("gold"), 1_000, []) == Staying(0, None)


def test_below_the_threshold_and_not_yet_reviewed_it_takes_what_the_score_lacks() -> None:
    lapses = [(NOW + DAY, 900)]
    assert find_staying(ROLLING, State("gold"), 900, lapses) == Staying(100, None)


def test_the_history_says_why_in_both_languages(database: Database) -> None:
    world = build_world()
    buy(world, 6_000)
    review(world, NOW + 370 * DAY)
    review(world, NOW + 470 * DAY)
    found = standing(world)
    assert [change.reason for change in found.history] == [
        "grace-started",
        "downgraded",
        "grace-started",
        "upgraded",
    ]
    words = explain(found.history[1], found.ladder)
    assert words.en == "0 status points did not meet the threshold of Platinum, 5000: now Gold."
    assert words.zh == "定级积分 0 未达到白金卡的门槛 5000,调整为金卡。"
