"""The command line takes what comes back, holds lists against ours, and prints what stands behind.

A complaint in the form that mail providers send (ARF, RFC 5965) is a refusal and a stop.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from loyalty.commands import main
from loyalty.messages.handover import Kind, Receipt
from loyalty.web import ids
from tests.messages.builders import (
    MARKETING,
    Recorder,
    add_customers,
    add_release,
    add_template,
    decide,
    offer,
    rows,
    say,
    send,
)
from tests.servers import Database

ARF = """\
From: feedback@provider.example
To: fbl@bank.example
Subject: FW: offer
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an email abuse report.

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1.0
Version: 1

--b
Content-Type: message/rfc822

From: bank@example.com
Message-ID: <{reference}@bank.example>
Subject: offer

text

--b--
"""


@pytest.fixture
def sent(both: Database) -> tuple[int, str]:
    """A customer who was written to by mail, and the reference of that message."""
    (customer,) = add_customers()
    say(customer, channel="EMAIL")
    release = add_release(add_template(MARKETING))
    offer(customer, release, channel="email")
    gateway = Recorder(name="smtp", answer=Receipt(Kind.ACCEPTED, "ok"))
    decide()
    assert send(email=gateway) == 1
    return customer, gateway.given[0][1]


def run(*words: str, given: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(main, words, input=given)
    return done.exit_code, done.output


def test_a_complaint_is_a_refusal_and_a_stop(both: Database, sent: tuple[int, str]) -> None:
    report = ARF.format(reference=sent[1])
    for _ in range(2):  # what comes twice counts once
        assert run("messages", "receive-mail", given=report) == (0, f"complained {sent[1]}\n")
    url = both.superuser_url
    assert rows(url, "SELECT status FROM loyalty.consent_states WHERE channel = 'EMAIL'") == [
        ("WITHDRAWN",)
    ]
    assert rows(url, "SELECT reason FROM loyalty.suppressions") == [("complaint",)]
    assert rows(url, "SELECT way FROM loyalty.optout_events") == [("complaint",)]
    assert run("messages", "receive-mail", given="Subject: hello\n\nno report")[1] == (
        "none of ours\n"
    )
    strange = ARF.format(reference="somebody-elses")
    assert run("messages", "receive-mail", given=strange)[1] == "none of ours\n"


def test_a_message_that_the_gateway_knows_and_we_do_not_is_an_incident(
    sent: tuple[int, str], tmp_path: Path
) -> None:
    lines = tmp_path / "sent.jsonl"
    ours = {"reference": sent[1], "kind": "delivered", "code": "250"}
    day = datetime.now(UTC).date().isoformat()
    command = ("messages", "reconcile", "smtp", str(lines), "--day", day)
    lines.write_text(json.dumps(ours) + "\n")
    assert run(*command) == (0, "1 match, 0 unknown here, 0 unknown there\n")
    lines.write_text(json.dumps(ours) + "\n" + json.dumps({**ours, "reference": "x-1"}) + "\n")
    code, printed = run(*command)
    assert (code, printed.splitlines()[-1]) == (1, "1 match, 1 unknown here, 0 unknown there")


def test_what_stands_behind_a_message_is_printed_and_replayed(
    both: Database, sent: tuple[int, str]
) -> None:
    ((number,),) = rows(both.superuser_url, "SELECT id FROM loyalty.send_requests")
    code, printed = run("messages", "evidence", str(number))
    pack = json.loads(printed)
    assert (code, pack["form"]) == (0, "quanyi.message-evidence/1")
    assert pack["decisions"][0]["verdict"] == "ALLOW"
    assert pack["attempt"]["content"] is not None
    assert run("messages", "evidence", "999")[0] == 1
    code, printed = run("messages", "customer-evidence", ids.encode("cus", sent[0]))
    mine = json.loads(printed)
    assert (code, [one["action"] for one in mine["consents"]]) == (0, ["GRANT"])
    assert [one["request"]["id"] for one in mine["messages"]] == [pack["request"]["id"]]
    assert run("messages", "customer-evidence", "x")[0] == 1
    assert run("messages", "replay") == (0, "1 decisions asked again, 0 differences\n")
