"""Shares and differences have the published intervals, and arms the shares that were asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.intervals import difference, share
from campaigns.rules import CONTROL, PARTS, Arm, arm_bounds, arm_of, part_of


@pytest.mark.parametrize(
    ("hits", "of", "base_hits", "base_of", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),  # Newcombe 1998, table II, method 10
        (9, 10, 3, 10, 0.1705, 0.8090),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
    ],
)
def test_the_examples_of_newcombe(
    hits: int, of: int, base_hits: int, base_of: int, low: float, high: float
) -> None:
    found = difference(hits, of, base_hits, base_of)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_estimate_within_nothing_and_everything(one: int, two: int) -> None:
    hits, of = sorted((one, two))
    found = share(hits, of)
    if of == 0:
        assert found is None
        return
    assert found is not None
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_nobody_to_compare_with_is_no_difference() -> None:
    assert difference(1, 2, 0, 0) is None
    assert difference(0, 0, 1, 2) is None


ARMS = st.lists(st.integers(1, 100), min_size=1, max_size=5).map(
    lambda weights: [Arm(f"v{place}", weight) for place, weight in enumerate(weights)]
)


@given(st.integers(0, 5_000), ARMS, st.integers(0, PARTS - 1))
def test_everybody_is_in_one_arm_and_arms_lie_side_by_side(
    control: int, arms: list[Arm], part: int
) -> None:
    bounds = arm_bounds(control, arms)
    assert [bound for _, bound in bounds] == sorted(bound for _, bound in bounds)
    assert bounds[-1][1] == PARTS
    assert (arm_of(part, control, arms) == CONTROL) == (part < control)


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**63 - 1))
def test_a_customer_stays_where_the_salt_puts_them(salt: bytes, customer: int) -> None:
    assert part_of(salt, customer) == part_of(salt, customer)
    assert 0 <= part_of(salt, customer) < PARTS
