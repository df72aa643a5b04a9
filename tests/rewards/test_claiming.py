"""Points become a coupon or goods whole or not at all; what is cancelled is as it was before."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import coupons, rewards
from loyalty.database import transaction
from loyalty.rewards import Claim, claiming
from loyalty.web import NotFound, Refused
from tests.coupons.builders import (
    NOW,
    World,
    add_series,
    budget_left,
    code_of,
    redeemed,
    state,
    ticket,
)
from tests.coupons.racing import race
from tests.rewards.builders import add_reward, balance, claim
from tests.servers import Database


def cancel(world: World, number: int, reason: str = "changed-mind") -> Claim:
    with transaction() as session:
        return rewards.cancel(session, world.programme, world.members[0], number, reason, "app")


def stock(code: str = "coffee") -> int:
    with transaction() as session:
        return int(
            session.execute(
                text(
                    "SELECT stock - claimed FROM loyalty.reward_stocks s JOIN loyalty.rewards r"
                    " ON r.id = s.reward_id WHERE r.code = :code"
                ),
                {"code": code},
            ).scalar_one()
        )


def test_points_become_a_coupon_once(world: World) -> None:
    series = add_series(world)
    add_reward(world, series="spring")
    first = claim(world)
    assert (first.points, first.outcome) == (1_000, None)
    assert first.coupon_id is not None
    assert claim(world) == first
    assert balance(world).available == 9_000
    assert (stock(), budget_left(series)) == (9, 998_000)
    assert redeemed(world, ticket(world, [code_of(first.coupon_id)])).worth == 2_000


def test_what_is_cancelled_goes_back_to_the_lots_it_came_from(world: World) -> None:
    series = add_series(world)
    add_reward(world, series="spring", per_customer=1)
    before = balance(world)
    done = claim(world)
    assert balance(world).expiries != before.expiries
    gone = cancel(world, done.id)
    assert (gone.outcome, cancel(world, done.id)) == ("cancelled", gone)
    assert balance(world).expiries == before.expiries
    assert state(done.coupon_id or 0) == ("voided", 2_000)
    assert (stock(), budget_left(series)) == (10, 1_000_000)
    assert claim(world, "c2").outcome is None


def test_a_coupon_that_was_used_is_not_cancelled(world: World) -> None:
    add_series(world)
    add_reward(world, series="spring")
    done = claim(world)
    redeemed(world, ticket(world, [code_of(done.coupon_id or 0)]))
    with pytest.raises(Refused, match="coupon-used"):
        cancel(world, done.id)
    with transaction() as session, pytest.raises(NotFound):
        rewards.cancel(session, world.programme, world.members[1], done.id, "x", "app")
    assert balance(world).available == 9_000


def test_goods_are_delivered_or_cancelled_never_both(world: World) -> None:
    add_reward(world, prices=[{"tier": "*", "points": 500, "cash": 1_990}])
    done = claim(world)
    assert (done.points, done.cash, done.coupon_id) == (500, 1_990, None)
    with transaction() as session:
        assert rewards.deliver(session, world.programme, done.id, "x").outcome == "delivered"
    with pytest.raises(Refused, match="claim-ended"):
        cancel(world, done.id)
    assert balance(world).available == 9_500


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"stock": 0}, "sold-out"),
        ({"prices": [{"tier": "gold", "points": 1, "cash": 0}]}, "not-for-tier"),
        ({"prices": [{"tier": "*", "points": 10_001, "cash": 0}]}, "insufficient"),
        ({"starts_at": (NOW + timedelta(hours=1)).isoformat()}, "reward-closed"),
        ({"ends_at": (NOW - timedelta(hours=1)).isoformat()}, "reward-closed"),
    ],
)
def test_a_refused_claim_changes_nothing(
    world: World, changed: dict[str, object], code: str
) -> None:
    add_reward(world, **changed)
    left = stock()
    with pytest.raises(Refused, match=code):
        claim(world)
    assert (balance(world).available, stock()) == (10_000, left)


def test_a_coupon_that_cannot_be_issued_costs_no_points(world: World) -> None:
    add_series(world, budget=1_999)
    add_reward(world, series="spring")
    with pytest.raises(Refused, match="budget-used-up"):
        claim(world)
    assert (balance(world).available, stock()) == (10_000, 10)


def test_a42_the_stock_is_exact_however_many_come_at_once(world: World, database: Database) -> None:
    add_series(world, budget=1_000_000)
    add_reward(world, series="spring", stock=15, prices=[{"tier": "*", "points": 1, "cash": 0}])

    def work(number: int) -> Callable[[Session], str]:
        def run(session: Session) -> str:
            member = world.members[number % 2]
            try:
                rewards.claim(
                    session, world.programme, member, "coffee", source="r", reference=str(number)
                )
            except Refused as refused:
                session.rollback()
                return refused.code
            return "claimed"

        return run

    outcomes = [one for some in race(database, [[work(n)] for n in range(40)]) for one in some]
    assert outcomes.count("claimed") == 15
    assert set(outcomes) == {"claimed", "sold-out"}
    assert stock() == 0
    assert balance(world).available + balance(world, 1).available == 20_000 - 15


def test_points_come_back_where_the_coupon_came_back_too_late(world: World) -> None:
    add_series(world)
    add_reward(world, series="spring")
    done = claim(world)
    coupon = done.coupon_id or 0
    act = redeemed(world, ticket(world, [code_of(coupon)]))
    with transaction() as session:
        coupons.reverse(session, world.programme, world.desk, act.id, "r1", "returned")
    with transaction() as session:
        found = claiming.find_by_coupon(session, coupon)
        assert found is not None
        claiming.give_points_back(session, world.members[0], found)
    assert balance(world).available == 10_000
    with transaction() as session:
        found = claiming.find_by_coupon(session, coupon)
        assert found is not None
        claiming.give_points_back(session, world.members[0], found)
    assert balance(world).available == 10_000
