"""Coupons are issued within their limits and their budget, and each keeps its version's terms."""

from datetime import timedelta

import pytest

from loyalty import coupons, customers, vault
from loyalty.coupons import Issued, NotIssued, Order
from loyalty.database import transaction
from loyalty.web import NotFound, Refused
from tests.coupons.builders import (
    NOW,
    World,
    add_series,
    budget_left,
    check,
    code_of,
    issue,
    issue_codes,
    redeemed,
    terms,
    ticket,
)


def outcomes(world: World, *orders: Order, code: str = "spring") -> list[str]:
    with transaction() as session:
        series = coupons.find_series(session, world.programme, code)
        found = coupons.issue(session, world.programme, series, "test", orders)
    return [one.code if isinstance(one, NotIssued) else "" for one in found]


def test_a25_the_same_source_and_reference_is_the_same_coupon(world: World) -> None:
    series = add_series(world)
    (first,) = issue(world, series)
    assert isinstance(first, Issued)
    mine, theirs = (member.customer_id for member in world.members)
    with transaction() as session:
        found = coupons.issue(
            session,
            world.programme,
            series,
            "test",
            [Order("o0", mine), Order("o0", theirs), Order("new", mine), Order("new", mine)],
        )
    assert found[0] == Issued(first.coupon_id, replayed=True)
    assert found[1] == NotIssued("reference-reused")
    assert found[2] == found[3]
    assert outcomes(world, Order("o0", theirs)) == ["reference-reused"]
    assert budget_left(series) == 1_000_000 - 2 * 2_000


def test_each_limit_says_its_name(world: World) -> None:
    mine, theirs = (member.customer_id for member in world.members)
    add_series(world, limits={"customer": 1, "day": 2, "total": 3})
    assert outcomes(world, Order("1", mine), Order("2", mine)) == ["", "limit-reached"]
    assert outcomes(world, Order("3")) == ["customer-needed"]
    assert outcomes(world, Order("4", theirs), Order("5", theirs)) == ["", "sold-out-today"]
    add_series(world, "small", budget=3_999)
    assert outcomes(world, Order("1"), Order("2"), code="small") == ["", "budget-used-up"]


def test_what_was_cancelled_is_free_again_and_what_lapsed_is_not(world: World) -> None:
    series = add_series(world, limits={"customer": 1, "total": 1}, budget=2_000)
    mine = world.members[0].customer_id
    (first,) = issue(world, series)
    assert isinstance(first, Issued)
    assert budget_left(series) == 0
    with transaction() as session:
        coupons.cancel(session, world.programme, first.coupon_id, "claim-cancelled")
    assert budget_left(series) == 2_000
    assert outcomes(world, Order("again", mine)) == [""]
    with transaction() as session, pytest.raises(Refused, match="coupon-used"):
        coupons.cancel(session, world.programme, first.coupon_id, "twice")
    with transaction() as session, pytest.raises(NotFound):
        coupons.cancel(session, world.programme, 99, "nothing")


def test_a_coupon_keeps_the_version_under_which_it_was_issued(world: World) -> None:
    series = add_series(world)
    (code,) = issue_codes(world, series)
    later = add_series(world, value={"kind": "amount", "amount": 500}, minimum=0, budget=None)
    assert (later.version, later.terms.amount) == (2, 500)
    (verdict,) = check(world, ticket(world, [code]))
    assert verdict.answer.discount == 2_000
    assert redeemed(world, ticket(world, issue_codes(world, later), "t2")).discount == 500


def test_a53_a_version_that_is_not_in_force_is_not_there(world: World) -> None:
    with transaction() as session:
        coupons.add_version(
            session,
            world.programme,
            "hidden",
            terms(),
            effective_from=NOW + timedelta(days=1),
            agreed_as="test",
        )
    with transaction() as session, pytest.raises(NotFound):
        coupons.find_series(session, world.programme, "hidden")


def test_a53_a_halted_series_issues_and_redeems_nothing(world: World) -> None:
    series = add_series(world)
    (code,) = issue_codes(world, series)
    with transaction() as session:
        coupons.halt_series(session, series, "fraud", "stf_1")
    assert outcomes(world, Order("1")) == ["coupon-halted"]
    assert check(world, ticket(world, [code]))[0].answer.reasons == ("halted",)
    with transaction() as session:
        coupons.resume_series(session, series, "checked", "stf_2")
    assert outcomes(world, Order("1")) == [""]
    assert check(world, ticket(world, [code]))[0].answer.is_yes


def test_a_series_that_is_over_issues_nothing(world: World) -> None:
    validity = {"days": None, "ends_at": (NOW - timedelta(hours=1)).isoformat()}
    add_series(world, validity=validity)
    assert outcomes(world, Order("1")) == ["coupon-over"]


def test_an_erased_customer_gets_and_uses_nothing(world: World) -> None:
    series = add_series(world)
    (code,) = issue_codes(world, series)
    with transaction() as session:
        customers.erase(session, world.members[0].customer_id, vault.Reason.REQUEST)
    assert outcomes(world, Order("1", world.members[0].customer_id)) == ["customer-erased"]
    assert check(world, ticket(world, [code]))[0].answer.reasons == ("owner-gone",)


def test_a47_the_database_holds_no_code(world: World) -> None:
    from sqlalchemy import text  # noqa: PLC0415 - this test alone looks into the rows

    (code,) = issue_codes(world, add_series(world))
    with transaction() as session:
        (row,) = session.execute(text("SELECT id, coupons::text AS all FROM loyalty.coupons"))
    assert code not in row.all
    assert code.encode().hex() not in row.all
    assert code_of(row.id) == code
