"""A coupon is redeemed once, by whom it may be; what the partner is owed is posted with it."""

from dataclasses import replace

import pytest

from loyalty import coupons
from loyalty.coupons import Act, Line
from loyalty.coupons.codes import show_code
from loyalty.database import transaction
from tests.coupons.builders import (
    World,
    add_series,
    basket,
    budget_left,
    check,
    desk_of,
    issue,
    issue_codes,
    owed,
    reasons,
    redeem,
    redeemed,
    state,
    ticket,
)
from tests.partners.builders import open_shop


def test_what_a_coupon_takes_off_is_owed_to_the_partner(world: World) -> None:
    series = add_series(world)
    (code,) = issue_codes(world, series)
    (verdict,) = check(world, ticket(world, [code]))
    assert (verdict.answer.is_yes, verdict.answer.discount) == (True, 2_000)
    assert budget_left(series) == 998_000
    act = redeemed(world, ticket(world, [code]))
    assert (act.kind, act.discount, act.worth, act.ours) == ("redemption", 2_000, 2_000, 2_000)
    assert state(act.taken[0].coupon_id) == ("redeemed", 0)
    assert owed(world.shop) == 2_000
    assert budget_left(series) == 998_000


def test_the_same_reference_is_answered_from_what_was_written(world: World) -> None:
    (code,) = issue_codes(world, add_series(world))
    first = redeemed(world, ticket(world, [code]))
    again = redeemed(world, ticket(world, [f" {show_code(code).lower()}"]))
    assert again == first
    other = ticket(world, [code], lines=basket(20_000))
    assert reasons(redeem(world, other)[0]) == ("reference-reused", [])
    assert owed(world.shop) == 2_000


def test_a_used_coupon_says_so_to_who_may_take_it(world: World) -> None:
    (code,) = issue_codes(world, add_series(world))
    redeemed(world, ticket(world, [code]))
    (second,) = redeem(world, ticket(world, [code], "t2"))
    assert reasons(second) == ("coupon-refused", [("redeemed",)])
    assert owed(world.shop) == 2_000


def test_to_who_may_not_take_it_a_coupon_is_like_one_that_does_not_exist(world: World) -> None:
    other = open_shop("cinema")
    mine = add_series(world, partners=[world.shop.partner])
    used, fresh = issue_codes(world, mine, 2)
    redeemed(world, ticket(world, [used]))
    unknown = "2" * 17 + "X"
    for code in (used, fresh, unknown, "not a code"):
        stranger = replace(ticket(world, [code], "s1"), outlet_id=other.outlet)
        (verdict,) = check(world, stranger, desk_of(other))
        assert verdict == coupons.checking.UNKNOWN
        (outcome,) = redeem(world, stranger, desk=desk_of(other))
        assert reasons(outcome) == ("coupon-unknown", [("unknown-coupon",)])
    limited = replace(world.desk, series=frozenset({"autumn"}))
    assert check(world, ticket(world, [fresh]), limited) == [coupons.checking.UNKNOWN]


def test_a_ticket_is_redeemed_whole_or_not_at_all(world: World) -> None:
    stackable = add_series(world, "a", stackable=True, minimum=0)
    first, second = issue_codes(world, stackable, 2)
    (alone,) = issue_codes(world, add_series(world, "b", minimum=0))
    (outcome,) = redeem(world, ticket(world, [first, second, alone]))
    assert reasons(outcome) == ("coupon-refused", [(), (), ("not-stackable",)])
    assert owed(world.shop) == 0
    act = redeemed(world, ticket(world, [first, second], lines=basket(3_000)))
    assert [taken.discount for taken in sorted(act.taken, key=lambda x: x.coupon_id)] == [
        2_000,
        1_000,
    ]
    assert owed(world.shop) == 3_000


def test_a_coupon_shown_twice_counts_once(world: World) -> None:
    (code,) = issue_codes(world, add_series(world, stackable=True))
    (outcome,) = redeem(world, ticket(world, [code, show_code(code)]))
    assert reasons(outcome) == ("coupon-refused", [(), ("repeated",)])


def test_several_tickets_of_one_call_are_done_in_their_order(world: World) -> None:
    one, two = issue_codes(world, add_series(world), 2)
    outcomes = redeem(
        world,
        ticket(world, [one], "t1"),
        ticket(world, [one], "t2"),
        ticket(world, [two], "t3"),
        ticket(world, [one], "t1"),
    )
    assert isinstance(outcomes[0], Act)
    assert reasons(outcomes[1]) == ("coupon-refused", [("redeemed",)])
    assert isinstance(outcomes[2], Act)
    assert outcomes[3] == outcomes[0]
    assert owed(world.shop) == 4_000


def test_a_part_may_be_used_where_the_terms_allow_it(world: World) -> None:
    (code,) = issue_codes(world, add_series(world, divisible=True, minimum=0))
    first = redeemed(world, ticket(world, [code], "t1", basket(500)))
    assert (first.discount, first.taken[0].remaining) == (500, 1_500)
    second = redeemed(world, ticket(world, [code], "t2", basket(9_000)))
    assert (second.discount, second.taken[0].remaining) == (1_500, 0)
    (third,) = redeem(world, ticket(world, [code], "t3", basket(9_000)))
    assert reasons(third) == ("coupon-refused", [("redeemed",)])
    assert owed(world.shop) == 2_000


def test_the_funded_shares_are_split_to_the_last_unit(world: World) -> None:
    value = {"kind": "percent", "amount": 5_000, "basis_points": 333}
    (code,) = issue_codes(world, add_series(world, value=value, ours=3_333, minimum=0))
    act = redeemed(world, ticket(world, [code], lines=basket(10_001)))
    assert (act.discount, act.ours) == (333, 111)
    assert owed(world.shop) == 111


def test_uses_in_a_day_are_limited(world: World) -> None:
    series = add_series(world, limits={"uses_per_day": 2}, stackable=True, minimum=0)
    codes = issue_codes(world, series, 4)
    redeemed(world, ticket(world, codes[:1], "t1"))
    (outcome,) = redeem(world, ticket(world, codes[1:3], "t2"))
    assert reasons(outcome) == ("coupon-refused", [(), ("used-up-today",)])
    act = redeemed(world, ticket(world, codes[1:2], "t3"))
    (outcome,) = redeem(world, ticket(world, codes[3:], "t4"))
    assert reasons(outcome) == ("coupon-refused", [("used-up-today",)])
    with transaction() as session:
        coupons.void(session, world.programme, world.desk, act.id, "v1")
    redeemed(world, ticket(world, codes[3:], "t5"))


def test_a_short_code_is_found_only_with_its_customer(world: World) -> None:
    (code,) = issue_codes(world, add_series(world, short_code=True))
    assert len(code) == 9
    mine, theirs = (member.customer_id for member in world.members)
    assert check(world, ticket(world, [code])) == [coupons.checking.UNKNOWN]
    assert check(world, ticket(world, [code], customer_id=theirs)) == [coupons.checking.UNKNOWN]
    assert check(world, ticket(world, [code], customer_id=mine))[0].answer.is_yes


@pytest.mark.parametrize(
    ("changed", "lines", "found"),
    [
        ({}, basket(9_999), ("below-minimum",)),
        ({"categories": ["books"]}, basket(12_000), ("below-minimum", "nothing-eligible")),
        ({"outlets": [999]}, basket(), ("other-outlet",)),
        ({"minimum": 0}, (), ("nothing-eligible",)),
    ],
)
def test_every_reason_is_named(
    world: World, changed: dict[str, object], lines: tuple[Line, ...], found: tuple[str, ...]
) -> None:
    (code,) = issue_codes(world, add_series(world, **changed))
    (verdict,) = check(world, ticket(world, [code], lines=lines))
    assert verdict.answer.reasons == found


def test_an_issue_is_the_same_coupon_for_the_same_reference(world: World) -> None:
    series = add_series(world)
    (first,) = issue(world, series)
    with transaction() as session:
        order = coupons.Order("o0", world.members[0].customer_id)
        again = coupons.issue_one(session, world.programme, series, "test", order)
    assert isinstance(first, coupons.Issued)
    assert (again.coupon_id, again.replayed) == (first.coupon_id, True)
