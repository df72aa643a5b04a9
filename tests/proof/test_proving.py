"""Proof: the audit trail is sealed like the ledger; checkpoints leave the house by two roads."""

import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from ledger import checkpoints, sealing
from loyalty import audit, proof
from loyalty.commands import main
from loyalty.database import SEALER_ROLE, transaction
from loyalty.proof import api, jobs
from loyalty.proof.publishing import publish
from loyalty.settings import settings
from loyalty.web import Caller
from loyalty.web.app import create_app
from tests.ledger.builders import build_world, earn, posted
from tests.ledger.verifying import as_superuser, verify, verify_database
from tests.servers import Database

CALLER = Caller.job("test")


def record(action: str = "thing.done", **detail: object) -> None:
    with transaction() as session:
        audit.record(session, CALLER, action, "thing", "1", detail or None)


@pytest.fixture
def keys(database: Database) -> Path:
    return checkpoints.create_sealing_key(settings().keys).parent


def test_both_logs_are_sealed_signed_and_sent_out(database: Database, keys: Path) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    record(count=1, code="x")
    assert jobs.seal_logs(10) == {"ledger": 1, "audit": 1, "consents": 0, "decisions": 0}
    assert jobs.checkpoint_logs() == {"ledger": 1, "audit": 1, "consents": 0, "decisions": 0}
    assert jobs.checkpoint_logs() == {"ledger": 1, "audit": 1, "consents": 0, "decisions": 0}
    path = proof.drop_file(settings().home)
    notes = [json.loads(line)["note"].split("\n") for line in path.read_text().splitlines()]
    assert [(note[2], note[4]) for note in notes] == [("ledger", "1"), ("audit", "1")]
    answer = verify_database(database, keys, "--checkpoints", path)
    assert answer.status == 0, answer.report
    assert answer.report["checked"]["audit events"] == 1


def test_a_checkpoint_that_was_signed_and_not_sent_is_sent_the_next_time(
    database: Database, keys: Path
) -> None:
    record()
    jobs.seal_logs(10)
    jobs.checkpoint_logs()
    path = proof.drop_file(settings().home)
    path.unlink()
    with transaction() as session:
        assert publish(session, settings().home) == 1
        assert publish(session, settings().home) == 0
    assert len(path.read_text().splitlines()) == 1


def test_an_audit_row_that_commits_late_is_waited_for(database: Database) -> None:
    with transaction() as late:
        audit.record(late, CALLER, "thing.late", "thing", "1")
        record("thing.early")
        with transaction(SEALER_ROLE) as session:
            assert sealing.seal(session, proof.AUDIT, patience=0.05) == 0
        sealed: list[int] = []
        sealer = threading.Thread(
            target=lambda: sealed.append(jobs.seal_logs(10)["audit"]),
        )
        sealer.start()
    sealer.join(30)
    assert sum(sealed) + jobs.seal_logs(10)["audit"] == 2


@pytest.mark.parametrize(
    ("statement", "number"),
    (
        ("UPDATE loyalty.audit_events SET actor_id = 'y' WHERE id = 2", 2),
        ("UPDATE loyalty.audit_events SET detail = '{}' WHERE id = 2", 2),
        (
            "UPDATE loyalty.audit_events SET actor_id = actor_id || 't',"
            " action = substr(action, 2) WHERE id = 2",
            2,
        ),
        ("DELETE FROM loyalty.audit_events WHERE id = 2", 2),
        ("DELETE FROM loyalty.audit_events WHERE id = 3", 3),
        (
            "INSERT INTO loyalty.audit_events OVERRIDING SYSTEM VALUE SELECT 0, at, actor_kind,"
            " actor_id, action, subject_type, subject_id, request_id, token_fingerprint, detail"
            " FROM loyalty.audit_events WHERE id = 2",
            0,
        ),
    ),
)
def test_a_changed_audit_row_is_named(
    database: Database, keys: Path, statement: str, number: int
) -> None:
    for _ in range(3):
        record()
    jobs.seal_logs(10)
    jobs.checkpoint_logs()
    as_superuser(database, statement)
    answer = verify_database(database, keys)
    assert answer.status == 1
    assert answer.first["table"] == "audit_events"
    assert answer.first["key"] == {"id": number}


def test_without_its_key_nothing_is_signed(database: Database) -> None:
    record()
    jobs.seal_logs(10)
    with pytest.raises(FileNotFoundError):
        jobs.checkpoint_logs()


def test_anybody_may_read_checkpoints_and_the_key(database: Database, keys: Path) -> None:
    for _ in range(3):
        record()
        jobs.seal_logs(10)
        jobs.checkpoint_logs()
    client = create_app([api.blueprint]).test_client()
    page = client.get("/v1/checkpoints?log=audit&limit=2").json
    assert [item["size"] for item in page["items"]] == [3, 2]
    cursor = page["next_cursor"]
    rest = client.get(f"/v1/checkpoints?log=audit&limit=2&cursor={cursor}").json
    assert [item["size"] for item in rest["items"]] == [1]
    assert rest["next_cursor"] is None
    assert client.get("/v1/checkpoints").json["items"] == []
    assert client.get("/v1/checkpoints?log=other").status_code == 422
    key = client.get("/v1/checkpoints/key").json
    assert key["key_id"] in page["items"][0]["note"]
    assert "PRIVATE" not in key["pem"]


def test_there_is_no_key_to_read_before_one_is_made(database: Database) -> None:
    client = create_app([api.blueprint]).test_client()
    assert client.get("/v1/checkpoints/key").status_code == 404


def test_the_commands_seal_verify_dump_and_print_statements(
    database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, words)
        return done.exit_code, done.output

    world = build_world()
    posted(earn(world, 1, "a"))
    assert run("seal")[0] == 1
    assert "create-key" in run("seal")[1]
    assert run("proof", "create-key")[0] == 0
    code, printed = run("seal")
    assert code == 0
    assert printed.endswith(
        "ledger: 0 rows sealed, 1 signed\naudit: 0 rows sealed, 0 signed\n"
        "consents: 0 rows sealed, 0 signed\ndecisions: 0 rows sealed, 0 signed\n"
    )
    assert json.loads(printed.splitlines()[0])["event"] == "checkpoint"
    assert run("verify")[0] == 0
    assert "sealed entries" in capfd.readouterr().out
    assert run("ledger", "dump", str(tmp_path / "dump"))[0] == 0
    assert run("verify", "--dump", str(tmp_path / "dump"))[0] == 0
    code, printed = run("ledger", "statement", str(world.wallet))
    assert code == 0
    (tmp_path / "statement.json").write_text(printed)
    assert run("verify", "--statement", str(tmp_path / "statement.json"))[0] == 0
    assert run("ledger", "statement", "999")[0] == 1
    as_superuser(database, "UPDATE ledger.wallets SET posted = 2")
    assert run("verify")[0] == 1
    assert "wallets (account_id" in capfd.readouterr().out


def test_an_auditor_may_verify(database: Database, keys: Path, servers) -> None:
    record()
    jobs.seal_logs(10)
    jobs.checkpoint_logs()
    url = servers.url(database.name, "quanyi_audit_reader")
    public = keys / checkpoints.PUBLIC_KEY
    assert verify("--url", url, "--public-key", public).status == 0
