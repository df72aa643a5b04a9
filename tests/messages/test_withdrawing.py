"""Withdrawing: by link, by word, while a message is under way; and nothing leaves after it.

Acceptance 2 (races; the full number: `QUANYI_RACES=10000`), 8 (looking at the link changes
nothing) and 10 (the gate's store is down: the queue grows, nothing leaves).
"""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc

from loyalty.database import ADAPTER_ROLE, transaction
from loyalty.messages import handover, inbound, sending
from loyalty.messages.contacts import unsubscribe_token
from tests.messages.builders import (
    CALLER,
    MARKETING,
    Recorder,
    add_customers,
    add_release,
    add_template,
    ask,
    decide,
    inbox_of,
    offer,
    rows,
    say,
    send,
)
from tests.servers import Database

RACES = int(os.environ.get("QUANYI_RACES", "20"))


@pytest.fixture
def customer(both: Database) -> int:
    """A customer who agreed to marketing by mail and in the app."""
    (number,) = add_customers()
    say(number)
    say(number, channel="EMAIL")
    return number


@pytest.fixture
def release(customer: int) -> int:
    return add_release(add_template(MARKETING))


def test_withdrawn_after_the_permit_nothing_leaves(
    both: Database, customer: int, release: int
) -> None:
    offer(customer, release)
    assert decide().allowed == 1
    say(customer, "WITHDRAW")
    assert send() == 0
    assert decide().denied == 1
    assert inbox_of(customer) == []


def test_withdrawn_between_attempt_and_hand_over_nothing_leaves(
    both: Database, customer: int, release: int
) -> None:
    offer(customer, release, channel="email")
    decide()
    gateway = Recorder()
    with transaction(ADAPTER_ROLE) as session:
        attempt = sending.begin_next(session, ["email"], {"email": gateway})
    assert attempt is not None
    say(customer, "WITHDRAW", "EMAIL")
    with transaction(ADAPTER_ROLE) as session:
        assert handover.finish(session, attempt, gateway) is None
    assert gateway.given == []
    assert rows(both.superuser_url, "SELECT kind FROM loyalty.delivery_events") == [("withheld",)]
    states = rows(both.superuser_url, "SELECT state FROM loyalty.frequency_reservations")
    assert states == [("RELEASED",)]


class Witness(Recorder):
    """A gateway that notes when it got each message, by the database's clock."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.at: list[datetime] = []

    def hand_over(self, message: Any, reference: str) -> handover.Receipt:
        with psycopg.connect(self.url) as connection:
            (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
        assert now is not None
        self.at.append(now)
        return super().hand_over(message, reference)


def test_a_race_of_withdrawal_and_hand_over_sends_nothing_afterwards(both: Database) -> None:
    """Acceptance 2: whatever the order, no message is handed over after the withdrawal's commit."""
    people = add_customers(RACES)
    release = add_release(add_template(MARKETING))
    for number in people:
        say(number, channel="EMAIL")
        offer(number, release, f"race-{number}", channel="email")
    decide()
    late = sent = 0
    with ThreadPoolExecutor(2) as pool:
        for number in people:
            gateway, start = Witness(both.superuser_url), Barrier(2)

            def withdraw(number: int = number, start: Barrier = start) -> datetime:
                start.wait()
                say(number, "WITHDRAW", "EMAIL")
                with psycopg.connect(both.superuser_url) as connection:
                    (at,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
                assert at is not None
                return at

            def hand_over(gateway: Witness = gateway, start: Barrier = start) -> None:
                start.wait()
                send(email=gateway)

            withdrawn, handed = pool.submit(withdraw), pool.submit(hand_over)
            handed.result()
            committed = withdrawn.result()
            sent += len(gateway.at)
            late += sum(at > committed for at in gateway.at)
            send(email=gateway)
            late += len(gateway.at) > 1
    assert late == 0
    assert sent <= RACES


def test_looking_at_the_link_changes_nothing_and_sending_the_form_refuses(
    both: Database, customer: int, release: int
) -> None:
    """Acceptance 8."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    client = build().test_client()
    number = offer(customer, release).request_id
    assert number is not None
    path = f"/v1/unsubscribe/{unsubscribe_token(number)}"
    events = "SELECT count(*) FROM loyalty.consent_events WHERE action = 'WITHDRAW'"
    for method in (client.get, client.head):
        assert method(path).status_code == 200
    assert rows(both.superuser_url, events) == [(0,)]
    for _ in range(2):
        answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert "已退订" in answer.get_data(as_text=True)
    assert rows(both.superuser_url, events) == [(1,)]
    assert rows(both.superuser_url, "SELECT way FROM loyalty.optout_events") == [("link",)]
    decide()
    assert inbox_of(customer) == []


def test_a_link_that_is_not_ours_leads_nowhere(both: Database, customer: int, release: int) -> None:
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    client = build().test_client()
    token = unsubscribe_token(offer(customer, release).request_id or 0)
    forged = ("A" if token[0] != "A" else "B") + token[1:]
    for wrong in (forged, token[:-1], "x", unsubscribe_token(10**9)):
        assert client.post(f"/v1/unsubscribe/{wrong}").status_code == 404


@pytest.mark.parametrize("words", ["TD", " td ", "Ｔ", "退订", "r."])
def test_a_word_by_text_message_refuses_the_channel(
    both: Database, customer: int, words: str
) -> None:
    say(customer, channel="SMS")
    release = add_release(add_template(MARKETING))
    for _ in range(2):
        with transaction() as session:
            assert inbound.receive_reply(session, CALLER, "138 0000 0001", words, "in-1")
    offer(customer, release, channel="sms")
    decide()
    query = "SELECT primary_rule FROM loyalty.decisions"
    assert rows(both.superuser_url, query) == [("consent.no-rename",)]
    assert rows(both.superuser_url, "SELECT count(*) FROM loyalty.optout_events") == [(1,)]


def test_other_words_refuse_nothing(both: Database, customer: int) -> None:
    with transaction() as session:
        assert not inbound.receive_reply(session, CALLER, "13800000001", "谢谢", "in-2")
    assert rows(both.superuser_url, "SELECT count(*) FROM loyalty.optout_events") == [(0,)]


BOUNCE = (
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n"
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
    "Final-Recipient: rfc822; x@example.com\r\nAction: failed\r\nStatus: {status}\r\n\r\n"
    "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{reference}@example.com>\r\n\r\n"
    "--b--\r\n"
)


@pytest.mark.parametrize(
    ("status", "rule"), [("5.1.1", "suppress.deceased-or-legal"), ("4.2.2", None)]
)
def test_mail_that_comes_back_for_good_stops_the_address(
    both: Database, customer: int, status: str, rule: str | None
) -> None:
    add_template()
    ask(customer, channel="email")
    decide()
    gateway = Recorder(name="smtp")
    send(email=gateway)
    ((_, reference),) = gateway.given
    raw = BOUNCE.format(status=status, reference=reference).encode()
    for _ in range(2):
        with transaction() as session:
            report = inbound.receive_mail(session, CALLER, raw)
        assert report is not None and report.kind == "bounced"
    ask(customer, "r2", channel="email")
    decide()
    ((found,),) = rows(
        both.superuser_url, "SELECT primary_rule FROM loyalty.decisions ORDER BY id DESC LIMIT 1"
    )
    assert found == rule


def test_without_the_gates_store_the_queue_grows_and_nothing_leaves(
    both: Database, customer: int
) -> None:
    """Acceptance 10."""
    add_template()
    with psycopg.connect(both.superuser_url) as connection:
        connection.execute("REVOKE INSERT ON loyalty.decisions FROM quanyi_gate")
    ask(customer, "r1")
    ask(customer, "r2")
    with pytest.raises((exc.ProgrammingError, psycopg.errors.InsufficientPrivilege)):
        decide()
    assert send() == 0
    assert rows(both.superuser_url, "SELECT count(*) FROM loyalty.send_queue") == [(2,)]
    assert inbox_of(customer) == []
    with psycopg.connect(both.superuser_url) as connection:
        connection.execute("GRANT INSERT ON loyalty.decisions TO quanyi_gate")
    assert decide().allowed == 2
    assert send() == 2
