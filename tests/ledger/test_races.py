"""Races: however many connections ask at once, nothing is spent, held or reversed twice."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.database import transaction
from tests.ledger.builders import LATER, SOON, World, act, build_world, earn, posted, redeem
from tests.ledger.invariants import check_ledger
from tests.ledger.racing import race, race_entries, refusals, succeeded
from tests.servers import Database


def balance(world: World) -> ledger.Balance:
    with transaction() as session:
        return ledger.read_balance(session, world.wallet)


def test_fifty_spenders_at_once_sell_exactly_what_there_is(database: Database) -> None:
    world = build_world()
    for lot in range(10):
        posted(earn(world, 100, f"e{lot}", expires_at=SOON if lot % 2 else LATER))
    outcomes = race_entries(database, [redeem(world, 30, f"r{n}") for n in range(50)])
    assert len(succeeded(outcomes)) == 33
    assert refusals(outcomes) == ["insufficient"] * 17
    assert balance(world).posted == 10
    check_ledger(database)


def test_of_different_amounts_none_is_refused_that_what_is_left_would_cover(
    database: Database,
) -> None:
    world = build_world()
    posted(earn(world, 1000, "e"))
    entries = [redeem(world, 7 * n, f"r{n}") for n in range(1, 51)]
    outcomes = race_entries(database, entries)
    left = balance(world).available
    spent = sum(line.amount for each in succeeded(outcomes) for line in each.lines)
    assert spent + left == 1000
    refused = [n * 7 for n, each in enumerate(outcomes, 1) if isinstance(each, ledger.Refusal)]
    assert refused
    assert min(refused) > left
    check_ledger(database)


def test_the_same_key_twenty_times_at_once_has_one_effect_and_one_answer(
    database: Database,
) -> None:
    world = build_world()
    posted(earn(world, 100, "e"))
    outcomes = succeeded(race_entries(database, [redeem(world, 60, "r")] * 20))
    assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * 19
    assert len({(o.entry_id, o.lines, o.recorded_at) for o in outcomes}) == 1
    assert balance(world).posted == 40
    check_ledger(database)


def test_of_two_contents_under_one_key_whichever_comes_first_is_the_only_one(
    database: Database,
) -> None:
    world = build_world()
    outcomes = race_entries(database, [earn(world, 1 + n % 2, "e") for n in range(20)])
    assert len({outcome.entry_id for outcome in succeeded(outcomes)}) == 1
    assert refusals(outcomes) == ["reference-reused"] * 10
    assert balance(world).posted in (1, 2)
    check_ledger(database)


def test_captures_and_releases_at_once_take_a_hold_apart_once(database: Database) -> None:
    world = build_world()
    posted(earn(world, 100, "e1", expires_at=SOON))
    posted(earn(world, 100, "e2"))
    hold = posted(act(world, "h", "hold", ledger.Hold(world.wallet, 150, SOON))).entry_id
    capture = ledger.Capture(world.wallet, hold, world.house.redeemed, 10)
    release = ledger.Release(world.wallet, hold, 10)
    entries = [act(world, f"{n}", "part", (capture, release)[n % 2]) for n in range(30)]
    entries += [redeem(world, 10, f"r{n}") for n in range(15)]
    outcomes = race_entries(database, entries)
    parts, spent = outcomes[:30], outcomes[30:]
    assert len(succeeded(parts)) == 15
    assert refusals(parts) == ["hold-closed"] * 15
    captured = sum(bool(each.lines) for each in succeeded(parts))
    assert balance(world).held == 0
    assert balance(world).posted == 200 - 10 * captured - 10 * len(succeeded(spent))
    check_ledger(database)


def test_holds_at_once_never_reserve_more_than_there_is(database: Database) -> None:
    world = build_world()
    posted(earn(world, 100, "e"))
    hold = ledger.Hold(world.wallet, 30, SOON)
    outcomes = race_entries(database, [act(world, f"h{n}", "hold", hold) for n in range(20)])
    assert len(succeeded(outcomes)) == 3
    assert (balance(world).held, balance(world).available) == (90, 10)
    check_ledger(database)


def test_a_lot_that_lapses_while_it_is_spent_is_used_once(database: Database) -> None:
    world = build_world()
    until = now() + timedelta(milliseconds=700)
    posted(earn(world, 1000, "e", expires_at=until))
    sweep = ledger.Expire(world.wallet, world.house.expired)
    entries = [redeem(world, 10, f"r{n}") for n in range(20)]
    entries += [act(world, f"x{n}", "expire", sweep) for n in range(5)]

    def posting(entry: ledger.Entry, moment: datetime) -> Callable[[Session], ledger.Outcome]:
        def work(session: Session) -> ledger.Outcome:
            session.execute(text("SELECT pg_sleep_until(:moment)"), {"moment": moment})
            return ledger.post(session, [entry])[0]

        return work

    around = [until + timedelta(milliseconds=4 * (n % 21) - 40) for n in range(len(entries))]
    outcomes = race(database, [posting(e, at) for e, at in zip(entries, around, strict=True)])
    spent = sum(line.amount for each in succeeded(outcomes[:20]) for line in each.lines)
    expired = sum(line.amount for each in succeeded(outcomes[20:]) for line in each.lines)
    assert spent + expired == 1000
    assert len(succeeded(outcomes[20:])) == 1
    assert balance(world).posted == 0
    check_ledger(database)


def test_partial_reversals_at_once_never_exceed_the_original(database: Database) -> None:
    world = build_world()
    posted(earn(world, 100, "e"))
    redeemed = posted(redeem(world, 100, "r")).lines[0].position
    part = ledger.Reverse(world.wallet, redeemed, 9)
    outcomes = race_entries(database, [act(world, f"v{n}", "reverse", part) for n in range(20)])
    assert len(succeeded(outcomes)) == 11
    assert refusals(outcomes) == ["over-reversal"] * 9
    assert balance(world).posted == 99
    check_ledger(database)


def test_a_transfer_reversed_whole_by_twenty_at_once_is_reversed_once(database: Database) -> None:
    world = build_world()
    earned = posted(earn(world, 100, "e")).lines[0].position
    whole = ledger.Reverse(world.wallet, earned)
    outcomes = race_entries(database, [act(world, f"v{n}", "reverse", whole) for n in range(20)])
    assert len(succeeded(outcomes)) == 1
    assert balance(world).posted == 0
    check_ledger(database)


def test_entries_over_two_wallets_in_opposite_orders_do_not_deadlock(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        other = ledger.open_wallets(session, world.house.unit_id, ["cus:2"])["cus:2"]
    posted(earn(world, 500, "e1"))
    posted(earn(world, 500, "e2", wallet=other))

    def give(giver: int, taker: int, reference: str) -> ledger.Entry:
        out = ledger.Move(giver, world.house.clearing, 1)
        return ledger.Entry(
            giver, "test", reference, "gift", (out, ledger.Move(world.house.clearing, taker, 1))
        )

    def giving(number: int) -> Callable[[Session], int]:
        pair = (world.wallet, other) if number % 2 else (other, world.wallet)

        def work(session: Session) -> int:
            done = 0
            for turn in range(10):
                entry = give(*pair, f"{number}-{turn}")
                done += len(succeeded(ledger.post(session, [entry])))
                session.commit()
            return done

        return work

    assert race(database, [giving(number) for number in range(20)]) == [10] * 20
    assert balance(world).posted == 500
    check_ledger(database)


def test_sixteen_threads_of_batches_over_random_wallets_lose_and_invent_nothing(
    database: Database,
) -> None:
    world = build_world()
    with transaction() as session:
        holders = [f"cus:{n}" for n in range(10, 22)]
        opened = ledger.open_wallets(session, world.house.unit_id, holders, floor=-50)
    accounts = list(opened.values())

    def working(number: int) -> Callable[[Session], int]:
        dice = random.Random(number)

        def work(session: Session) -> int:
            change = 0
            for turn in range(6):
                entries = [
                    some_entry(dice, world, accounts, f"{number}-{turn}-{n}") for n in range(10)
                ]
                for outcome in succeeded(ledger.post(session, entries)):
                    for line in outcome.lines:
                        change += line.amount * (line.to_account == line.account)
                        change -= line.amount * (line.from_account == line.account)
                session.commit()
            return change

        return work

    changed = sum(race(database, [working(number) for number in range(16)]))
    with transaction() as session:
        balances = ledger.read_balances(session, accounts)
    assert sum(each.posted for each in balances.values()) == changed
    check_ledger(database)


def some_entry(
    dice: random.Random, world: World, accounts: list[int], reference: str
) -> ledger.Entry:
    one, other = dice.sample(accounts, 2)
    amount = dice.randint(1, 30)
    acts: list[tuple[ledger.Act, ...]] = [
        (ledger.Move(world.house.issued, one, amount, ledger.Terms(expires_at=SOON)),),
        (ledger.Move(world.house.issued, one, amount),),
        (ledger.Move(one, world.house.redeemed, amount),),
        (ledger.Hold(one, amount, SOON),),
        (ledger.Reverse(one, dice.randint(1, 9), dice.choice([None, 3])),),
        (
            ledger.Move(one, world.house.clearing, amount),
            ledger.Move(world.house.clearing, other, amount),
        ),
    ]
    return ledger.Entry(one, "test", reference, "some", dice.choice(acts))


def now() -> datetime:
    with transaction() as session:
        instant: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return instant
