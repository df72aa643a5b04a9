"""The check of the invariants itself: a sound ledger passes, and each breach is named."""

import psycopg
import pytest

import ledger
from loyalty.database import transaction
from tests.ledger.builders import PAST, SOON, act, build_world, earn, posted, redeem
from tests.ledger.invariants import INVARIANTS, Broken, Connection, check_ledger, find_broken
from tests.servers import Database

W = "(SELECT min(account_id) FROM ledger.wallets)"

BREACHES = {
    "what a wallet has posted is the sum of its log": f"""
        UPDATE ledger.wallets SET posted = posted + 1 WHERE account_id = {W}""",
    "what a wallet's lots have left, less its debt, is what it has posted": f"""
        UPDATE ledger.wallets SET debt = 1, floor = -9 WHERE account_id = {W}""",
    "no wallet is below its floor, nor owes more than it allows": f"""
        UPDATE ledger.wallets SET debt = 1 WHERE account_id = {W}""",
    "what a wallet holds is the sum of what its lots hold": f"""
        UPDATE ledger.wallets SET held = held + 1 WHERE account_id = {W}""",
    "what a lot holds is the sum of what holds reserve of it": """
        UPDATE ledger.lots SET held = held - 1 WHERE held > 0""",
    "a hold's lots add up to it, at first and now": """
        UPDATE ledger.holds SET amount = amount + 1""",
    "what is left of a hold is what was neither captured, released nor lapsed": """
        UPDATE ledger.hold_moves SET amount = amount + 1""",
    "captures of an entry are transfers of it": """
        UPDATE ledger.hold_moves SET amount = 99 WHERE kind = 'capture'""",
    "what is left of a lot is its amount less its uses": """
        UPDATE ledger.lots SET remaining = remaining - 1 WHERE remaining > held""",
    "a lot is opened by a credit of its wallet, of no more than that credit": """
        UPDATE ledger.lots SET amount = amount + 1""",
    "a credit that is no reversal opens a lot of all its amount": """
        UPDATE ledger.lots SET amount = amount - 1""",
    "a debit that is no reversal uses lots for all its amount": """
        DELETE FROM ledger.lot_uses WHERE amount > 0""",
    "points not yet usable or lapsed are never spent": """
        UPDATE ledger.lots SET expires_at = '2021-01-01'""",
    "only what has lapsed is moved out as expired": """
        UPDATE ledger.lots SET expires_at = '2999-01-01'""",
    "reversals never exceed their original, come after it and are not reversed": """
        UPDATE ledger.transfers SET amount = amount * 50 WHERE reverses IS NOT NULL""",
    "a reversal has an original": """
        UPDATE ledger.transfers SET reverses = 77 WHERE reverses IS NOT NULL""",
    "no more is given back to a lot than its original took from it": """
        UPDATE ledger.lot_uses SET amount = -99 WHERE amount < 0""",
    "a log has no gap, and each line says the balance after it": """
        UPDATE ledger.transfers SET position = position + 1000""",
    "a wallet's position is that of its last line": """
        UPDATE ledger.wallets SET position = 99""",
    "an entry's lines are those that it counts": """
        UPDATE ledger.entries SET transfers = 2""",
    "an entry stands in its home log, alike in every log": """
        UPDATE ledger.entries SET kind = 'other' WHERE account_id = home_id""",
    "a key stands once": """
        UPDATE ledger.entries SET reference = 'one'""",
    "a transfer moves between accounts of one unit, its own wallet or none": """
        UPDATE ledger.transfers SET to_account_id = 12345 WHERE to_account_id <> account_id""",
    "later lines were recorded no earlier": """
        UPDATE ledger.entries SET recorded_at = '2000-01-01' WHERE position > 1""",
    "a wallet's totals by expiry are the sums of its lots": """
        UPDATE ledger.lot_totals SET remaining = remaining + 1""",
    "a wallet counts the unit of its account": """
        UPDATE ledger.wallets SET unit_id = 9""",
}


@pytest.fixture
def used_ledger(database: Database) -> Database:
    """A ledger in which every kind of act happened."""
    world = build_world()
    with transaction() as session:
        other = ledger.open_wallets(session, world.house.unit_id, ["cus:2"])["cus:2"]
    posted(earn(world, 50, "e1", expires_at=SOON))
    posted(earn(world, 50, "e2"))
    posted(earn(world, 5, "e3", expires_at=PAST))
    position = posted(redeem(world, 60, "r")).lines[0].position
    posted(act(world, "v", "reverse", ledger.Reverse(world.wallet, position, 20)))
    posted(act(world, "x", "expire", ledger.Expire(world.wallet, world.house.expired)))
    hold = posted(act(world, "h", "hold", ledger.Hold(world.wallet, 30, SOON))).entry_id
    capture = ledger.Capture(world.wallet, hold, world.house.redeemed, 10)
    posted(act(world, "c", "capture", capture))
    posted(act(world, "l", "release", ledger.Release(world.wallet, hold, 5)))
    gift = (
        ledger.Move(world.wallet, world.house.clearing, 4),
        ledger.Move(world.house.clearing, other, 4),
    )
    posted(act(world, "g", "gift", *gift))
    check_ledger(database)
    return database


def test_each_breach_is_found_and_named(used_ledger: Database) -> None:
    with psycopg.connect(used_ledger.superuser_url) as connection:
        unguard(connection)
        for name, breach in BREACHES.items():
            with connection.transaction(force_rollback=True):
                assert connection.execute(breach.encode()).rowcount > 0, name
                assert name in find_broken(connection)
        assert find_broken(connection) == {}
        connection.rollback()


def test_every_invariant_has_a_breach_that_shows_it_can_fail() -> None:
    assert BREACHES.keys() == INVARIANTS.keys()


def test_a_broken_ledger_is_not_passed_over(used_ledger: Database) -> None:
    with psycopg.connect(used_ledger.superuser_url) as connection:
        connection.execute("UPDATE ledger.lot_totals SET remaining = remaining + 1")
    with pytest.raises(Broken, match="a wallet's totals by expiry are the sums of its lots"):
        check_ledger(used_ledger)


def unguard(connection: Connection) -> None:
    """Take all guards off in this transaction, so that breaches can be made at all."""
    rows = connection.execute(
        "SELECT conrelid::regclass::text, conname, contype FROM pg_constraint"
        " JOIN pg_class c ON c.oid = conrelid WHERE connamespace = 'ledger'::regnamespace"
        " AND contype NOT IN ('n', 'p') AND c.relkind = 'r' ORDER BY contype <> 'f'"
    ).fetchall()
    for table, name, _ in rows:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE".encode())
    for table in {table for table, _, _ in rows}:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
