"""Guards: what the database itself refuses, whoever asks, even with the code out of the way."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import ledger
from loyalty.database import APP_ROLE, SEALER_ROLE, transaction
from tests.ledger.builders import SOON, World, act, build_world, earn, posted, redeem
from tests.ledger.invariants import check_ledger
from tests.servers import Database

APPEND_ONLY = ["accounts", "terms", "entries", "transfers", "lot_uses", "hold_moves"]
SEALED = ["seals", "seal_nodes", "checkpoints"]
PROJECTIONS = ["wallets", "lots", "holds", "hold_lots", "lot_totals", "totals", "units"]

# Columns of the projections that say what was; the others are running figures.
KEPT = {
    "wallets": ["account_id", "unit_id", "floor"],
    "lots": ["account_id", "position", "amount", "available_from", "expires_at", "terms"],
    "holds": ["account_id", "id", "amount", "lapses_at"],
    "hold_lots": ["account_id", "hold_id", "lot", "amount"],
}


@pytest.fixture
def world(database: Database) -> World:
    """A ledger with a row in each table that posting writes."""
    world = build_world()
    with transaction() as session:
        digest = ledger.keep_terms(session, {"name": "test"})
    terms = ledger.Terms(expires_at=SOON, digest=digest)
    posted(act(world, "e", "earn", ledger.Move(world.house.issued, world.wallet, 100, terms)))
    posted(redeem(world, 10, "r"))
    hold = posted(act(world, "h", "hold", ledger.Hold(world.wallet, 30, SOON))).entry_id
    posted(act(world, "l", "release", ledger.Release(world.wallet, hold, 10)))
    return world


def refused_as(role: str, statement: str) -> str:
    """Run `statement` as `role` and return the SQLSTATE with which it is refused."""
    with pytest.raises(DBAPIError) as caught, transaction(role) as session:
        session.execute(text(statement))
    assert isinstance(caught.value.orig, psycopg.Error)
    return caught.value.orig.sqlstate or ""


def refused_to_owner(database: Database, statement: str) -> psycopg.Error:
    """Run `statement` as the owner of the tables and return how it is refused."""
    with (
        psycopg.connect(database.owner_url) as connection,
        pytest.raises(psycopg.Error) as caught,
    ):
        connection.execute(statement.encode())
    return caught.value


def rewriting(table: str) -> list[str]:
    column = {"accounts": "role", "terms": "body", "checkpoints": "origin"}.get(table)
    column = column or {"seals": "leaf", "seal_nodes": "hash", "units": "code"}.get(table)
    column = column or ("position" if table in ("entries", "transfers", "lot_uses") else "amount")
    if table == "totals":
        column = "debits"
    if table in ("wallets", "lots"):
        column = "account_id"
    if table == "lot_totals":
        column = "expires_at"
    return [
        f"UPDATE ledger.{table} SET {column} = {column}",
        f"DELETE FROM ledger.{table}",
        f"TRUNCATE ledger.{table} CASCADE",
    ]


PRIVILEGE = errors.InsufficientPrivilege.sqlstate


@pytest.mark.parametrize("role", [APP_ROLE, SEALER_ROLE])
def test_the_app_cannot_rewrite_what_is_append_only(world: World, role: str) -> None:
    for table in [*APPEND_ONLY, *SEALED]:
        for statement in rewriting(table):
            assert refused_as(role, statement) == PRIVILEGE, statement


def test_the_app_cannot_empty_or_rewrite_the_keys_of_projections(world: World) -> None:
    for table in PROJECTIONS:
        update, delete, truncate = rewriting(table)
        assert refused_as(APP_ROLE, update) == PRIVILEGE, update
        assert refused_as(APP_ROLE, truncate) == PRIVILEGE, truncate
        if table != "lot_totals":  # its rows are sums, and those of the past may go
            assert refused_as(APP_ROLE, delete) == PRIVILEGE, delete


def test_the_app_cannot_take_the_guards_off(world: World) -> None:
    for table in [*APPEND_ONLY, *SEALED, *PROJECTIONS]:
        for statement in (
            f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL",
            f"ALTER TABLE ledger.{table} ADD COLUMN more int",
            f"ALTER TABLE ledger.{table} OWNER TO {APP_ROLE}",
            f"CREATE TRIGGER more BEFORE INSERT ON ledger.{table}"
            " FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()",
            f"CREATE RULE more AS ON INSERT TO ledger.{table} DO INSTEAD NOTHING",
            f"DROP TABLE ledger.{table} CASCADE",
        ):
            assert refused_as(APP_ROLE, statement) == PRIVILEGE, statement


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "CREATE TABLE ledger.more (id int)",
        "CREATE TABLE public.more (id int)",
        "CREATE SCHEMA more",
        "CREATE FUNCTION ledger.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION ledger.refuse_change() CASCADE",
        "DROP SCHEMA ledger CASCADE",
        "SELECT setval('ledger.entry_ids', 1)",
        "CREATE ROLE more",
        "ALTER ROLE quanyi_app SUPERUSER",
        "COPY ledger.entries TO PROGRAM 'cat'",
    ],
)
def test_the_app_cannot_change_the_shape_or_the_rules_of_the_database(
    database: Database, statement: str
) -> None:
    assert refused_as(APP_ROLE, statement) == PRIVILEGE


def test_resetting_the_role_does_not_make_the_app_more_than_it_is(world: World) -> None:
    with pytest.raises(DBAPIError) as caught, transaction() as session:
        session.execute(text("RESET ROLE"))
        session.execute(text("DELETE FROM ledger.transfers"))
    assert isinstance(caught.value.orig, errors.InsufficientPrivilege)


def test_the_app_cannot_write_seals(world: World) -> None:
    row = {
        "seals": "('l', 1, 1, 1, '\\x00')",
        "seal_nodes": "('l', 1, 1, '\\x00')",
        "checkpoints": "('l', 1, '\\x00', 'o', 'a', now(), 'k', '\\x00')",
    }
    for table, values in row.items():
        assert refused_as(APP_ROLE, f"INSERT INTO ledger.{table} VALUES {values}") == PRIVILEGE
    totals = f"INSERT INTO ledger.totals VALUES ({world.wallet}, 0, 0)"
    assert refused_as(APP_ROLE, totals) == PRIVILEGE


def test_the_sealer_cannot_write_entries(world: World) -> None:
    for table in [*APPEND_ONLY, "wallets", "lots", "holds", "hold_lots", "lot_totals"]:
        system = " OVERRIDING SYSTEM VALUE" if table == "accounts" else ""
        statement = f"INSERT INTO ledger.{table}{system} SELECT * FROM ledger.{table}"
        assert refused_as(SEALER_ROLE, statement) == PRIVILEGE, statement


def test_not_even_the_owner_rewrites_what_is_append_only(database: Database, world: World) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("INSERT INTO ledger.seals VALUES ('l', 1, 1, 1, '\\x00')")
        connection.execute("INSERT INTO ledger.seal_nodes VALUES ('l', 1, 1, '\\x00')")
        connection.execute(
            "INSERT INTO ledger.checkpoints VALUES ('l', 1, '\\x00', 'o', 'a', now(), 'k', '\\x00')"
        )
    for table in [*APPEND_ONLY, *SEALED]:
        for statement in rewriting(table):
            refusal = refused_to_owner(database, statement)
            assert isinstance(refusal, errors.InsufficientPrivilege), statement
            assert "is append-only" in str(refusal), statement


def test_the_guards_hold_where_replication_would_switch_others_off(
    database: Database, world: World
) -> None:
    for table in APPEND_ONLY:
        for statement in rewriting(table):
            with (
                psycopg.connect(database.superuser_url) as connection,
                pytest.raises(errors.InsufficientPrivilege, match="is append-only"),
            ):
                connection.execute("SET session_replication_role = replica")
                connection.execute(statement.encode())


def test_what_a_projection_says_of_the_past_never_changes(database: Database, world: World) -> None:
    for table, columns in KEPT.items():
        for column in columns:
            value = f"{column} + interval '1 day'" if column.endswith(("_at", "_from")) else None
            value = value or ("'\\x00'" if column == "terms" else f"{column} - 1")
            refusal = refused_to_owner(database, f"UPDATE ledger.{table} SET {column} = {value}")
            assert isinstance(refusal, errors.InsufficientPrivilege)
            assert f"what {table} says of the past" in str(refusal)
        refusal = refused_to_owner(database, f"DELETE FROM ledger.{table}")
        assert f"{table} is append-only" in str(refusal)


# -- rows written by hand --------------------------------------------------------------------------

# position, from, to, amount, reverses: `w` is the wallet, `i` an account without a floor.
Transfer = Callable[[World], str]


def transfer(position: int, giver: str, taker: str, amount: int, reverses: str = "NULL") -> str:
    return (
        "INSERT INTO ledger.transfers SELECT e.account_id,"
        f" {position}, e.id, {giver}, {taker}, {amount}, 0, {reverses}"
        " FROM ledger.entries e WHERE e.reference = 'r'"
    )


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (transfer(3, "e.account_id", "1", 0), errors.CheckViolation),
        (transfer(3, "e.account_id", "1", -5), errors.CheckViolation),
        (transfer(3, "1", "1", 5), errors.CheckViolation),
        (transfer(0, "e.account_id", "1", 5), errors.CheckViolation),
        (transfer(-1, "e.account_id", "1", 5), errors.CheckViolation),
        (transfer(2, "e.account_id", "1", 5), errors.UniqueViolation),
        (transfer(3, "1", "e.account_id", 11, "2"), errors.CheckViolation),
        (transfer(3, "1", "e.account_id", 1, "99"), errors.CheckViolation),
        ("UPDATE ledger.wallets SET posted = -1", errors.CheckViolation),
        ("UPDATE ledger.wallets SET held = posted + 1", errors.CheckViolation),
        ("UPDATE ledger.wallets SET held = -1", errors.CheckViolation),
        ("UPDATE ledger.wallets SET debt = -1", errors.CheckViolation),
        ("UPDATE ledger.lots SET remaining = amount + 1", errors.CheckViolation),
        ("UPDATE ledger.lots SET remaining = -1, held = 0", errors.CheckViolation),
        ("UPDATE ledger.lots SET held = remaining + 1", errors.CheckViolation),
        ("UPDATE ledger.lots SET expired = -1", errors.CheckViolation),
        ("UPDATE ledger.lots SET expired = amount", errors.CheckViolation),
        ("UPDATE ledger.lots SET open = false", errors.CheckViolation),
        ("UPDATE ledger.lot_totals SET held = remaining + 1", errors.CheckViolation),
        ("UPDATE ledger.lot_totals SET remaining = -1, held = -1", errors.CheckViolation),
        ("UPDATE ledger.holds SET remaining = -1", errors.CheckViolation),
        ("UPDATE ledger.holds SET remaining = amount + 1", errors.CheckViolation),
        ("UPDATE ledger.hold_lots SET remaining = -1", errors.CheckViolation),
        ("UPDATE ledger.hold_lots SET remaining = amount + 1", errors.CheckViolation),
        (
            "INSERT INTO ledger.lot_uses SELECT account_id, position, 1, 0 FROM ledger.transfers",
            errors.CheckViolation,
        ),
        (
            "INSERT INTO ledger.hold_moves SELECT account_id, id, id, 'capture', 0"
            " FROM ledger.holds",
            errors.CheckViolation,
        ),
        (
            "INSERT INTO ledger.hold_moves SELECT account_id, id, id, 'gift', 1 FROM ledger.holds",
            errors.CheckViolation,
        ),
        (
            "INSERT INTO ledger.entries SELECT account_id, id + 1000, home_id, kind, source,"
            " reference, digest, position, transfers, cause, effective_at, recorded_at"
            " FROM ledger.entries",
            errors.UniqueViolation,
        ),
        (
            "INSERT INTO ledger.lots SELECT account_id, 99, 1, now(), now(), NULL, 1, 0, 0, true"
            " FROM ledger.wallets",
            errors.ForeignKeyViolation,
        ),
        (
            "INSERT INTO ledger.transfers SELECT account_id, 99, 12345, 1, account_id, 1, 1"
            " FROM ledger.wallets",
            errors.ForeignKeyViolation,
        ),
    ],
)
def test_a_row_written_by_hand_that_makes_no_sense_is_refused(
    database: Database, world: World, statement: str, error: type[psycopg.Error]
) -> None:
    assert refused_as(APP_ROLE, statement) == error.sqlstate


def test_reversals_written_by_hand_never_exceed_their_original(
    database: Database, world: World
) -> None:
    both = (
        f"{transfer(3, '1', 'e.account_id', 6, '2')}"
        f" UNION ALL {transfer(4, '1', 'e.account_id', 5, '2').split('transfers ', 1)[1]}"
    )
    assert refused_as(APP_ROLE, both) == errors.CheckViolation.sqlstate
    with (
        psycopg.connect(database.superuser_url) as connection,
        pytest.raises(errors.CheckViolation, match="would exceed it"),
    ):
        connection.execute("SET session_replication_role = replica")
        connection.execute(transfer(3, "1", "e.account_id", 11, "2").encode())


def test_posting_that_would_not_find_its_rows_fails_whole(database: Database, world: World) -> None:
    lost = '[{"account_id": 999, "posted": 0, "held": 0, "debt": 0, "position": 1}]'
    nulls = ", ".join(["NULL"] * 7)
    statement = f"SELECT ledger.write_book({nulls}, '{lost}', {', '.join(['NULL'] * 5)})"
    assert refused_as(APP_ROLE, statement.replace(":", "\\:")) == errors.DataCorrupted.sqlstate
    posted(earn(world, 1, "after"))
    check_ledger(database)
