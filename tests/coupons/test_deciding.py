"""The decision at a till, without a database: nobody pays less than nothing, nothing is guessed."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.coupons.rules import (
    KINDS,
    WHOLE,
    Held,
    Line,
    Terms,
    Till,
    decide_basket,
    remaining_after,
    share,
    state_at,
    validity,
    why_not,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)  # noon of a Tuesday in Shanghai
PLAIN = Terms("amount", 1_000, stackable=True)
TILL = Till(1, 1, NOON, SHANGHAI)

amounts = st.integers(0, 10**9)
lines = st.lists(st.builds(Line, amounts, st.sampled_from(["", "books", "food"])), max_size=6)
all_terms = st.builds(
    Terms,
    st.sampled_from(KINDS),
    st.integers(1, 10**9),
    basis_points=st.integers(1, WHOLE),
    minimum=amounts,
    categories=st.frozensets(st.sampled_from(["books", "food"])),
    stackable=st.booleans(),
    divisible=st.booleans(),
    ours=st.integers(0, WHOLE),
)


def held(terms: Terms, **changed: object) -> Held:
    coupon = Held("issued", terms.most, NOON - timedelta(days=1), NOON + timedelta(days=1))
    return replace(coupon, **changed)  # type: ignore[arg-type]


@given(st.lists(all_terms, min_size=1, max_size=5), lines)
def test_a51_what_coupons_take_off_together_is_never_more_than_the_basket(
    several: list[Terms], basket: list[Line]
) -> None:
    answers = decide_basket([(terms, held(terms)) for terms in several], basket, TILL)
    total = sum(line.amount for line in basket)
    assert 0 <= sum(answer.discount for answer in answers) <= total
    for terms, answer in zip(several, answers, strict=True):
        wanted = [line for line in basket if line.category in (terms.categories or {line.category})]
        eligible = sum(line.amount for line in wanted)
        assert 0 <= answer.discount <= min(eligible, terms.most)
        assert answer.worth <= terms.most
        assert answer.is_yes or (answer.discount, answer.worth) == (0, 0)
    accepted = [terms for terms, answer in zip(several, answers, strict=True) if answer.is_yes]
    assert len(accepted) <= 1 or all(terms.stackable for terms in accepted)


@given(st.integers(0, 10**12), st.integers(0, WHOLE))
def test_the_shares_add_up_and_the_reserve_is_enough(worth: int, ours: int) -> None:
    part = share(worth, ours)
    assert 0 <= part <= worth
    terms = Terms("amount", worth or 1, ours=ours)
    assert part <= terms.reserve or worth == 0


@given(all_terms, lines)
def test_what_is_left_is_never_below_zero(terms: Terms, basket: list[Line]) -> None:
    (answer,) = decide_basket([(terms, held(terms))], basket, TILL)
    left = remaining_after(terms, terms.most, answer)
    assert 0 <= left <= terms.most


@pytest.mark.parametrize(
    ("amount", "off"), [(1, 0), (299, 9), (300, 10), (9_999, 333), (1_000_000, 500)]
)
def test_a34_a_percentage_is_rounded_down_and_has_a_maximum(amount: int, off: int) -> None:
    terms = Terms("percent", 500, basis_points=334)
    (answer,) = decide_basket([(terms, held(terms))], [Line(amount)], TILL)
    assert answer.discount == off
    assert answer.is_yes == (off > 0)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=10), st.integers(1, WHOLE))
def test_a34_a_basket_in_pieces_is_never_cheaper(parts: list[int], points: int) -> None:
    terms = Terms("percent", 10**9, basis_points=points)

    def off(amount: int) -> int:
        return decide_basket([(terms, held(terms))], [Line(amount)], TILL)[0].discount

    assert sum(map(off, parts)) <= off(sum(parts))


def test_goods_take_nothing_off_and_are_owed() -> None:
    terms = Terms("goods", 1_500)
    (answer,) = decide_basket([(terms, held(terms))], [], TILL)
    assert (answer.is_yes, answer.discount, answer.worth) == (True, 0, 1_500)


@pytest.mark.parametrize(
    ("terms", "coupon", "till", "reason"),
    [
        ({}, {"state": "redeemed"}, {}, "redeemed"),
        ({}, {"state": "withdrawn"}, {}, "withdrawn"),
        ({}, {"valid_until": NOON}, {}, "expired"),
        ({}, {"valid_from": NOON + timedelta(seconds=1)}, {}, "not-yet-valid"),
        ({}, {"state": "held", "held_until": NOON + timedelta(seconds=1)}, {}, "held"),
        ({"weekdays": frozenset({1, 3})}, {}, {}, "other-weekday"),
        ({"opens": time(12, 1), "closes": time(20)}, {}, {}, "other-hour"),
        ({"opens": time(9), "closes": time(12)}, {}, {}, "other-hour"),
        ({"partners": frozenset({2})}, {}, {}, "other-partner"),
        ({"outlets": frozenset({2})}, {}, {}, "other-outlet"),
        ({}, {"customer_id": 5}, {"customer_id": 6}, "other-customer"),
    ],
)
def test_each_refusal_has_its_reason(
    terms: dict[str, object], coupon: dict[str, object], till: dict[str, object], reason: str
) -> None:
    changed = replace(PLAIN, **terms)  # type: ignore[arg-type]
    shown = held(changed, **coupon)
    at = replace(TILL, **till)  # type: ignore[arg-type]
    assert why_not(changed, shown, [Line(5_000)], at) == [reason]


def test_a_hold_counts_until_it_lapses_and_opens_to_its_own_till() -> None:
    coupon = held(PLAIN, state="held", held_by=7, held_until=NOON + timedelta(minutes=1))
    assert why_not(PLAIN, coupon, [Line(5_000)], replace(TILL, hold=7)) == []
    assert why_not(PLAIN, coupon, [Line(5_000)], replace(TILL, hold=8)) == ["held"]
    assert state_at(coupon, NOON + timedelta(minutes=1)) == "issued"


def test_a35_days_end_at_midnight_in_the_programmes_zone() -> None:
    terms = Terms("amount", 1, days=1)
    late = datetime(2026, 11, 24, 15, 59, 59, tzinfo=UTC)  # a second before midnight there
    window = validity(terms, late, SHANGHAI)
    assert window == (late, datetime(2026, 11, 25, 16, tzinfo=UTC))
    leap = validity(terms, datetime(2028, 2, 28, 4, tzinfo=UTC), SHANGHAI)
    assert leap is not None
    assert leap[1] == datetime(2028, 2, 29, 16, tzinfo=UTC)
    over = replace(terms, days=None, ends_at=late)
    assert validity(over, late, SHANGHAI) is None


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_a35_a_coupon_is_usable_if_and_only_if_it_is_in_its_window(moved: timedelta) -> None:
    at = NOON + moved
    coupon = held(PLAIN)
    usable = not why_not(PLAIN, coupon, [Line(5_000)], replace(TILL, at=at))
    assert usable == (coupon.valid_from <= at < coupon.valid_until)
