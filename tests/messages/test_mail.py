"""Mail: what the gate let through arrives at a real SMTP server as composed, once."""

from collections.abc import Iterator

import pytest

from loyalty.messages import gateways
from loyalty.messages.gateways import Gateways, read_gateways
from loyalty.messages.mail import MailGateway
from loyalty.messages.rules import Message
from tests.messages.builders import add_customers, add_template, ask, decide, rows, send
from tests.messages.mailbox import Mailbox, mailbox
from tests.servers import Database


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as kept:
        yield kept


def configured(box: Mailbox) -> Gateways:
    environ = {"SMTP_URL": box.address, "MAIL_FROM": "bank@example.com"}
    return read_gateways(environ, "http://127.0.0.1:8000")


def test_a_service_message_arrives_by_mail(both: Database, box: Mailbox) -> None:
    (customer,) = add_customers()
    add_template()
    ask(customer, channel="email")
    decide()
    gateway = MailGateway(configured(box))
    assert send(email=gateway) == 1
    gateway.close()
    (mail,) = box.mails
    assert (mail["To"], mail["Subject"]) == ("c1@example.com", "积分到期提醒")
    assert "bank@example.com" in mail["From"]
    assert mail["List-Unsubscribe"] is None
    words = mail.get_body(("plain",))
    assert words is not None
    assert words.get_content().startswith("王1,您有 120 分将于 2026-12-31 到期。")
    query = "SELECT kind, gateway_reference FROM loyalty.delivery_events"
    assert rows(both.superuser_url, query) == [("accepted", mail["Message-ID"])]


@pytest.mark.parametrize(
    ("answer", "recipient", "kind"),
    [
        ("554 no", "250 OK", "refused"),
        ("250 kept", "550 nobody", "refused"),
        ("421 later", "250 OK", "refused"),
    ],
)
def test_what_the_gateway_refuses_is_not_sent_again(
    both: Database, box: Mailbox, answer: str, recipient: str, kind: str
) -> None:
    (customer,) = add_customers()
    add_template()
    ask(customer, channel="email")
    decide()
    box.answers, box.recipient = [answer], recipient
    gateway = MailGateway(configured(box))
    assert send(email=gateway) == 1
    assert (decide().total, send(email=gateway)) == (0, 0)
    gateway.close()
    assert box.mails == []
    assert rows(both.superuser_url, "SELECT kind FROM loyalty.delivery_events") == [(kind,)]


def test_a_gateway_that_is_away_leaves_requests_waiting(both: Database) -> None:
    with mailbox() as box:
        away = configured(box)
    (customer,) = add_customers()
    add_template()
    ask(customer, channel="email")
    decide()
    assert send(email=MailGateway(away)) == 0
    assert rows(both.superuser_url, "SELECT count(*) FROM loyalty.send_attempts") == [(0,)]
    assert rows(both.superuser_url, "SELECT count(*) FROM loyalty.send_queue") == [(1,)]


@pytest.mark.parametrize("field", ["subject", "contact"])
def test_a_line_end_never_becomes_a_header(box: Mailbox, field: str) -> None:
    """The last belt: whatever came here unchecked, no header is made of it and nothing leaves."""
    parts = {"channel": "email", "contact": "a@example.com", "subject": "s", "text": "t"}
    parts[field] += "\r\nBcc: b@example.com"
    message = Message(**parts, html="<p>t</p>", headers=())
    gateway = MailGateway(configured(box))
    assert gateway.hand_over(message, "q1-1").kind == "refused"
    gateway.close()
    assert box.mails == []


def test_gateways_say_what_is_wrong_with_their_settings() -> None:
    for environ, name in (
        ({"SMTP_URL": "http://x"}, "SMTP_URL"),
        ({"SMTP_URL": "smtp://x"}, "MAIL_FROM"),
        ({"SMS_URL": "ftp://x"}, "SMS_URL"),
    ):
        with pytest.raises(gateways.BadSetting, match=name):
            read_gateways(environ, "http://127.0.0.1")
