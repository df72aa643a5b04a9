"""Reading: balances split by what may be spent, statements with causes, moments of the past."""

from datetime import UTC, datetime, timedelta

import pytest

import ledger
from loyalty.database import transaction
from tests.ledger.builders import LATER, PAST, SOON, act, build_world, earn, posted, redeem
from tests.servers import Database


def test_a_balance_says_what_may_be_spent_now_and_what_lapses_when(database: Database) -> None:
    world = build_world()
    posted(earn(world, 100, "a", expires_at=SOON))
    posted(earn(world, 50, "b", expires_at=LATER, available_from=SOON))
    posted(earn(world, 7, "c", expires_at=PAST))
    posted(act(world, "h", "hold", ledger.Hold(world.wallet, 30, SOON)))
    with transaction() as session:
        balance = ledger.read_balance(session, world.wallet)
    assert (balance.posted, balance.available, balance.pending) == (157, 70, 50)
    assert (balance.held, balance.lapsed, balance.debt) == (30, 7, 0)
    assert balance.expiries == ((SOON, 100), (LATER, 50))
    assert balance.arrivals == ((SOON, 50),)


def test_an_unknown_account_is_not_a_balance_of_zero(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        assert ledger.read_balance(session, world.wallet).posted == 0
        with pytest.raises(ledger.UnknownAccount):
            ledger.read_balance(session, 4711)


def test_a_statement_says_for_each_line_its_lots_and_its_cause(database: Database) -> None:
    world = build_world()
    posted(earn(world, 10, "a", expires_at=SOON))
    posted(earn(world, 10, "b", expires_at=LATER))
    posted(redeem(world, 15, "r"))
    with transaction() as session:
        lines = ledger.read_statement(session, world.wallet, limit=2)
        (older,) = ledger.read_statement(session, world.wallet, before=lines[-1].position)
    assert [(line.amount, line.balance_after) for line in lines] == [(-15, 5), (10, 20)]
    assert lines[0].lots == ((1, 10), (2, 5))
    assert (older.counterpart, older.expires_at, older.remaining) == ("issued", SOON, 0)


def test_a_balance_can_be_read_as_of_either_time_axis(database: Database) -> None:
    world = build_world()
    march = datetime(2026, 3, 1, tzinfo=UTC)
    back_dated = ledger.Entry(
        world.wallet,
        "test",
        "old",
        "earn",
        (ledger.Move(world.house.issued, world.wallet, 5),),
        effective_at=march,
    )
    first = posted(earn(world, 10, "a"))
    posted(back_dated)
    with transaction() as session:
        read = ledger.read_balance_as_of
        assert read(session, world.wallet) == 15
        assert read(session, world.wallet, recorded_at=first.recorded_at) == 10
        assert read(session, world.wallet, effective_at=march) == 5
        before = first.recorded_at - timedelta(seconds=1)
        assert read(session, world.wallet, recorded_at=before) == 0


def test_liability_opens_moves_and_closes(database: Database) -> None:
    world = build_world()
    start = posted(earn(world, 100, "a", expires_at=SOON)).recorded_at
    since = posted(earn(world, 50, "b", expires_at=PAST)).recorded_at
    position = posted(redeem(world, 30, "r")).lines[0].position
    posted(act(world, "v", "reverse", ledger.Reverse(world.wallet, position, 10)))
    posted(act(world, "x", "expire", ledger.Expire(world.wallet, world.house.expired)))
    until = posted(earn(world, 1, "late")).recorded_at
    with transaction() as session:
        moved = ledger.read_movement(session, world.house.unit_id, since, until)
        outstanding = ledger.read_outstanding(session, world.house.unit_id, "Asia/Shanghai")
    assert start < since
    assert moved == ledger.Movement(
        opening=100, earned=50, redeemed=20, expired=50, adjusted=0, other=0, closing=80
    )
    assert sum(outstanding.values()) == 81
    assert outstanding[None] == 1
