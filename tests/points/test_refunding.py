"""Refunding: what remains of a purchase keeps exactly the points that the rules give for it."""

import pytest

from loyalty.web import NotFound, Refused
from tests.points.builders import (
    balance,
    build_world,
    purchase,
    recorded,
    refund,
    spend,
    status,
)
from tests.servers import Database


def test_a_whole_refund_takes_all_points_back(database: Database) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1050))
    assert refund(world, "r1", "p1").points == 10
    assert balance(world).available == 0
    assert status(world) == 0


def test_partial_refunds_leave_what_the_rules_give_for_the_rest(database: Database) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1050))
    taken = [refund(world, f"r{i}", "p1", 60).points for i in range(3)]
    assert taken == [1, 0, 1]
    assert balance(world).available == 8


def test_a_refund_sent_again_changes_nothing(database: Database) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1000))
    with pytest.raises(Refused, match="reference-reused"):
        # A refund's time is part of its content, and the builder stamps each with its own.
        refund(world, "r1", "p1", 500)
        refund(world, "r1", "p1", 500)
    assert balance(world).available == 5


def test_refunds_never_exceed_the_purchase(database: Database) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1000))
    refund(world, "r1", "p1", 600)
    with pytest.raises(Refused, match="over-refund"):
        refund(world, "r2", "p1", 401)
    refund(world, "r3", "p1")
    with pytest.raises(Refused, match="over-refund"):
        refund(world, "r4", "p1", 1)
    assert balance(world).available == 0


def test_lines_are_refunded_once_each(database: Database) -> None:
    world = build_world()
    lines = [{"line": 1, "amount": 300}, {"line": 2, "amount": 700}]
    recorded(world, purchase("p1", 1000, lines=lines))
    assert refund(world, "r1", "p1", lines=(2,)).amount == 700
    with pytest.raises(Refused, match="over-refund"):
        refund(world, "r2", "p1", lines=(2,))
    with pytest.raises(Refused, match="unknown-line"):
        refund(world, "r3", "p1", lines=(3,))
    assert balance(world).available == 3


def test_a_threshold_that_is_no_longer_met_takes_its_bonus_back(database: Database) -> None:
    big = {"field": "purchase.amount", "is": "ge", "value": 1000}
    world = build_world(("big", {"gives": "fixed", "points": 100, "when": big}))
    recorded(world, purchase("p1", 1000))
    assert refund(world, "r1", "p1", 1).points == 101
    assert balance(world).available == 9


def test_a_whole_refund_takes_what_is_fixed_for_a_purchase_too(database: Database) -> None:
    world = build_world(("each", {"gives": "fixed", "points": 100}))
    recorded(world, purchase("p1", 1_000))
    assert refund(world, "r1", "p1", 999).points == 10
    assert refund(world, "r2", "p1").points == 100
    assert (balance(world).posted, status(world)) == (0, 0)


def test_spent_points_stop_a_refund_where_the_programme_allows_no_debt(
    database: Database,
) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1000))
    spend(world, "s1", 8)
    with pytest.raises(Refused, match="points-spent"):
        refund(world, "r1", "p1")
    assert balance(world).available == 2


def test_spent_points_become_a_debt_that_the_next_purchase_pays(database: Database) -> None:
    world = build_world(debt_limit=100)
    recorded(world, purchase("p1", 1000))
    spend(world, "s1", 8)
    assert refund(world, "r1", "p1").points == 10
    assert balance(world).debt == 8
    recorded(world, purchase("p2", 2000))
    assert balance(world).available == 12


def test_an_unknown_purchase_cannot_be_refunded(database: Database) -> None:
    world = build_world()
    with pytest.raises(NotFound):
        refund(world, "r1", "unknown")
