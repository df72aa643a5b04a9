"""A redemption is undone once: coupon, limits, budget and what is owed are as before."""

from datetime import timedelta

import pytest

from loyalty import coupons
from loyalty.coupons import Act
from loyalty.coupons.ending import free_reserves
from loyalty.database import transaction
from loyalty.web import NotFound, Refused
from tests.coupons.builders import (
    World,
    add_series,
    basket,
    budget_left,
    desk_of,
    issue_codes,
    let_days_pass,
    owed,
    redeemed,
    state,
    ticket,
)
from tests.partners.builders import open_shop
from tests.servers import Database


def void(world: World, redemption: int, reference: str = "v1") -> Act:
    with transaction() as session:
        return coupons.void(session, world.programme, world.desk, redemption, reference)


def reverse(world: World, redemption: int, reference: str = "r1") -> Act:
    with transaction() as session:
        return coupons.reverse(
            session, world.programme, world.desk, redemption, reference, "customer-returned"
        )


def test_a_void_gives_the_coupon_back_and_owes_nothing(world: World) -> None:
    series = add_series(world)
    (code,) = issue_codes(world, series)
    act = redeemed(world, ticket(world, [code]))
    undone = void(world, act.id)
    assert (undone.kind, undone.follows, undone.worth) == ("void", act.id, 2_000)
    assert state(act.taken[0].coupon_id) == ("issued", 2_000)
    assert owed(world.shop) == 0
    assert budget_left(series) == 998_000
    assert redeemed(world, ticket(world, [code], "t2")).discount == 2_000


def test_undoing_twice_is_one_undoing(world: World) -> None:
    (code,) = issue_codes(world, add_series(world))
    act = redeemed(world, ticket(world, [code]))
    first = reverse(world, act.id)
    assert reverse(world, act.id) == first
    for again in (lambda: void(world, act.id), lambda: reverse(world, act.id, "r2")):
        with pytest.raises(Refused, match="already-reversed"):
            again()
    for kind in (first.id, 999):
        with pytest.raises(NotFound):
            reverse(world, kind, "r3")
    assert owed(world.shop) == 0


def test_another_partner_undoes_nothing(world: World) -> None:
    (code,) = issue_codes(world, add_series(world))
    act = redeemed(world, ticket(world, [code]))
    with transaction() as session, pytest.raises(NotFound):
        other = desk_of(open_shop("cinema"))
        coupons.void(session, world.programme, other, act.id, "v1")
    assert owed(world.shop) == 2_000


def test_parts_come_back_as_they_went(world: World) -> None:
    (code,) = issue_codes(world, add_series(world, divisible=True, minimum=0))
    first = redeemed(world, ticket(world, [code], "t1", basket(500)))
    second = redeemed(world, ticket(world, [code], "t2", basket(9_000)))
    coupon = first.taken[0].coupon_id
    reverse(world, first.id)
    assert state(coupon) == ("issued", 500)
    reverse(world, second.id, "r2")
    assert state(coupon) == ("issued", 2_000)
    assert owed(world.shop) == 0


def test_what_is_not_refundable_stays_used_but_a_mistake_at_the_till_does_not(
    world: World,
) -> None:
    series = add_series(world, refundable=False)
    one, two = issue_codes(world, series, 2)
    act = redeemed(world, ticket(world, [one]))
    reverse(world, act.id)
    assert state(act.taken[0].coupon_id) == ("redeemed", 0)
    assert owed(world.shop) == 0
    assert budget_left(series) == 998_000
    act = redeemed(world, ticket(world, [two], "t2"))
    void(world, act.id)
    assert state(act.taken[0].coupon_id) == ("issued", 2_000)


def test_a_hold_keeps_others_away_and_is_redeemed_or_let_go(world: World) -> None:
    code, other = issue_codes(world, add_series(world), 2)
    held = hold(world, code, "h1")
    assert state(held.taken[0].coupon_id) == ("held", 2_000)
    assert [verdict.answer.reasons for verdict in coupons_check(world, code)] == [("held",)]
    act = redeemed(world, ticket(world, (), "t1", hold=held.id))
    assert (act.follows, act.discount) == (held.id, 2_000)
    again = hold(world, other, "h2")
    with transaction() as session:
        let_go = coupons.release(session, world.programme, world.desk, again.id, "l1")
    assert (let_go.kind, state(again.taken[0].coupon_id)) == ("release", ("issued", 2_000))
    with transaction() as session, pytest.raises(Refused, match="hold-gone"):
        coupons.release(session, world.programme, world.desk, held.id, "l2")


def hold(world: World, code: str, reference: str, lasting: timedelta = timedelta(minutes=5)) -> Act:
    with transaction() as session:
        (outcome,) = coupons.hold(
            session, world.programme, world.desk, [ticket(world, [code], reference)], lasting
        )
    assert isinstance(outcome, Act), outcome
    return outcome


def test_a_percentage_that_cost_less_gives_the_rest_back_when_its_days_are_over(
    world: World, database: Database
) -> None:
    series = add_series(
        world, value={"kind": "percent", "amount": 2_000, "basis_points": 5_000}, minimum=0
    )
    one, two = issue_codes(world, series, 2)
    acts = [
        redeemed(world, ticket(world, [code], f"t{code}", basket(1_000))) for code in (one, two)
    ]
    assert [act.worth for act in acts] == [500, 500]
    assert free() == 0
    assert budget_left(series) == 996_000
    for act in acts:
        let_days_pass(database, act.taken[0].coupon_id)
    assert (free(), free()) == (2, 0)
    assert budget_left(series) == 999_000
    reverse(world, acts[0].id)
    assert budget_left(series) == 999_500
    with transaction() as session:
        coupons.expire_coupons(session)
    assert (free(), budget_left(series), owed(world.shop)) == (0, 999_500, 500)


def free() -> int:
    with transaction() as session:
        return free_reserves(session)


def coupons_check(world: World, code: str) -> list[coupons.Verdict]:
    with transaction() as session:
        return coupons.check(session, world.programme, world.desk, ticket(world, [code]))


def test_a_hold_that_was_left_behind_lapses_by_itself(world: World) -> None:
    (code,) = issue_codes(world, add_series(world))
    held = hold(world, code, "h1", timedelta(microseconds=1))
    act = redeemed(world, ticket(world, [code], "t1"))
    assert act.discount == 2_000
    with transaction() as session, pytest.raises(Refused, match="hold-gone"):
        coupons.release(session, world.programme, world.desk, held.id, "l1")


def test_what_comes_back_too_late_goes_to_the_budget(world: World) -> None:
    series = add_series(world)
    used, kept = issue_codes(world, series, 2)
    act = redeemed(world, ticket(world, [used]))
    with transaction() as session:
        coupons.withdraw(session, world.programme, act.taken[0].coupon_id + 1, "stolen")
    assert budget_left(series) == 998_000
    assert state(act.taken[0].coupon_id + 1) == ("withdrawn", 2_000)
    assert coupons_check(world, kept)[0].answer.reasons == ("withdrawn",)
    with transaction() as session, pytest.raises(Refused, match="coupon-used"):
        coupons.cancel(session, world.programme, act.taken[0].coupon_id, "cancelled")
