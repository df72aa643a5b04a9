"""Expiring: what lapsed leaves each wallet once; what is held or alive stays; the idle lose all."""

from datetime import UTC, datetime, timedelta

import psycopg

import ledger
from loyalty import customers, points, programmes, vault
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.points import redemption
from loyalty.web import Refused
from tests.ledger.invariants import check_ledger
from tests.points.builders import (
    BASE,
    World,
    agree,
    balance,
    build_world,
    purchase,
    recorded,
    spend,
)
from tests.servers import Database

OLD = datetime.now(UTC) - timedelta(days=100)
SHORT = {**BASE, "expiry": {"months": 1}}


def sweep(world: World, run: str) -> tuple[int, int]:
    with transaction() as session:
        _, swept, lapsed = points.expire_points(session, world.programme.points, run=run)
        return swept, lapsed


def test_the_sweep_takes_what_lapsed_and_nothing_else_and_once(database: Database) -> None:
    world = build_world(base=SHORT)
    recorded(world, purchase("old", 1_000, at=OLD))
    recorded(world, purchase("new", 700))
    assert sweep(world, "one") == (1, 10)
    assert sweep(world, "two") == (0, 0)
    assert balance(world).posted == 7


def test_two_sweeps_at_once_count_a_wallet_once(database: Database) -> None:
    world = build_world(base=SHORT)
    recorded(world, purchase("old", 1_000, at=OLD))
    assert sweep(world, "same") == (1, 10)
    recorded(world, purchase("older", 500, at=OLD))
    assert sweep(world, "same") == (0, 0)  # the run has swept this wallet
    assert sweep(world, "next") == (1, 5)


def test_holds_that_lapsed_are_freed(database: Database) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1_000))
    with transaction() as session:
        member = world.member(session, "00001")
        soon = datetime.now(UTC) + timedelta(milliseconds=300)
        redemption.hold(session, member, "bank", "h1", 10, soon)
    with psycopg.connect(database.url) as connection:
        connection.execute("SELECT pg_sleep(0.4)")
    with transaction() as session:
        assert points.release_lapsed_holds(session, world.programme.points_unit_id) == 1
        assert points.release_lapsed_holds(session, world.programme.points_unit_id) == 0
    assert balance(world).held == 0


def test_members_who_stay_away_lose_their_points_and_others_do_not(database: Database) -> None:
    with transaction() as session:
        programme = programmes.open_programme(
            session, "idle", name_zh="计划", name_en="Idle", inactivity_months=12
        )
        agree(session, programme, "base", BASE)
        both = [NewCustomer(reference="00001"), NewCustomer(reference="00002")]
        found = customers.register(session, both)
        world = World(programme, {one.reference: one.customer_id or 0 for one in found})
    recorded(world, purchase("p1", 1_000))
    recorded(world, purchase("p2", 1_000, customer="00002"))
    make_old(database, world, "00001")
    with transaction() as session:
        assert points.expire_inactive(session, programme)[1] == 10
        assert points.expire_inactive(session, programme)[1] == 0
    assert balance(world, "00001").posted == 0
    assert balance(world, "00002").posted == 10


def make_old(database: Database, world: World, reference: str) -> None:
    """Make all of a member's entries two years older, as only a superuser can."""
    with transaction() as session:
        wallet = world.member(session, reference).points_wallet
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("ALTER TABLE ledger.entries DISABLE TRIGGER USER")
        connection.execute(
            "UPDATE ledger.entries SET recorded_at = recorded_at - interval '2 years'"
            " WHERE account_id = %s",
            (wallet,),
        )
        connection.execute("ALTER TABLE ledger.entries ENABLE TRIGGER USER")


def test_an_erased_customer_leaves_the_ledger_as_it_was(database: Database) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1_000))
    spend(world, "s1", 4)
    before = balance(world)
    with transaction() as session:
        customers.erase(session, world.customers["00001"], vault.Reason.REQUEST)
        statement = ledger.read_statement(session, world.member(session, "00001").points_wallet)
    assert balance(world).posted == before.posted == 6
    assert [line.amount for line in statement] == [-4, 10]
    check_ledger(database)
    (outcome,) = record_again(world)
    assert isinstance(outcome, points.Refused)
    assert outcome.code == "unknown-customer"


def record_again(world: World) -> list[points.Outcome]:
    with transaction() as session:
        return points.record_purchases(session, world.programme, "bank", [purchase("p2", 500)])


def test_an_erased_customer_cannot_spend(database: Database) -> None:
    world = build_world()
    recorded(world, purchase("p1", 1_000))
    number = world.customers["00001"]
    with transaction() as session:
        customers.erase(session, number, vault.Reason.REQUEST)
        try:
            programmes.find_active_member(session, world.programme, number)
        except Refused as refusal:
            assert refusal.code == "customer-erased"
        else:
            raise AssertionError("an erased customer is no active member")
