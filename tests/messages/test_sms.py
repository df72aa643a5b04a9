"""Text messages: signed as the provider wants, never sent twice, and found again in its report."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote

import pytest

from loyalty.database import transaction
from loyalty.messages.gateways import read_gateways
from loyalty.messages.reconciliation import Sent, reconcile
from loyalty.messages.sms import SmsGateway, sign_form
from tests.messages.builders import add_customers, add_template, ask, decide, rows, send
from tests.messages.receivers import Receiver, receiver, status
from tests.servers import Database

SECRET = "testsecret"
FINE = json.dumps({"Code": "OK", "Message": "OK", "BizId": "900619746936498440"}).encode()


def gateway(box: Receiver) -> SmsGateway:
    environ = {"SMS_URL": box.url.replace("/hook", "/"), "SMS_KEY_ID": "key"}
    environ |= {"SMS_SECRET": SECRET, "SMS_SIGN_NAME": "某银行", "SMS_TEMPLATE_CODE": "SMS_1"}
    return SmsGateway(read_gateways(environ, "http://127.0.0.1:8000"))


@pytest.fixture
def box() -> Iterator[Receiver]:
    with receiver(status(200, FINE)) as kept:
        yield kept


def form_of(box: Receiver) -> dict[str, str]:
    ((_, body),) = box.got
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def expected_signature(form: dict[str, str]) -> str:
    """Work the signature out as the provider's documents tell it, apart from our code."""
    signed = sorted((name, value) for name, value in form.items() if name != "Signature")
    canonical = "&".join(f"{quote(n, safe='~')}={quote(v, safe='~')}" for n, v in signed)
    content = f"POST&%2F&{quote(canonical, safe='~')}"
    digest = hmac.new(f"{SECRET}&".encode(), content.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def sent_once(both: Database, box: Receiver) -> str:
    (customer,) = add_customers()
    add_template()
    ask(customer, channel="sms")
    decide()
    assert send(sms=gateway(box)) == 1
    assert (decide().total, send(sms=gateway(box))) == (0, 0)
    ((reference,),) = rows(both.superuser_url, "SELECT reference FROM loyalty.send_attempts")
    return str(reference)


def test_a_message_is_signed_and_named(both: Database, box: Receiver) -> None:
    reference = sent_once(both, box)
    form = form_of(box)
    assert form["Signature"] == expected_signature(form)
    assert (form["PhoneNumbers"], form["OutId"]) == ("13800000001", reference)
    assert json.loads(form["TemplateParam"]) == {"content": "您有 120 分将于 2026-12-31 到期。"}
    query = "SELECT kind, gateway_reference FROM loyalty.delivery_events"
    assert rows(both.superuser_url, query) == [("accepted", "900619746936498440")]


def test_the_signature_covers_every_parameter() -> None:
    signed = {sign_form({"A": a, "B": b}, SECRET) for a in ("1", "2") for b in ("*", " ")}
    assert len({one.rpartition("Signature=")[2] for one in signed}) == 4


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (200, b'{"Code":"isv.BUSINESS_LIMIT_CONTROL"}', "refused"),
        (200, b"not json", "unknown"),
        (200, b"[]", "unknown"),
        (503, b'{"Code":"ServiceUnavailable"}', "unknown"),
    ],
)
def test_what_the_provider_answers_is_kept(
    both: Database, code: int, body: bytes, kind: str
) -> None:
    with receiver(status(code, body)) as box:
        sent_once(both, box)
        assert len(box.got) == 1
    assert rows(both.superuser_url, "SELECT kind FROM loyalty.delivery_events") == [(kind,)]


def test_what_was_not_answered_is_not_sent_again_but_found_in_the_report(both: Database) -> None:
    def hang_up(handler: Any) -> None:
        handler.connection.close()

    with receiver(hang_up) as box:
        reference = sent_once(both, box)
    events = "SELECT kind FROM loyalty.delivery_events ORDER BY id"
    assert rows(both.superuser_url, events) == [("unknown",)]
    now = datetime.now(UTC)
    listed = [Sent(reference, "delivered", "DELIVERED"), Sent("q9-9", "delivered")]
    with transaction() as session:
        found = reconcile(
            session, "aliyun-sms", listed, now - timedelta(days=1), now + timedelta(days=1)
        )
    assert (found.matched, found.unknown_here, found.unknown_there) == (1, ("q9-9",), ())
    assert rows(both.superuser_url, events) == [("unknown",), ("delivered",)]
    with transaction() as session:
        later = now + timedelta(days=1)
        found = reconcile(session, "aliyun-sms", [], now - timedelta(days=1), later)
    assert found.unknown_there == (reference,)
