"""Every customer has one key, whoever asks first; only the app reads it, wrapped."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from loyalty import vault
from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.vault.keyfile import FILE
from tests.servers import Database

COLUMN = "loyalty.customers.name"


def create(*customer_ids: int) -> dict[int, vault.CustomerKey]:
    with transaction() as session:
        return vault.open_keys(session, customer_ids, create=True)


def test_a_key_made_once_is_opened_again(database: Database) -> None:
    sealed = create(1, 2)[1].seal(COLUMN, "张三")
    with transaction() as session:
        opened = vault.open_keys(session, [1, 2, 3])
        assert set(opened) == {1, 2}
        assert opened[1].unseal(COLUMN, sealed) == "张三"


def test_asking_again_makes_no_second_key(database: Database) -> None:
    sealed = create(1)[1].seal(COLUMN, "张三")
    assert create(1, 2)[1].unseal(COLUMN, sealed) == "张三"


def test_eight_who_ask_at_once_get_the_same_key(database: Database) -> None:
    together = Barrier(8)

    def ask(_: int) -> vault.CustomerKey:
        together.wait()
        return create(1)[1]

    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(ask, range(8)))
    sealed = keys[0].seal(COLUMN, "张三")
    assert {key.unseal(COLUMN, sealed) for key in keys} == {"张三"}


def test_a_wrapped_key_moved_to_another_customer_does_not_open(database: Database) -> None:
    create(1, 2)
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            "UPDATE vault.wrapped_keys SET wrapped ="
            " (SELECT wrapped FROM vault.wrapped_keys WHERE customer_id = 1) WHERE customer_id = 2"
        )
    with transaction() as session, pytest.raises(vault.Unreadable):
        vault.open_keys(session, [2])


def test_a_customer_who_never_had_a_key_is_not_an_erased_one(database: Database) -> None:
    create(1)
    with transaction() as session:
        vault.erase(session, 1, vault.Reason.REQUEST)
    with transaction() as session:
        with pytest.raises(vault.Erased):
            vault.open_key(session, 1)
        with pytest.raises(vault.NoKey):
            vault.open_key(session, 2)
        assert vault.erased(session, [1, 2]) == {1}
        assert vault.open_keys(session, [1, 2]) == {}


def test_an_erased_customer_gets_no_new_key(database: Database) -> None:
    create(1)
    with transaction() as session:
        vault.erase(session, 1, vault.Reason.REQUEST)
    with pytest.raises(vault.Erased):
        create(1)


def test_the_keys_of_another_installation_are_refused(database: Database) -> None:
    create(1)
    (settings().keys / FILE).unlink()
    vault.create_keys(settings().keys)
    with pytest.raises(vault.BadKeys, match="not the one"):
        create(2)
    with transaction() as session, pytest.raises(vault.Unreadable):
        vault.open_keys(session, [1])


def test_without_a_key_file_nothing_is_opened_and_the_message_says_what_to_do(
    database: Database,
) -> None:
    create(1)
    (settings().keys / FILE).unlink()
    with transaction() as session, pytest.raises(vault.BadKeys, match="loyalty keys create"):
        vault.open_keys(session, [1])


@pytest.mark.parametrize("table", ("wrapped_keys", "blind_indexes", "wrapping_versions"))
@pytest.mark.parametrize("role", ("quanyi_auditor", "quanyi_sealer"))
def test_nobody_but_the_app_reads_keys_and_digests(
    database: Database, table: str, role: str
) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT * FROM vault.{table}")


@pytest.mark.parametrize(
    "statement",
    (
        "DELETE FROM vault.erasures",
        "UPDATE vault.erasures SET customer_id = 2",
        "TRUNCATE vault.erasures",
        "UPDATE vault.wrapped_keys SET customer_id = 2",
        "UPDATE vault.blind_indexes SET customer_id = 2",
        "DELETE FROM vault.wrapping_versions",
        "TRUNCATE vault.wrapped_keys",
    ),
)
def test_the_app_has_no_right_to(database: Database, statement: str) -> None:
    with transaction() as session, pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text(statement))


def test_not_even_a_superuser_rewrites_an_erasure(database: Database) -> None:
    create(1)
    with transaction() as session:
        vault.erase(session, 1, vault.Reason.REQUEST)
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute("DELETE FROM vault.erasures")


def test_the_key_file_holds_no_customer_s_key(database: Database, tmp_path: Path) -> None:
    key = create(1)[1].versions[1].key
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert key not in path.read_bytes()
            assert key.hex() not in path.read_text()
