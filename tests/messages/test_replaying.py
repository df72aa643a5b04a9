"""Evidence: decisions come out the same when asked again, and a changed one is found by name.

Acceptance 4 (flip one byte of an old decision) and 5 (replay).
"""

from datetime import UTC, datetime, timedelta

import psycopg

from ledger import checkpoints
from loyalty.database import transaction
from loyalty.messages.replay import replay
from loyalty.proof import jobs
from loyalty.settings import settings
from tests.ledger.verifying import drop_guards, verify_database
from tests.messages.builders import (
    MARKETING,
    add_customers,
    add_release,
    add_template,
    ask,
    decide,
    offer,
    say,
)
from tests.servers import Database


def some_decisions() -> None:
    """Decide about service and marketing, allowed, denied and deferred."""
    agreeing, silent = add_customers(2)
    say(agreeing)
    add_template()
    release = add_release(add_template(MARKETING))
    for number, customer in enumerate((agreeing, silent, agreeing)):
        ask(customer, f"r{number}")
        offer(customer, release, f"m{number}")
    assert decide().total == 6


def asked_again() -> list[tuple[int, str]]:
    now = datetime.now(UTC)
    with transaction() as session:
        found, count, _ = replay(session, now - timedelta(days=1), now + timedelta(days=1))
    assert count == 6
    return [(one.decision_id, one.what) for one in found]


def test_a_months_decisions_come_out_the_same(both: Database) -> None:
    some_decisions()
    assert asked_again() == []


def test_a_verdict_that_was_changed_differs(both: Database) -> None:
    some_decisions()
    with psycopg.connect(both.superuser_url) as connection:
        drop_guards(connection)
        connection.execute(
            "UPDATE loyalty.decisions SET inputs = jsonb_set(inputs, '{consent,status}',"
            " '\"GRANTED\"') WHERE verdict = 'DENY'"
        )
    differing = asked_again()
    assert {what for _, what in differing} >= {"inputs", "results"}
    assert len({number for number, _ in differing}) == 1


def test_one_changed_byte_of_an_old_decision_is_named(both: Database) -> None:
    """Acceptance 4."""
    key = checkpoints.create_sealing_key(settings().keys).parent
    some_decisions()
    assert jobs.seal_logs(30)["decisions"] == 6
    jobs.checkpoint_logs()
    assert verify_database(both, key).status == 0
    with psycopg.connect(both.superuser_url) as connection:
        drop_guards(connection)
        connection.execute(
            "UPDATE loyalty.decisions SET content_digest ="
            " set_byte(content_digest, 5, (get_byte(content_digest, 5) + 1) % 256) WHERE id = 3"
        )
    answer = verify_database(both, key)
    assert answer.status == 1
    assert (answer.first["table"], answer.first["key"]) == ("decisions", {"id": 3})
