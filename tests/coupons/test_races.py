"""Whoever comes at the same moment: a coupon is used once, limits and budgets are kept."""

import random
from collections import Counter
from collections.abc import Callable

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import coupons, customers
from loyalty.coupons import Act, Issued, NotIssued, Order, Rejected
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.web import Refused
from tests.coupons.builders import (
    World,
    add_series,
    budget_left,
    issue_codes,
    owed,
    ticket,
)
from tests.coupons.racing import race
from tests.servers import Database

CALLERS, COUPONS, TRIES = 64, 60, 40
WORKERS, BUDGET = 100, 1_000


def test_a24_sixty_coupons_tried_by_sixty_four_callers_are_used_once_each(
    world: World, database: Database
) -> None:
    codes = issue_codes(world, add_series(world, budget=1_000_000), COUPONS)

    def attempt(caller: int, number: int) -> Callable[[Session], coupons.Act | Rejected]:
        code = random.Random(f"{caller}:{number}").choice(codes)
        one = ticket(world, [code], f"c{caller}-{number}")
        return lambda session: coupons.redeem(session, world.programme, world.desk, [one])[0]

    tries = [[attempt(caller, number) for number in range(TRIES)] for caller in range(CALLERS)]
    outcomes = [one for some in race(database, tries) for one in some]
    taken = Counter(x.taken[0].coupon_id for x in outcomes if isinstance(x, Act))
    assert len(outcomes) == CALLERS * TRIES
    assert len(taken) == COUPONS
    assert set(taken.values()) == {1}
    assert owed(world.shop) == COUPONS * 2_000
    with transaction() as session:
        uses = session.execute(
            text("SELECT count(*) FROM loyalty.coupon_events WHERE kind = 'redeemed'")
        ).scalar_one()
    assert uses == COUPONS


def test_a48_a_budget_of_a_thousand_gives_a_thousand_to_a_hundred_workers(
    world: World, database: Database
) -> None:
    value = {"kind": "amount", "amount": 1}
    series = add_series(world, value=value, budget=BUDGET)

    def claim(worker: int, number: int) -> Callable[[Session], coupons.Issued | NotIssued]:
        order = Order(f"w{worker}-{number}", world.members[worker % 2].customer_id)
        return lambda session: coupons.issue(session, world.programme, series, "race", [order])[0]

    works = [[claim(worker, number) for number in range(12)] for worker in range(WORKERS)]
    outcomes = [one for some in race(database, works) for one in some]
    refused = {one.code for one in outcomes if isinstance(one, NotIssued)}
    assert sum(isinstance(one, Issued) for one in outcomes) == BUDGET
    assert refused == {"budget-used-up"}
    assert budget_left(series) == 0


def test_a42_the_first_hundred_are_a_hundred(world: World, database: Database) -> None:
    series = add_series(world, limits={"total": 100}, budget=10_000_000)

    def claim(worker: int, number: int) -> Callable[[Session], coupons.Issued | NotIssued]:
        order = Order(f"w{worker}-{number}")
        return lambda session: coupons.issue(session, world.programme, series, "race", [order])[0]

    works = [[claim(worker, number) for number in range(5)] for worker in range(40)]
    outcomes = [one for some in race(database, works) for one in some]
    assert sum(isinstance(one, Issued) for one in outcomes) == 100
    assert {one.code for one in outcomes if isinstance(one, NotIssued)} == {"sold-out"}


ALIASES = ["13800138000", "+86 138 0013 8000", "0086-138-0013-8000", "１３８００１３８０００"]


def test_a36_a_coupon_that_lapses_while_it_is_used_ends_once(
    world: World, database: Database
) -> None:
    series = add_series(world)
    codes = issue_codes(world, series, 12)
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(
            "UPDATE loyalty.coupons SET seq = seq + 1,"
            " valid_until = clock_timestamp() + id * interval '40 milliseconds'"
        )

    def attempt(caller: int, number: int) -> Callable[[Session], object]:
        one = ticket(world, [codes[(caller + number) % len(codes)]], f"c{caller}-{number}")
        return lambda session: coupons.redeem(session, world.programme, world.desk, [one])

    works = [[attempt(caller, number) for number in range(12)] for caller in range(8)]
    works += [[coupons.expire_coupons] * 40 for _ in range(2)]
    race(database, works)
    with transaction() as session:
        session.execute(
            text("SELECT pg_sleep_until((SELECT max(valid_until) FROM loyalty.coupons))")
        )
        coupons.expire_coupons(session)
        ends = session.execute(
            text(
                "SELECT coupon_id, array_agg(kind) AS kinds FROM loyalty.coupon_events"
                " WHERE kind IN ('redeemed', 'expired') GROUP BY coupon_id"
            )
        ).all()
    assert len(ends) == len(codes)
    assert {len(row.kinds) for row in ends} == {1}
    used = sum(row.kinds == ["redeemed"] for row in ends)
    assert owed(world.shop) == 2_000 * used
    assert budget_left(series) == 1_000_000 - 2_000 * used


def test_a49_aliases_of_one_person_share_one_limit(world: World, database: Database) -> None:
    series = add_series(world, limits={"customer": 2})
    people = [
        NewCustomer(reference=f"A-{number}", phone=ALIASES[number % len(ALIASES)])
        for number in range(16)
    ]
    with transaction() as session:
        found = customers.register(session, people)

    def claim(number: int, customer: int) -> Callable[[Session], coupons.Issued | NotIssued]:
        order = Order(f"a{number}", customer)
        return lambda session: coupons.issue(session, world.programme, series, "race", [order])[0]

    works = [[claim(n, one.customer_id or 0)] for n, one in enumerate(found)]
    outcomes = [one for some in race(database, works) for one in some]
    assert sum(isinstance(one, Issued) for one in outcomes) == 2
    assert {one.code for one in outcomes if isinstance(one, NotIssued)} == {"limit-reached"}


def test_a32_a_redemption_reversed_by_many_at_once_is_reversed_once(
    world: World, database: Database
) -> None:
    codes = issue_codes(world, add_series(world), 8)
    with transaction() as session:
        acts = coupons.redeem(
            session,
            world.programme,
            world.desk,
            [ticket(world, [code], f"t{n}") for n, code in enumerate(codes)],
        )

    def undo(worker: int, act: Act) -> Callable[[Session], str]:
        def work(session: Session) -> str:
            reference = f"r{worker}-{act.id}"
            try:
                coupons.reverse(session, world.programme, world.desk, act.id, reference, "x")
            except Refused as refused:
                session.rollback()
                return refused.code
            return "done"

        return work

    done = [act for act in acts if isinstance(act, Act)]
    works = [[undo(worker, act) for act in done] for worker in range(16)]
    outcomes = Counter(one for some in race(database, works) for one in some)
    assert outcomes == {"done": len(done), "already-reversed": 15 * len(done)}
    assert owed(world.shop) == 0


def test_a27_the_same_ticket_from_many_is_one_redemption(world: World, database: Database) -> None:
    (code,) = issue_codes(world, add_series(world))
    one = ticket(world, [code])

    def send(session: Session) -> coupons.Act | Rejected:
        return coupons.redeem(session, world.programme, world.desk, [one])[0]

    outcomes = [some[0] for some in race(database, [[send]] * 20)]
    assert all(isinstance(one, Act) for one in outcomes)
    assert len({one.id for one in outcomes if isinstance(one, Act)}) == 1
    assert owed(world.shop) == 2_000
