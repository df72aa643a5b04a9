"""Points that wait for an event are pending until it is confirmed, and are never given twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import ledger
from ledger import checkpoints
from ledger.dump import dump_tables
from loyalty import customers, points, vault
from loyalty.database import transaction
from loyalty.points import waiting
from loyalty.web import Refused
from tests.ledger.invariants import check_ledger
from tests.ledger.verifying import as_superuser, seal_all, sign, verify, verify_database
from tests.points.builders import (
    BASE,
    World,
    balance,
    build_world,
    purchase,
    recorded,
    refund,
    spend,
    status,
)
from tests.servers import Database

OCCURRED = datetime.now(UTC) - timedelta(hours=1)
LONG_SINCE = datetime.now(UTC) - timedelta(days=100)


def waits_for(event: str, about: str = "purchase", **more: Any) -> dict[str, Any]:
    return {**BASE, "pending": {"event": event, "about": about, **more}}


def confirm(world: World, *reported: points.NewConfirmation, source: str = "bank") -> list[Any]:
    with transaction() as session:
        return points.confirm(session, world.programme, source, reported)


def event(reference: str, name: str = "delivered", **about: Any) -> points.NewConfirmation:
    return points.NewConfirmation(reference, name, OCCURRED, **about)


def waiting_in(world: World) -> list[waiting.Waiting]:
    with transaction() as session:
        return waiting.read_waiting(session, world.member(session, "00001").points_wallet)


def test_a_ledger_with_confirmed_points_is_proved(database: Database, tmp_path: Path) -> None:
    world = build_world(base={**waits_for("delivered"), "expiry": {"months": 12}})
    for reference in ("waiting", "whole", "returned"):
        recorded(world, purchase(reference, 1_000))
    refund(world, "r1", "whole", 300)
    confirm(world, event("e1", purchase="whole"), event("e2", purchase="returned"))
    refund(world, "r2", "returned")
    spend(world, "s1", 3)
    now = balance(world)
    assert (now.available, now.pending) == (7 - 3, 10)
    seal_all()
    sign(tmp_path)
    with transaction() as session:
        (kinds,) = session.execute(
            text("SELECT count(*) FROM ledger.entries WHERE kind = 'confirm'")
        ).one()
    with transaction() as session:
        dump_tables(session, tmp_path / "dump")
    assert kinds == 2
    live = verify_database(database, tmp_path)
    assert (live.status, live.report["findings"]) == (0, []), live.report
    public = tmp_path / checkpoints.PUBLIC_KEY
    assert verify("--dump", tmp_path / "dump", "--public-key", public).status == 0
    as_superuser(
        database,
        "UPDATE ledger.lots SET available_from = available_from - interval '1 day'"
        " WHERE (account_id, position) IN (SELECT t.account_id, max(t.position) FROM"
        " ledger.transfers t JOIN ledger.entries e ON e.account_id = t.account_id"
        " AND e.id = t.entry_id WHERE e.kind = 'confirm' GROUP BY 1)",
    )
    assert verify_database(database, tmp_path).status == 1


def test_points_wait_for_the_event_and_then_are_usable_as_their_rule_promised(
    database: Database,
) -> None:
    world = build_world(base={**waits_for("delivered"), "expiry": {"months": 12}})
    bought = recorded(world, purchase("p1", 1_000))
    before = balance(world)
    assert (before.available, before.pending, status(world)) == (0, 10, 10)
    with pytest.raises(Refused, match="insufficient"):
        spend(world, "s1", 1)
    (waits,) = waiting_in(world)
    assert (waits.event, waits.about, waits.points) == ("delivered", "purchase", 10)
    assert (waits.usable_at, waits.lapses_at) == (None, before.expiries[0][0])
    (done,) = confirm(world, event("e1", purchase="p1"))
    assert (done.points, done.replayed) == (10, False)
    after = balance(world)
    assert (after.available, after.pending, after.expiries) == (10, 0, before.expiries)
    assert waiting_in(world) == []
    spend(world, "s1", 10)
    with transaction() as session:
        member = world.member(session, "00001")
        lines = ledger.read_statement(session, member.points_wallet)
        waited = waiting.read_waited(session, member.points_wallet, 1)
    assert [(line.kind, line.amount) for line in reversed(lines)] == [
        ("earn", 10),
        ("confirm", -10),
        ("confirm", 10),
        ("redeem", -10),
    ]
    assert lines[1].cause == {"confirmation": done.confirmation_id, "purchase": bought.purchase_id}
    assert waited is not None
    assert (waited.event, waited.line, waited.occurred_at) == ("delivered", 3, OCCURRED)
    check_ledger(database)


def test_an_event_sent_again_or_twice_gives_once(database: Database) -> None:
    world = build_world(base=waits_for("delivered"))
    bought = recorded(world, purchase("p1", 1_000))
    first, twin = confirm(world, event("e1", purchase="p1"), event("e1", purchase="p1"))
    assert (first.points, twin.points) == (10, 10)
    (again,) = confirm(world, event("e1", purchase="p1"))
    assert (again.confirmation_id, again.points, again.replayed) == (
        first.confirmation_id,
        10,
        True,
    )
    other, stranger = (
        confirm(world, event("e2", purchase="p1"))[0],
        confirm(world, event("e1", purchase_id=bought.purchase_id), source="courier")[0],
    )
    assert (other.points, stranger.points, balance(world).available) == (0, 0, 10)
    (changed,) = confirm(world, event("e1", "returned", purchase="p1"))
    assert changed == points.Unconfirmed("e1", "reference-reused")
    check_ledger(database)


def test_only_the_event_that_points_wait_for_moves_them(database: Database) -> None:
    world = build_world(
        ("gift", {"gives": "fixed", "points": 7, "pending": waits_for("paid")["pending"]}),
        base=waits_for("delivered"),
    )
    recorded(world, purchase("p1", 1_000))
    recorded(world, purchase("p2", 500))
    outcomes = confirm(
        world, event("e1", "paid", purchase="p1"), event("e2", "praised", purchase="p1")
    )
    assert [one.points for one in outcomes] == [7, 0]
    assert (balance(world).available, balance(world).pending) == (7, 22)
    assert confirm(world, event("e3", purchase="p2"))[0].points == 5
    assert [(one.event, one.points) for one in waiting_in(world)] == [
        ("delivered", 10),
        ("paid", 7),
    ]


def test_what_cannot_be_confirmed_stops_no_neighbour(database: Database) -> None:
    world = build_world(base=waits_for("delivered"))
    recorded(world, purchase("p1", 1_000))
    soon = datetime.now(UTC) + timedelta(hours=1)
    outcomes = confirm(
        world,
        event("e1", purchase="nothing"),
        event("e2", purchase_id=2**60),
        event("e3", customer="nobody"),
        points.NewConfirmation("e4", "delivered", soon, purchase="p1"),
        event("e5", purchase="p1"),
        event("e5", "returned", purchase="p1"),
    )
    assert [getattr(one, "code", None) for one in outcomes] == [
        "unknown-purchase",
        "unknown-purchase",
        "unknown-customer",
        "future-dated",
        None,
        "reference-reused",
    ]
    assert balance(world).available == 10
    assert confirm(world, event("e6", purchase="p1"), source="other")[0].code == "unknown-purchase"


def test_an_event_about_a_customer_counts_for_purchases_before_and_after(
    database: Database,
) -> None:
    world = build_world(base=waits_for("membership_confirmed", "customer"))
    recorded(world, purchase("p1", 1_000))
    recorded(world, purchase("p2", 500))
    recorded(world, purchase("theirs", 300, customer="00002"))
    (done,) = confirm(world, event("e1", "membership_confirmed", customer="00001"))
    assert (done.points, balance(world).available, balance(world).pending) == (15, 15, 0)
    recorded(world, purchase("p3", 200))
    assert (balance(world).available, balance(world).pending) == (17, 0)
    assert balance(world, "00002").pending == 3
    check_ledger(database)


def test_what_is_said_of_a_purchase_is_not_said_of_its_customer(database: Database) -> None:
    world = build_world(base=waits_for("confirmed", "customer"))
    recorded(world, purchase("p1", 1_000))
    assert confirm(world, event("e1", "confirmed", purchase="p1"))[0].points == 0
    recorded(world, purchase("p2", 500))
    assert (balance(world).available, balance(world).pending) == (0, 15)


@pytest.mark.parametrize(("then", "available", "lapsed"), [("lapse", 0, 10), ("available", 10, 0)])
def test_after_the_end_waiting_points_lapse_or_become_usable_as_the_rule_says(
    database: Database, then: str, available: int, lapsed: int
) -> None:
    world = build_world(base=waits_for("delivered", days=10, then=then))
    recorded(world, purchase("late", 1_000, at=LONG_SINCE))
    assert (balance(world).available, balance(world).lapsed) == (available, lapsed)
    assert confirm(world, event("e1", purchase="late"))[0].points == 0
    recorded(world, purchase("soon", 500))
    (waits,) = waiting_in(world)
    ends = (waits.lapses_at, waits.usable_at) if lapsed else (waits.usable_at, waits.lapses_at)
    assert ends[0] is not None and ends[0] > datetime.now(UTC) and ends[1] is None
    assert confirm(world, event("e2", purchase="soon"))[0].points == 5
    assert balance(world).available == available + 5
    assert balance(world).expiries == ()
    check_ledger(database)


def test_what_lapsed_unconfirmed_is_swept_and_is_not_taken_back_again(database: Database) -> None:
    world = build_world(base=waits_for("delivered", days=10, then="lapse"))
    recorded(world, purchase("p1", 1_000, at=LONG_SINCE))
    with transaction() as session:
        assert points.expire_points(session, world.programme.points, run="r") == (
            world.member(session, "00001").points_wallet,
            1,
            10,
        )
    assert refund(world, "r1", "p1").points == 10
    assert (balance(world).posted, balance(world).debt) == (0, 0)
    check_ledger(database)


def test_a_refund_before_the_event_takes_waiting_points_back(database: Database) -> None:
    world = build_world(base=waits_for("delivered"))
    recorded(world, purchase("p1", 1_000))
    assert refund(world, "r1", "p1", 400).points == 4
    assert (balance(world).pending, status(world)) == (6, 6)
    assert confirm(world, event("e1", purchase="p1"))[0].points == 6
    assert balance(world).available == 6
    check_ledger(database)


def test_refunds_after_the_event_take_back_what_it_made_usable(database: Database) -> None:
    world = build_world(base=waits_for("delivered"))
    recorded(world, purchase("p1", 1_000))
    refund(world, "r1", "p1", 200)
    confirm(world, event("e1", purchase="p1"))
    assert refund(world, "r2", "p1", 300).points == 3
    assert balance(world).available == 5
    assert refund(world, "r3", "p1").points == 5
    assert (balance(world).posted, status(world)) == (0, 0)
    check_ledger(database)


def test_a_debt_is_paid_on_arrival_and_the_rest_waits(database: Database) -> None:
    world = build_world(base=waits_for("delivered"), debt_limit=100)
    recorded(world, purchase("p1", 1_000))
    confirm(world, event("e1", purchase="p1"))
    spend(world, "s1", 8)
    refund(world, "r1", "p1")
    assert balance(world).debt == 8
    recorded(world, purchase("p2", 2_000))
    assert (balance(world).debt, balance(world).pending) == (0, 12)
    assert confirm(world, event("e2", purchase="p2"))[0].points == 12
    assert refund(world, "r2", "p2").points == 20
    assert (balance(world).posted, balance(world).debt) == (-8, 8)
    check_ledger(database)


def test_caps_count_what_waits_and_do_not_open_again(database: Database) -> None:
    world = build_world(base={**waits_for("delivered"), "caps": {"day": 12}})
    recorded(world, purchase("p1", 1_000))
    recorded(world, purchase("p2", 1_000))
    assert balance(world).pending == 12
    confirm(world, event("e1", purchase="p1"), event("e2", purchase="p2"))
    recorded(world, purchase("p3", 1_000))
    assert (balance(world).available, balance(world).pending) == (12, 0)


def test_events_of_an_erased_customers_purchases_end_what_was_begun(database: Database) -> None:
    world = build_world(base=waits_for("delivered"))
    recorded(world, purchase("p1", 1_000))
    with transaction() as session:
        customers.erase(session, world.customers["00001"], vault.Reason.REQUEST)
    assert confirm(world, event("e1", purchase="p1"))[0].points == 10
    (refused,) = confirm(world, event("e2", customer="00001"))
    assert refused == points.Unconfirmed("e2", "unknown-customer")
    check_ledger(database)


def test_twenty_who_report_the_same_event_at_once_move_the_points_once(
    database: Database,
) -> None:
    world = build_world(base=waits_for("delivered"))
    recorded(world, purchase("p1", 1_000))
    references = [f"e{number % 4}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda r: confirm(world, event(r, purchase="p1"))[0], references))
    fresh = [one.points for one in outcomes if not one.replayed]
    assert sorted(fresh) == [0, 0, 0, 10]
    assert balance(world).available == 10
    check_ledger(database)


def test_no_purchase_waits_for_what_was_confirmed_beside_it(database: Database) -> None:
    world = build_world(base=waits_for("member", "customer"))
    recorded(world, purchase("p0", 100))
    numbers = count(1)

    def report(act: int) -> None:
        if act == 3:
            confirm(world, event("e1", "member", customer="00001"))
        else:
            recorded(world, purchase(f"q{next(numbers)}", 100))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(report, range(8)))
    assert (balance(world).available, balance(world).pending) == (8, 0)
    check_ledger(database)
