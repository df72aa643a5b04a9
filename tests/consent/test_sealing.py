"""What customers said is sealed: an event that is changed, slipped in or lost is named."""

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from ledger import checkpoints
from loyalty.commands import main
from loyalty.proof import jobs
from loyalty.settings import settings
from tests.ledger.verifying import drop_guards, verify, verify_database
from tests.messages.builders import add_customers, say
from tests.servers import Database


@pytest.fixture
def sealed(database: Database) -> Path:
    """Three events that are sealed and signed for; return where the keys are."""
    keys = checkpoints.create_sealing_key(settings().keys).parent
    (customer,) = add_customers()
    for action in ("GRANT", "WITHDRAW", "GRANT"):
        say(customer, action)
    assert jobs.seal_logs(30)["consents"] == 3
    jobs.checkpoint_logs()
    return keys


def test_what_was_said_is_verified_here_and_from_a_dump(
    database: Database, sealed: Path, tmp_path: Path
) -> None:
    answer = verify_database(database, sealed)
    assert (answer.status, answer.report["checked"]["consent events"]) == (0, 3), answer.report
    dumped = CliRunner().invoke(main, ["ledger", "dump", str(tmp_path / "dump")])
    assert dumped.exit_code == 0, dumped.output
    public = sealed / checkpoints.PUBLIC_KEY
    answer = verify("--dump", tmp_path / "dump", "--public-key", public)
    assert (answer.status, answer.report["checked"]["consent events"]) == (0, 3), answer.report


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE loyalty.consent_events SET action = 'CONFIRM' WHERE seq = 2",
        "UPDATE loyalty.consent_events SET whole_channel = true WHERE seq = 2",
        'UPDATE loyalty.consent_events SET proof = \'{"witness": "stf_2"}\' WHERE seq = 2',
        "DELETE FROM loyalty.consent_events WHERE seq = 2",
    ],
)
def test_a_refusal_that_was_tampered_with_is_named(
    database: Database, sealed: Path, tampering: str
) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        drop_guards(connection)
        connection.execute(tampering.encode())
    answer = verify_database(database, sealed)
    assert answer.status == 1
    assert (answer.first["table"], answer.first["key"]) == ("consent_events", {"seq": 2})
