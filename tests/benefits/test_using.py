"""A benefit is used as often as tier and grants allow and never more, whoever asks at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from loyalty.benefits import rules
from loyalty.database import transaction
from loyalty.web import NotFound, Refused
from tests.benefits.builders import (
    NOW,
    World,
    grant,
    lift,
    lounge,
    offer,
    reverse,
    standings,
    use,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_the_quota_holds_exactly_under_parallel_uses(world: World) -> None:
    def try_one(number: int) -> str:
        try:
            use(world, f"u{number}")
        except Refused as refused:
            return refused.code
        return "used"

    with ThreadPoolExecutor(20) as pool:
        outcomes = sorted(pool.map(try_one, range(20)))
    assert outcomes == ["quota-used-up"] * 16 + ["used"] * 4
    found = lounge(world)
    assert (found.quota, found.used, found.left) == (4, 4, 0)


def test_a_use_sent_again_counts_once(world: World) -> None:
    first = use(world, "u1", units=2)
    again = use(world, "u1", units=2)
    assert (again.use_id, again.used_at, again.left) == (first.use_id, first.used_at, 2)
    with pytest.raises(Refused, match="reference-reused"):
        use(world, "u1", units=1)
    assert use(world, "u1", source="another door").use_id != first.use_id
    assert lounge(world).used == 3


def test_parallel_repetitions_of_one_use_count_once(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda _: use(world, "u1"), range(8)))
    assert len({one.use_id for one in used}) == 1
    assert lounge(world).used == 1


def test_a_use_is_undone_once_and_is_free_again(world: World) -> None:
    used = use(world, "u1", units=4)
    undone = reverse(world, used.use_id)
    assert reverse(world, used.use_id) == undone
    assert lounge(world).left == 4
    with pytest.raises(Refused, match="already-reversed"):
        reverse(world, used.use_id, "again")
    with pytest.raises(NotFound):
        reverse(world, undone, "undo the undoing")
    assert lounge(world).left == 4


def test_only_who_recorded_a_use_undoes_it(world: World) -> None:
    used = use(world, "u1")
    with pytest.raises(NotFound):
        reverse(world, used.use_id, source="another door")
    with pytest.raises(NotFound):
        reverse(world, 9999)


def test_a_reference_means_one_thing(world: World) -> None:
    first, second = use(world, "u1"), use(world, "u2")
    reverse(world, first.use_id, "undo")
    with pytest.raises(Refused, match="reference-reused"):
        reverse(world, second.use_id, "undo")
    with pytest.raises(Refused, match="reference-reused"):
        use(world, "undo")
    with pytest.raises(Refused, match="reference-reused"):
        reverse(world, second.use_id, "u1")


def test_guests_come_along_as_the_tier_allows(world: World) -> None:
    assert use(world, "u1", guests=1).guests == 1
    assert use(world, "u2", units=2, guests=2).left == 1
    with pytest.raises(Refused, match="too-many-guests"):
        use(world, "u3", guests=2)
    assert lounge(world).left == 1


def test_grants_add_to_the_quota_while_they_last(world: World) -> None:
    number = grant(world, world.gold, 2)
    assert grant(world, world.gold, 2) == number
    with pytest.raises(Refused, match="reference-reused"):
        grant(world, world.gold, 3)
    grant(world, world.gold, 10, "past", ends_at=NOW - timedelta(minutes=1))
    grant(world, world.gold, 10, "coming", starts_at=NOW + timedelta(days=1))
    assert lounge(world).quota == 6
    assert use(world, "u1", units=6).left == 0


def test_a_grant_alone_allows_without_guests(world: World) -> None:
    with pytest.raises(Refused, match="not-entitled"):
        use(world, "u1", world.plain)
    assert standings(world, world.plain) == {}
    grant(world, world.plain, 1)
    with pytest.raises(Refused, match="too-many-guests"):
        use(world, "u1", world.plain, guests=1)
    assert use(world, "u1", world.plain).left == 0
    with pytest.raises(Refused, match="quota-used-up"):
        use(world, "u2", world.plain)


def test_without_a_limit_any_number_is_used(world: World) -> None:
    lift(world, world.gold, 19_000)
    assert use(world, "u1", units=1_000).left is None
    found = lounge(world)
    assert (found.quota, found.used, found.left) == (None, 1_000, None)


def test_after_a_downgrade_the_lower_quota_counts_what_was_used(world: World) -> None:
    lift(world, world.gold, 19_000)
    used = use(world, "u1", units=10)
    with transaction() as session:
        session.execute(
            text("UPDATE loyalty.tier_states SET tier = 'gold' WHERE customer_id = :id"),
            {"id": world.gold.customer_id},
        )
    found = lounge(world)
    assert (found.quota, found.used, found.left) == (4, 10, 0)
    with pytest.raises(Refused, match="quota-used-up"):
        use(world, "u2")
    assert use(world, "u1", units=10).left == 0
    reverse(world, used.use_id)
    assert use(world, "u3").left == 3


def test_fewer_uses_in_new_terms_count_what_was_used(world: World) -> None:
    use(world, "u1", units=3)
    offer(world, tiers={"gold": {"quota": 2, "guests": 0}}, effective_from=NOW)
    found = lounge(world)
    assert (found.quota, found.left, found.guests) == (2, 0, 0)
    with pytest.raises(Refused, match="quota-used-up"):
        use(world, "u2")


def test_terms_count_from_their_date(world: World) -> None:
    assert offer(world, tiers={}, effective_from=NOW + timedelta(days=1)) == 2
    assert lounge(world).quota == 4


def test_what_a_benefit_is_never_changes(world: World) -> None:
    for changed in ({"kind": "goods"}, {"name_en": "Bar"}, {"period": "year"}):
        with pytest.raises(Refused, match="reference-reused"):
            offer(world, **changed)


def test_a_new_period_begins_with_the_whole_quota(world: World) -> None:
    use(world, "u1", units=4)
    with transaction() as session:
        # As if all that was used had been used in an earlier month.
        session.execute(
            text(
                "INSERT INTO loyalty.benefit_counters (customer_id, benefit_id, period, used)"
                " SELECT customer_id, benefit_id, '2020-01', used FROM loyalty.benefit_counters"
            )
        )
        session.execute(
            text("UPDATE loyalty.benefit_counters SET used = 0 WHERE period <> '2020-01'")
        )
    assert lounge(world).left == 4
    assert use(world, "u2").left == 3


def test_a_benefit_for_ever_has_one_period(world: World) -> None:
    offer(world, code="once", period="ever", tiers={"gold": {"quota": 1, "guests": 0}})
    assert standings(world)["once"].period_ends_at is None
    assert use(world, "u1", code="once").left == 0


@pytest.mark.parametrize(
    ("period", "at", "name", "end"),
    [
        ("month", "2026-11-30T15:59:59+00:00", "2026-11", "2026-12-01"),
        ("month", "2026-11-30T16:00:00+00:00", "2026-12", "2027-01-01"),
        ("quarter", "2026-03-31T16:00:00+00:00", "2026-Q2", "2026-07-01"),
        ("quarter", "2026-12-01T00:00:00+00:00", "2026-Q4", "2027-01-01"),
        ("year", "2026-12-31T16:00:00+00:00", "2027", "2028-01-01"),
    ],
)
def test_periods_begin_and_end_at_midnight_in_the_programmes_zone(
    period: str, at: str, name: str, end: str
) -> None:
    instant = datetime.fromisoformat(at)
    assert rules.period_of(period, instant, SHANGHAI) == name
    over = rules.period_end(period, instant, SHANGHAI)
    assert over is not None
    assert over.isoformat() == f"{end}T00:00:00+08:00"
    last = (over - timedelta(microseconds=1)).astimezone(UTC)
    assert rules.period_of(period, last, SHANGHAI) == name
    assert rules.period_of(period, over, SHANGHAI) != name


def test_an_unknown_benefit_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        use(world, "u1", code="spa")
    offer(world, code="coming", effective_from=NOW + timedelta(days=1))
    with pytest.raises(NotFound):
        use(world, "u1", code="coming")
