"""The database itself lets a coupon take legal steps only, one at a time."""

import itertools

import psycopg
import pytest
from psycopg import errors

from loyalty.coupons.rules import MOVES, STATES
from tests.coupons.builders import World, add_series, issue_codes
from tests.servers import Database


@pytest.fixture
def owner(world: World, database: Database) -> psycopg.Connection[tuple[int, ...]]:
    """A connection of the owner's, whom grants do not bind, without the checks of holds."""
    issue_codes(world, add_series(world))
    connection = psycopg.connect(database.owner_url)
    for name in ("held_by", "held_until"):
        connection.execute(
            f"ALTER TABLE loyalty.coupons DROP CONSTRAINT ck_coupons_{name}".encode()
        )
    return connection


def test_a33_every_pair_of_states_is_a_move_or_refused(
    owner: psycopg.Connection[tuple[int, ...]],
) -> None:
    with owner:
        for before, after in itertools.product(STATES, STATES):
            with owner.transaction(force_rollback=True):
                owner.execute("ALTER TABLE loyalty.coupons DISABLE TRIGGER coupons_guard")
                owner.execute("UPDATE loyalty.coupons SET state = %s", [before])
                owner.execute("ALTER TABLE loyalty.coupons ENABLE ALWAYS TRIGGER coupons_guard")
                step = "UPDATE loyalty.coupons SET state = %s, seq = seq + 1"
                if (before, after) in MOVES:
                    owner.execute(step, [after])
                else:
                    with pytest.raises(errors.CheckViolation), owner.transaction():
                        owner.execute(step, [after])
        owner.rollback()
    owner.close()


def test_a_step_is_one_step(owner: psycopg.Connection[tuple[int, ...]]) -> None:
    with owner:
        for number in (0, 2, -1):
            step = "UPDATE loyalty.coupons SET state = 'redeemed', seq = seq + %s"
            with pytest.raises(errors.SerializationFailure), owner.transaction():
                owner.execute(step, [number])
        owner.rollback()
    owner.close()


def test_a40_the_application_cannot_change_what_a_coupon_promises(
    world: World, database: Database
) -> None:
    issue_codes(world, add_series(world))
    with psycopg.connect(database.url) as connection:
        connection.execute("SET ROLE quanyi_app")
        for change in (
            "valid_until = now() + interval '1 year'",
            "worth = 1000000",
            "version = 2",
            "customer_id = NULL",
            "digest = '\\x00'",
        ):
            with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f"UPDATE loyalty.coupons SET {change}, seq = seq + 1".encode())
        connection.rollback()
