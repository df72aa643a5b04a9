"""Earning: a purchase gives what its rules say, once, with its reasons."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from loyalty import points, tiers
from loyalty.database import transaction
from loyalty.points.queries import read_award
from loyalty.web import Refused
from tests.points.builders import (
    BASE,
    LONG_AGO,
    YESTERDAY,
    agree,
    balance,
    build_world,
    purchase,
    record,
    recorded,
    refund,
    status,
)
from tests.servers import Database


def test_a_purchase_gives_a_point_for_each_whole_unit(database: Database) -> None:
    world = build_world()
    outcome = recorded(world, purchase("p1", 1299))
    assert (outcome.points, outcome.status_points) == (12, 12)
    assert balance(world).available == 12
    assert status(world) == 12


def test_a_purchase_too_small_for_a_point_is_recorded_with_the_reason(database: Database) -> None:
    world = build_world()
    outcome = recorded(world, purchase("p1", 99))
    assert outcome.points == 0
    assert outcome.results[0]["code"] == "too-small"


def test_a_purchase_sent_again_changes_nothing(database: Database) -> None:
    world = build_world()
    first = recorded(world, purchase("p1", 500))
    again = recorded(world, purchase("p1", 500))
    assert again.replayed
    assert again.purchase_id == first.purchase_id
    assert balance(world).available == 5
    (other,) = record(world, purchase("p1", 600))
    assert isinstance(other, points.Refused)
    assert other.code == "reference-reused"


def test_refused_purchases_do_not_stop_their_neighbours(database: Database) -> None:
    world = build_world()
    future = datetime.now(UTC) + timedelta(hours=1)
    outcomes = record(
        world,
        purchase("a", 100, customer="nobody"),
        purchase("b", 100, at=future),
        purchase("c", 100, lines=[{"line": 1, "amount": 99}]),
        purchase("d", 100),
        purchase("d", 200),
    )
    codes = [o.code if isinstance(o, points.Refused) else "ok" for o in outcomes]
    assert codes == ["unknown-customer", "future-dated", "lines-differ", "ok", "reference-reused"]
    assert balance(world).available == 1


def test_criteria_decide_and_multipliers_build_on_what_others_gave(database: Database) -> None:
    dining = {"field": "purchase.category", "is": "eq", "value": "5812"}
    world = build_world(
        ("dining", {"gives": "multiplier", "times": [3, 2], "when": dining}),
        (
            "welcome",
            {
                "gives": "fixed",
                "points": 50,
                "status": False,
                "when": {"field": "purchase.first", "is": "eq", "value": True},
            },
        ),
    )
    first = recorded(world, purchase("p1", 1000, category="5812"))
    second = recorded(world, purchase("p2", 1000, category="5411"))
    assert {r["rule"]: r["points"] for r in first.results} == {
        "base": 10,
        "welcome": 50,
        "dining": 30,
    }
    assert {r["rule"]: r["code"] for r in second.results} == {
        "base": "awarded",
        "welcome": "criteria",
        "dining": "criteria",
    }
    assert status(world) == 10 + 30 + 10


def test_a_cap_holds_exactly_under_parallel_purchases(database: Database) -> None:
    capped = {**BASE, "caps": {"day": 25}}
    world = build_world(base=capped)
    threads = [
        threading.Thread(target=record, args=(world, purchase(f"p{i}", 700))) for i in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert balance(world).available == 25


def test_a_deposit_earns_nothing_whatever_the_rules_say(database: Database) -> None:
    world = build_world()
    outcome = recorded(world, purchase("p1", 10_000, category="6011"))
    assert outcome.points == 0
    assert outcome.results[0]["code"] == "promo.deposit-reward"


@pytest.mark.parametrize(
    "document",
    [
        {**BASE, "when": {"field": "purchase.category", "is": "in", "value": ["6012"]}},
        {**BASE, "names": {"zh": "存款有礼", "en": "Gift"}},
        {**BASE, "names": {"zh": "礼", "en": "Savings bonus"}},
    ],
)
def test_a_rule_that_rewards_deposits_is_refused(database: Database, document: dict) -> None:
    world = build_world()
    with pytest.raises(Refused, match=r"promo\.deposit-reward"), transaction() as session:
        agree(session, world.programme, "gift", document)


def test_one_person_cannot_agree_to_their_own_rule(database: Database) -> None:
    world = build_world()
    with pytest.raises(Refused, match="same-person"), transaction() as session:
        rule = points.propose_rule(
            session,
            world.programme,
            code="mine",
            document=BASE,
            effective_from=YESTERDAY,
            proposed_by="a",
        )
        points.decide_rule(session, rule, "approved", decided_by="a")


def test_points_wait_and_lapse_as_their_rule_says(database: Database) -> None:
    waiting = {**BASE, "pending": {"days": 30}, "expiry": {"months": 24, "round": "month"}}
    world = build_world(base=waiting)
    recorded(world, purchase("p1", 500, at=YESTERDAY))
    found = balance(world)
    assert (found.available, found.pending) == (0, 5)
    ((expires_at, _),) = found.expiries
    local = expires_at.astimezone(world.programme.zone)
    assert (local.day, local.hour, local.minute) == (1, 0, 0)


def test_an_award_can_be_run_again_to_the_same_answer(database: Database) -> None:
    capped = {**BASE, "caps": {"month": 12}}
    world = build_world(base=capped)
    recorded(world, purchase("p1", 1000))
    second = recorded(world, purchase("p2", 1000))
    assert second.points == 2
    with transaction() as session:
        award = read_award(session, world.programme, second.customer_id, second.purchase_id)
    assert award is not None
    assert award.same_again


def test_a_change_of_tier_names_the_purchases_that_moved_it(database: Database) -> None:
    world = build_world()
    gold = tiers.Tier("gold", "金卡", "Gold", 100)
    with transaction() as session:
        basic = tiers.Tier("standard", "普通", "Standard", 0)
        ladder = tiers.Ladder((basic, gold), window="calendar", effective_from=LONG_AGO)
        tiers.create_ladder(session, world.programme, ladder)
    now = datetime.now(UTC)
    mine = [purchase(f"m{number}", 6_000, at=now) for number in range(2)]
    outcomes = record(world, *mine, purchase("other", 20_000, "00002", at=now))
    made = {o.reference: o.purchase_id for o in outcomes if isinstance(o, points.Recorded)}
    refund(world, "r1", "m1")
    with transaction() as session:
        history = [
            tiers.read_standing(session, world.programme, world.member(session, name)).history
            for name in ("00001", "00002")
        ]
    lost, rose = history[0]
    assert rose.cause == {"kind": "purchase", "purchases": [made["m0"], made["m1"]]}
    assert (lost.reason, lost.cause["kind"]) == ("renewal-lost", "refund")
    assert lost.cause["purchases"] == [made["m1"]]
    assert [change.cause["purchases"] for change in history[1]] == [[made["other"]]]
