"""The wrapping key is replaced while everything runs, and goes only when nobody needs it."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

import psycopg
import pytest

from loyalty import vault
from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.vault.keyfile import FILE
from tests.servers import Database

COLUMN = "loyalty.customers.name"


def seal(customer_id: int) -> bytes:
    with transaction() as session:
        key = vault.open_keys(session, [customer_id], create=True)[customer_id]
    return key.seal(COLUMN, f"name {customer_id}")


def read(customer_id: int, sealed: bytes) -> str:
    with transaction() as session:
        return vault.open_key(session, customer_id).unseal(COLUMN, sealed)


def rewrap_all(limit: int = 1000) -> int:
    total = 0
    while True:
        with transaction() as session:
            some = vault.rewrap(session, limit)
        if not some:
            return total
        total += some


def users() -> dict[int, int]:
    with transaction() as session:
        return vault.count_users(session)


def retire(version: int) -> None:
    with transaction() as session:
        vault.retire(session, version)


def test_rewrapping_leaves_every_value_readable(database: Database) -> None:
    sealed = {number: seal(number) for number in range(1, 26)}
    vault.add_wrapping_key(settings().keys)
    assert rewrap_all(10) == 25
    assert users() == {2: 25}
    retire(1)
    assert set(vault.keyring().versions) == {2}
    assert all(read(number, value) == f"name {number}" for number, value in sealed.items())


def test_rewrapping_may_change_the_algorithm(database: Database) -> None:
    sealed = seal(1)
    vault.add_wrapping_key(settings().keys, "SM4-GCM")
    rewrap_all()
    retire(1)
    assert read(1, sealed) == "name 1"
    assert read(2, seal(2)) == "name 2"


def test_nothing_is_rewrapped_twice(database: Database) -> None:
    seal(1)
    vault.add_wrapping_key(settings().keys)
    assert (rewrap_all(), rewrap_all()) == (1, 0)


def test_a_version_in_use_is_not_retired(database: Database) -> None:
    sealed = seal(1)
    vault.add_wrapping_key(settings().keys)
    with pytest.raises(vault.StillInUse, match="1 keys"):
        retire(1)
    assert set(vault.keyring().versions) == {1, 2}
    assert read(1, sealed) == "name 1"


def test_the_current_version_is_not_retired(database: Database) -> None:
    with pytest.raises(vault.BadKeys):
        retire(1)


def test_a_machine_that_missed_the_replacement_cannot_use_the_retired_version(
    database: Database,
) -> None:
    seal(1)
    stale = (settings().keys / FILE).read_bytes()
    vault.add_wrapping_key(settings().keys)
    rewrap_all()
    retire(1)
    (settings().keys / FILE).write_bytes(stale)
    with pytest.raises(vault.BadKeys, match="retired"):
        seal(2)
    with pytest.raises(vault.BadKeys, match="copy the current key file"):
        read(1, b"")


def test_retiring_waits_for_those_who_are_wrapping_under_the_version(database: Database) -> None:
    seal(1)
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            vault.open_keys(session, [2], create=True)
            vault.add_wrapping_key(settings().keys)
            rewrap_all()
            retiring = pool.submit(retire, 1)
            wait_for_a_lock(database)
        with pytest.raises(vault.StillInUse):
            retiring.result()
    assert users() == {1: 1, 2: 1}


def wait_for_a_lock(database: Database) -> None:
    """Return once somebody waits for a lock in this database."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        for _ in range(1000):
            waiting = connection.execute(
                "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.01)"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            ).fetchone()
            if waiting != (0,):
                return
    raise AssertionError("nobody waited")


def test_customers_registered_during_the_replacement_stay_readable(database: Database) -> None:
    seal(1)
    stop, numbers = Event(), count(100)
    sealed: dict[int, bytes] = {}

    def keep_sealing() -> None:
        while not stop.is_set():
            number = next(numbers)
            sealed[number] = seal(number)

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(keep_sealing) for _ in range(3)]
        for old in (1, 2, 3):
            vault.add_wrapping_key(settings().keys)
            done = False
            while not done:
                rewrap_all(7)
                try:
                    retire(old)
                    done = True
                except vault.StillInUse:
                    done = False
        stop.set()
        for writer in writers:
            writer.result()
    assert sealed
    assert all(read(number, value) == f"name {number}" for number, value in sealed.items())
