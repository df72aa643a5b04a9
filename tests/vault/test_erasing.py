"""Erasing destroys the keys, leaves a signed record, and survives a restored backup."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from loyalty import outbox, vault
from loyalty.database import transaction
from loyalty.outbox.jobs import drain
from loyalty.settings import settings
from loyalty.vault import jobs
from loyalty.vault.erasure import FILE, erasures_file, write_out
from tests.servers import Database

assert jobs  # registers what runs in the background

COLUMN = "loyalty.customers.name"
PHONE = "+8613812345678"


def add(customer_id: int) -> bytes:
    with transaction() as session:
        key = vault.open_keys(session, [customer_id], create=True)[customer_id]
        vault.index_values(session, vault.PHONE, [(customer_id, PHONE)])
        return key.seal(COLUMN, "张三")


def erase(customer_id: int) -> vault.Receipt:
    with transaction() as session:
        return vault.erase(session, customer_id, vault.Reason.REQUEST)


def listed() -> list[int]:
    lines = erasures_file().read_text().splitlines()
    return [json.loads(line)["statement"]["customer_id"] for line in lines]


def replay() -> list[int]:
    with transaction() as session:
        return vault.replay_erasures(session)


def test_keys_and_look_ups_are_gone_and_the_receipt_counts_them(database: Database) -> None:
    add(1)
    receipt = erase(1)
    assert (receipt.statement["keys"], receipt.statement["look_ups"]) == (1, 1)
    with transaction() as session:
        assert vault.open_keys(session, [1]) == {}
        assert vault.find_by_value(session, vault.PHONE, PHONE, 10) == []


def test_others_are_untouched(database: Database) -> None:
    add(1)
    sealed = add(2)
    erase(1)
    with transaction() as session:
        assert vault.open_key(session, 2).unseal(COLUMN, sealed) == "张三"
        assert vault.find_by_value(session, vault.PHONE, PHONE, 10) == [2]


def test_a_receipt_is_checked_with_the_public_key_alone(database: Database) -> None:
    add(1)
    receipt, public_key = erase(1), vault.keyring().public_key
    assert vault.is_genuine(receipt, public_key)
    for name, value in (("customer_id", 2), ("reason", "legal-order"), ("keys", 0)):
        changed = {**receipt.statement, name: value}
        assert not vault.is_genuine(replace(receipt, statement=changed), public_key)
    assert not vault.is_genuine(replace(receipt, customer_id=2), public_key)


def test_erasing_twice_gives_the_first_receipt_and_one_line(database: Database) -> None:
    add(1)
    assert erase(1) == erase(1)
    assert listed() == [1]


def test_the_list_and_the_receipt_hold_no_person(database: Database) -> None:
    add(1)
    receipt = erase(1)
    assert set(receipt.statement) == {
        "kind",
        "organisation",
        "customer_id",
        "erased_at",
        "reason",
        "signed_by",
        "keys",
        "look_ups",
    }
    assert erasures_file() == settings().home / FILE
    assert erasures_file().stat().st_mode & 0o077 == 0


def test_a_rolled_back_erasure_is_not_listed(database: Database) -> None:
    sealed = add(1)
    with pytest.raises(RuntimeError), transaction() as session:
        vault.erase(session, 1, vault.Reason.REQUEST)
        raise RuntimeError
    assert not erasures_file().exists()
    with transaction() as session:
        assert vault.open_key(session, 1).unseal(COLUMN, sealed) == "张三"


def test_an_erasure_that_missed_the_list_is_exported_later(database: Database) -> None:
    add(1)
    add(2)
    erase(1)
    erase(2)
    erasures_file().unlink()
    with transaction() as session:
        assert vault.export_erasures(session) == 2
        assert vault.export_erasures(session) == 0
    assert listed() == [1, 2]


def test_erasing_again_mends_the_list(database: Database) -> None:
    add(1)
    erase(1)
    erasures_file().unlink()
    erase(1)
    assert listed() == [1]


def test_a_half_written_line_is_replaced(database: Database) -> None:
    add(1)
    add(2)
    erase(1)
    whole = erasures_file().read_bytes()
    erasures_file().write_bytes(whole + whole[: len(whole) // 2])
    erase(2)
    assert listed() == [1, 2]
    assert replay() == []


def test_eight_erasures_at_once_are_all_listed_whole(database: Database) -> None:
    for number in range(1, 9):
        add(number)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(erase, range(1, 9)))
    assert sorted(listed()) == list(range(1, 9))


def test_a_forged_line_is_refused_by_number_and_changes_nothing(database: Database) -> None:
    add(1)
    sealed = add(2)
    erase(1)
    line = json.loads(erasures_file().read_text())
    line["statement"]["customer_id"] = 2
    with erasures_file().open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(vault.ForgedErasure, match="line 2"):
        replay()
    with transaction() as session:
        assert vault.open_key(session, 2).unseal(COLUMN, sealed) == "张三"


@pytest.mark.parametrize("line", ("{}", "[]", "nonsense", '{"statement": {}, "signature": "00"}'))
def test_a_line_that_is_no_record_is_refused(database: Database, line: str) -> None:
    erasures_file().write_text(line + "\n")
    with pytest.raises(vault.ForgedErasure, match="line 1"):
        replay()


def test_replaying_on_a_database_that_lost_nothing_returns_nobody(database: Database) -> None:
    add(1)
    erase(1)
    assert replay() == []


def test_a_receipt_written_out_twice_stands_once(database: Database) -> None:
    add(1)
    receipt = erase(1)
    assert write_out(erasures_file(), [receipt]) == 0
    assert listed() == [1]


def test_the_list_catches_up_in_the_background(database: Database) -> None:
    add(1)
    erase(1)
    erasures_file().unlink()
    with transaction() as session:
        outbox.publish(session, "vault.export_erasures", "test", {})
    drain("vault.export_erasures")
    assert listed() == [1]
