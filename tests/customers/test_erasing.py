"""After an erasure nothing of the person can be read anywhere, and the ledger does not notice."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from loyalty import customers, vault
from loyalty.customers import NewCustomer, Purpose
from loyalty.customers.sealing import SEALED, TABLE
from loyalty.database import transaction
from loyalty.vault.customer_keys import CustomerKey, KeyVersion
from loyalty.web import NotFound, Refused
from tests.customers.conftest import WANG, erase, register
from tests.ledger.builders import build_world, earn, post_one
from tests.servers import Database, Servers, drop_database, forget_connections


def columns_of(customer_id: int) -> dict[str, bytes]:
    with transaction() as session:
        row = session.execute(
            text("SELECT name, phone, email, birthday FROM loyalty.customers WHERE id = :id"),
            {"id": customer_id},
        ).one()
    return {column: bytes(getattr(row, column)) for column in SEALED}


def test_the_person_is_gone_and_the_number_stays(database: Database) -> None:
    number = register(WANG)[0]
    erase(number)
    with transaction() as session:
        found = customers.customers_by_id(session, [number])[number]
        assert (found.reference, found.state) == (WANG.reference, "erased")
        assert customers.read_masked(session, [number]) == {}
        with pytest.raises(Refused, match="customer-erased"):
            customers.read_person(session, number, Purpose.RIGHTS)


def test_ciphertext_kept_aside_opens_with_no_key_that_is_left(database: Database) -> None:
    number, other = register(WANG, NewCustomer("B-0002", name="李四"))
    kept = columns_of(number)
    erase(number)
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute("SELECT customer_id FROM vault.wrapped_keys").fetchall()
    assert rows == [(other,)]
    ring = vault.keyring()
    with transaction() as session:
        theirs = vault.open_key(session, other).versions[1].key
    # The wrapping key, the look-up key and every other customer's key are at hand.
    for key in (ring.newest.key, ring.index_key, theirs):
        version = KeyVersion(ring.newest.algorithm, 1, key)
        opener = CustomerKey(ring.organisation, number, {1: version})
        for column, sealed in kept.items():
            with pytest.raises(vault.Unreadable):
                opener.unseal(f"{TABLE}.{column}", sealed)


def test_no_row_of_any_table_holds_what_the_person_s_row_held(database: Database) -> None:
    number = register(WANG)[0]
    kept = columns_of(number)
    with psycopg.connect(database.superuser_url) as connection:
        wrapped = connection.execute("SELECT wrapped FROM vault.wrapped_keys").fetchone()
        digest = connection.execute("SELECT digest FROM vault.blind_indexes").fetchone()
    assert wrapped is not None and digest is not None
    erase(number)
    everything = "\n".join(all_rows(database))
    for secret in (*kept.values(), wrapped[0], digest[0]):
        assert secret.hex() not in everything


def all_rows(database: Database) -> Iterator[str]:
    """Yield every row of every table of ours, as text."""
    with psycopg.connect(database.superuser_url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema IN ('ledger', 'loyalty', 'vault')"
        ).fetchall()
        assert len(tables) > 20
        for names in tables:
            rows = connection.execute(
                sql.SQL("SELECT kept::text FROM {} AS kept").format(sql.Identifier(*names))
            )
            yield from (row[0] for row in rows)


def test_the_ledger_keeps_every_point_of_an_erased_customer(database: Database) -> None:
    number = register(WANG)[0]
    world = build_world(f"cus:{number}")
    post_one(earn(world, 120, "p-1"))
    before = ledger_rows(database)
    erase(number)
    assert ledger_rows(database) == before
    post_one(earn(world, 5, "p-2"))


def ledger_rows(database: Database) -> list[str]:
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute(
            "SELECT w::text || t::text FROM ledger.wallets w"
            " JOIN ledger.transfers t USING (account_id) ORDER BY 1"
        ).fetchall()
    assert rows
    return [row[0] for row in rows]


def test_erasing_again_answers_the_first_receipt(database: Database) -> None:
    number = register(WANG)[0]
    first = erase(number)
    assert erase(number) == first
    assert vault.is_genuine(first, vault.keyring().public_key)


def test_nobody_unknown_is_erased(database: Database) -> None:
    with pytest.raises(NotFound):
        erase(999)


def test_the_database_refuses_an_erased_customer_with_personal_data(database: Database) -> None:
    number = register(WANG)[0]
    with (
        psycopg.connect(database.owner_url) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute("UPDATE loyalty.customers SET state = 'erased' WHERE id = %s", [number])


@contextmanager
def restored(
    servers: Servers, database: Database, environment: pytest.MonkeyPatch
) -> Iterator[None]:
    """Copy the database as it is now; on leaving, work on that copy as after a restore."""
    name = f"{database.name}_backup"
    forget_connections()
    with psycopg.connect(servers.superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(database.name)
            )
        )
    yield
    forget_connections()
    environment.setenv("DATABASE_URL", database.url.replace(database.name, name))
    forget_connections()


@pytest.fixture
def backup(database: Database, servers: Servers) -> Iterator[str]:
    """The name of the backup that `restored` makes; dropped at the end."""
    yield f"{database.name}_backup"
    forget_connections()
    drop_database(servers, f"{database.name}_backup")


def test_a_restored_backup_does_not_bring_the_person_back(
    servers: Servers, database: Database, environment: pytest.MonkeyPatch, backup: str
) -> None:
    number, other = register(WANG, NewCustomer("B-0002", name="李四"))
    with restored(servers, database, environment):
        receipt = erase(number)
    with transaction() as session:
        assert customers.read_person(session, number, Purpose.RIGHTS).name == "王小明"
        assert customers.replay_erasures(session) == [number]
    with transaction() as session:
        with pytest.raises(Refused, match="customer-erased"):
            customers.read_person(session, number, Purpose.RIGHTS)
        assert customers.find_by_phone(session, "13812345678") == []
        assert customers.customers_by_id(session, [number])[number].state == "erased"
        assert vault.find_receipt(session, number) == receipt
        assert customers.read_person(session, other, Purpose.RIGHTS).name == "李四"
        assert customers.replay_erasures(session) == []


def test_after_a_restore_nobody_gets_the_number_of_somebody_erased(
    servers: Servers, database: Database, environment: pytest.MonkeyPatch, backup: str
) -> None:
    register(NewCustomer("B-0000"))
    with restored(servers, database, environment):
        gone = register(WANG)[0]
        erase(gone)
    with transaction() as session:
        assert customers.replay_erasures(session) == [gone]
    assert register(NewCustomer("B-0003", name="李四"))[0] > gone
