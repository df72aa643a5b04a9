"""Operations can list, stop and resume runs, and replay what was given up."""

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from loyalty import outbox
from loyalty.database import transaction
from loyalty.outbox.commands import COMMANDS
from tests.outbox.conftest import earn
from tests.servers import Database

GROUPS = {command.name: command for command in COMMANDS}


def call(*words: str) -> str:
    result = CliRunner().invoke(GROUPS[words[0]], words[1:], catch_exceptions=False)
    return result.output


@pytest.fixture
def run_id(effects: Database) -> str:
    """A queued run."""
    with transaction() as session:
        return str(outbox.start_run(session, "expiry", {"unit": 1}, created_by="staff:7", total=9))


def test_a_run_can_be_seen_stopped_and_resumed(run_id: str) -> None:
    assert call("runs", "list") == f"{run_id}  expiry  queued  0 of 9, 0 failed\n"
    assert call("runs", "list", "--kind", "import") == ""
    assert "created_by: staff:7" in call("runs", "show", run_id)
    assert call("runs", "stop", run_id) == "stopped\n"
    assert call("runs", "resume", run_id) == "queued\n"


@pytest.mark.parametrize("verb", ("show", "stop", "resume"))
def test_an_unknown_run_is_said_to_be_unknown(effects: Database, verb: str) -> None:
    assert "there is no run 404" in call("runs", verb, "404")


def test_dead_events_can_be_listed_and_replayed(effects: Database) -> None:
    earn(range(1))
    with transaction() as session:
        number = session.execute(
            text("UPDATE loyalty.outbox SET dead_at = now(), last_error = 'X' RETURNING id")
        ).scalar_one()
    assert call("outbox", "dead").startswith(f"{number}  points.earned  customer:0")
    assert call("outbox", "dead", "--topic", "other") == ""
    assert call("outbox", "replay", str(number), "404") == "1 of 2 replayed\n"
    assert call("outbox", "dead") == ""


def test_both_processes_have_a_command() -> None:
    assert {"worker", "relay", "runs", "outbox"} == GROUPS.keys()
