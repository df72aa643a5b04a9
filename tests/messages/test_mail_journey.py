"""From consent to its withdrawal by mail: agreed, approved, decided, permitted, sent, taken back.

The mail arrives at a real SMTP server with 广告 before its subject and the one-click headers of
RFC 8058; its link does nothing when it is looked at and ends consent when it is posted to; after
that the gate refuses, and the database has no way to hold an attempt.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from flask.testing import FlaskClient

from loyalty import messages
from loyalty.database import transaction
from loyalty.messages.gateways import read_gateways
from loyalty.messages.mail import MailGateway
from tests.callers import add_person
from tests.messages.builders import (
    add_customers,
    add_release,
    decide,
    offer,
    rows,
    say,
    send,
)
from tests.messages.mailbox import Mailbox, mailbox
from tests.servers import Database

BASE = "http://127.0.0.1:8000"
TEMPLATE = {
    "code": "travel-news",
    "class": "marketing",
    "purpose": "marketing",
    "name": {"zh": "旅行资讯", "en": "Travel news"},
    "contents": {
        "email": {"zh": {"subject": "春日出行", "body": "{customer_name},{place}好时节。"}}
    },
    "placeholders": {"customer_name": "person", "place": "text"},
}
ATTEMPT = """
INSERT INTO loyalty.send_attempts (decision_id, request_id, verdict, permit_id, permit_expires_at,
    content_digest, content, gateway, reference)
SELECT d.id, d.request_id, %(verdict)s, p.id, p.expires_at, p.content_digest, ''::bytea, 'smtp',
    'forged'
FROM loyalty.decisions d, loyalty.permits p WHERE d.id = %(decision)s
"""


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as kept:
        yield kept


@pytest.fixture
def client(both: Database) -> FlaskClient:
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()


def approve_template(client: FlaskClient) -> int:
    """Have two others agree to the template; return its version."""
    proposed = add_person(client, "marketing_maker").post("/v1/message-templates", TEMPLATE)
    assert proposed.status_code == 201, proposed.json
    body = {"decision": "approve", "digest": proposed.json["digest"]}
    for role in ("consumer_protection", "compliance"):
        path = f"/v1/proposals/{proposed.json['proposal_id']}/decisions"
        agreed = add_person(client, role).post(path, body)
    assert agreed.json["state"] == "applied", agreed.json
    with transaction() as session:
        return messages.newest_templates(session, ["travel-news"])["travel-news"].version_id


def test_a_mail_is_sent_on_consent_and_one_click_ends_it(
    both: Database, client: FlaskClient, box: Mailbox
) -> None:
    (customer,) = add_customers()
    say(customer, channel="EMAIL")
    release = add_release(approve_template(client))
    offer(customer, release, channel="email")
    assert decide().allowed == 1
    gateway = MailGateway(
        read_gateways({"SMTP_URL": box.address, "MAIL_FROM": "bank@example.com"}, BASE)
    )
    assert send(email=gateway) == 1
    (mail,) = box.mails
    assert mail["Subject"] == "广告:春日出行"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = urlsplit(str(mail["List-Unsubscribe"]).strip(" \r\n<>")).path
    words = mail.get_body(("plain",))
    assert words is not None and link in words.get_content() and "95500" in words.get_content()

    assert client.get(link).status_code == 200
    count = "SELECT count(*) FROM loyalty.consent_events WHERE action = 'WITHDRAW'"
    assert rows(both.superuser_url, count) == [(0,)]
    posted = client.post(link, data={"List-Unsubscribe": "One-Click"})
    assert posted.status_code in (200, 204), posted.data
    assert rows(both.superuser_url, count) == [(1,)]

    offer(customer, release, "m2", channel="email")
    assert (decide().denied, send(email=gateway)) == (1, 0)
    gateway.close()
    assert len(box.mails) == 1
    query = "SELECT id, verdict, primary_rule FROM loyalty.decisions ORDER BY id DESC LIMIT 1"
    ((decision, verdict, rule),) = rows(both.superuser_url, query)
    assert (verdict, rule) == ("DENY", "consent.refused.hard")
    for verdict in ("DENY", "ALLOW"):
        with (
            psycopg.connect(both.superuser_url) as connection,
            pytest.raises(psycopg.errors.IntegrityError),
        ):
            connection.execute(ATTEMPT, {"verdict": verdict, "decision": decision})
