"""Operations by command line: make keys, replace the wrapping key, keep the erasure list."""

import json

import pytest
from click.testing import CliRunner, Result

from loyalty import vault
from loyalty.commands import main
from loyalty.customers import replay_erasures
from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.vault.erasure import erasures_file
from loyalty.vault.keyfile import FILE
from tests.customers.conftest import WANG, erase, register
from tests.servers import Database


def run(*words: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == status, result.output
    return result


def test_keys_are_created_once(database: Database) -> None:
    (settings().keys / FILE).unlink()
    run("keys", "create", "--algorithm", "SM4-GCM")
    made = (settings().keys / FILE).read_bytes()
    assert vault.keyring().newest.algorithm.label == "SM4-GCM"
    assert "never overwritten" in run("keys", "create", status=1).output
    run("keys", "create", "--if-missing")
    assert (settings().keys / FILE).read_bytes() == made


def test_the_wrapping_key_is_replaced_step_by_step(database: Database) -> None:
    register(WANG)
    run("keys", "add")
    assert "wrapped under version 1" in run("keys", "retire", "1", status=1).output
    assert "1 keys rewrapped" in run("keys", "rewrap").output
    run("keys", "retire", "1")
    assert run("keys", "show").output == "version 2: 1 keys, current\n"


def test_no_command_prints_a_key(database: Database) -> None:
    content = json.loads((settings().keys / FILE).read_text())
    shown = run("keys", "show").output + run("keys", "add").output + run("keys", "rewrap").output
    for secret in (content["wrapping"]["1"]["key"], content["index"], content["signing"]):
        assert secret not in shown


def test_erasures_go_out_and_come_back_in(database: Database) -> None:
    erase(register(WANG)[0])
    erasures_file().unlink()
    assert "1 erasures added" in run("erasures", "export").output
    assert "0 customers erased again" in run("erasures", "replay").output


def test_replaying_without_a_list_is_an_error_and_not_an_empty_success(
    database: Database,
) -> None:
    assert "erasures.jsonl" in run("erasures", "replay", status=1).output
    with transaction() as session, pytest.raises(FileNotFoundError):
        replay_erasures(session)
