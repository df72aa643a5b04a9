"""Webhooks: everybody who asked is told once, signed, again over days, and a bad one harms nobody.

Attacks A59 and A61, fault F24.
"""

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty.database import transaction
from loyalty.messages import webhooks
from loyalty.messages.jobs import deliver_webhooks
from loyalty.messages.reaching import Reach
from loyalty.outbox import jobs, registry
from tests.callers import Client, add_person
from tests.messages.builders import rows
from tests.messages.receivers import Receiver, receiver, status
from tests.points.builders import build_world, purchase, recorded
from tests.servers import Database

GOING = Reach(to_loopback=True, seconds=5.0)
TOPIC = "purchases.recorded"


def opened(url: str, owner: str = "") -> tuple[int, str]:
    with transaction() as session:
        return webhooks.open_webhook(session, url, [TOPIC], owner, "stf_1")


def happen(number: int = 1, **payload: Any) -> None:
    with transaction() as session:
        webhooks.fan_out(
            session,
            event=f"evt_{number}",
            topic=TOPIC,
            subject="programme:1",
            sequence=number,
            payload={"first": number, **payload},
            happened_at=datetime.now(UTC),
        )


def hasten(database: Database) -> None:
    """Make every delivery that waits due now."""
    with transaction() as session:
        webhooks_due = "UPDATE loyalty.webhook_deliveries SET due_at = clock_timestamp()"
        session.connection().exec_driver_sql(webhooks_due)


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Verify as a receiver does by Standard Webhooks 1.0."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, content, sha256)).decode()
    signatures = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(one, f"v1,{expected}") for one in signatures)


@pytest.fixture
def good() -> Iterator[Receiver]:
    with receiver(status(204)) as kept:
        yield kept


def test_an_event_is_told_once_signed_and_worded_as_a_cloud_event(
    database: Database, good: Receiver
) -> None:
    _, secret = opened(good.url)
    happen()
    happen()
    assert deliver_webhooks(GOING) == 1
    assert deliver_webhooks(GOING) == 0
    ((headers, body),) = good.got
    assert verify(secret, headers, body)
    assert not verify(secret, headers, body + b" ")
    assert not verify(secret, {**headers, "webhook-id": "evt_2"}, body)
    assert not verify(secret, {**headers, "webhook-timestamp": "1"}, body)
    event = json.loads(body)
    assert (event["specversion"], event["id"], event["type"]) == ("1.0", "evt_1", TOPIC)
    assert event["id"] == headers["webhook-id"]
    assert event["data"] == {"first": 1}


def test_after_a_rotation_both_secrets_verify(database: Database, good: Receiver) -> None:
    number, old = opened(good.url)
    with transaction() as session:
        new = webhooks.rotate_secret(session, number)
    happen()
    deliver_webhooks(GOING)
    ((headers, body),) = good.got
    assert old != new
    assert verify(old, headers, body)
    assert verify(new, headers, body)


def test_a_secret_stands_nowhere(database: Database, good: Receiver) -> None:
    _, secret = opened(good.url)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    kept = rows(database.superuser_url, "SELECT nonce FROM loyalty.webhook_secrets")
    assert key not in {bytes(nonce) for (nonce,) in kept}


def test_a_recorded_purchase_comes_to_who_asked(database: Database, good: Receiver) -> None:
    registry.load()
    opened(good.url)
    recorded(build_world(), purchase("p1", 500))
    jobs.drain(TOPIC)
    deliver_webhooks(GOING)
    ((_, body),) = good.got
    assert json.loads(body)["type"] == TOPIC


def test_a_partner_is_told_of_itself_alone(database: Database, good: Receiver) -> None:
    opened(good.url, "7")
    happen(1)
    happen(2, partner_id=8)
    happen(3, partner_id=7)
    deliver_webhooks(GOING)
    assert [json.loads(body)["id"] for _, body in good.got] == ["evt_3"]


@pytest.mark.parametrize("code", [500, 302, 404])
def test_what_failed_is_tried_again_later(database: Database, code: int) -> None:
    with receiver(status(code)) as bad:
        opened(bad.url)
        happen()
        assert (deliver_webhooks(GOING), deliver_webhooks(GOING)) == (1, 0)
        bad.answer = status(200)
        hasten(database)
        assert deliver_webhooks(GOING) == 1
    query = "SELECT state, attempts FROM loyalty.webhook_deliveries"
    assert rows(database.superuser_url, query) == [("delivered", 2)]
    query = "SELECT status FROM loyalty.webhook_attempts ORDER BY id"
    assert rows(database.superuser_url, query) == [(code,), (200,)]


def test_tries_end_after_the_table(database: Database) -> None:
    with receiver(status(500)) as bad:
        opened(bad.url)
        happen()
        for _ in range(len(webhooks.BACKOFF) + 1):
            assert deliver_webhooks(GOING) == 1
            hasten(database)
        assert deliver_webhooks(GOING) == 0
    assert rows(database.superuser_url, "SELECT state FROM loyalty.webhook_deliveries") == [
        ("given_up",)
    ]


def test_an_endpoint_that_is_gone_is_told_nothing_more(database: Database) -> None:
    with receiver(status(410)) as gone:
        opened(gone.url)
        happen()
        deliver_webhooks(GOING)
        happen(2)
        hasten(database)
        assert deliver_webhooks(GOING) == 0
    assert rows(database.superuser_url, "SELECT disabled_reason FROM loyalty.webhooks") == [
        ("gone",)
    ]


def test_an_endpoint_that_failed_for_days_is_told_nothing_more(database: Database) -> None:
    with receiver(status(500)) as bad:
        opened(bad.url)
        with transaction() as session:
            session.connection().exec_driver_sql(
                "UPDATE loyalty.webhooks SET failing_since = clock_timestamp() - interval '6 days'"
            )
        happen()
        deliver_webhooks(GOING)
    assert rows(database.superuser_url, "SELECT disabled_reason FROM loyalty.webhooks") == [
        ("failing",)
    ]


def test_a_slow_endpoint_starves_nobody(database: Database, good: Receiver) -> None:
    """F24: it has two requests under way at most, and the others are told meanwhile."""

    def wait(_: Any) -> None:
        slow.ended.wait()

    with receiver(wait) as slow:
        opened(slow.url)
        for number in range(10):
            happen(number)
        opened(good.url)
        for number in range(10, 13):
            happen(number)
        deliver_webhooks(Reach(to_loopback=True, seconds=1.0), rounds=2)
        assert len(slow.got) <= 2 * webhooks.AT_ONCE
        assert len(good.got) == 3


@pytest.fixture
def application(database: Database) -> FlaskClient:
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()


@pytest.fixture
def manager(application: FlaskClient) -> Client:
    return add_person(application, "partner_manager")


def test_by_the_api_a_secret_is_shown_once(manager: Client) -> None:
    body = {"url": "https://bank.example/hook", "topics": [TOPIC]}
    answer = manager.post("/v1/webhooks", body)
    assert answer.status_code == 201
    secret = answer.json["secret"]
    listed = manager.get("/v1/webhooks").get_data(as_text=True)
    assert "bank.example" in listed
    assert secret not in listed
    rotated = manager.application.post(
        f"/v1/webhooks/{answer.json['webhook_id']}/rotations",
        headers={"Authorization": f"Bearer {manager.token}"},
    )
    assert rotated.json["secret"] != secret


@pytest.mark.parametrize("url", ["http://bank.example/", "https://bank.example:22/", "file:///x"])
def test_by_the_api_only_https_is_taken(manager: Client, url: str) -> None:
    answer = manager.post("/v1/webhooks", {"url": url, "topics": [TOPIC]})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/url"


def test_by_the_api_a_delivery_is_seen_and_told_again(
    database: Database, manager: Client, good: Receiver
) -> None:
    opened(good.url)
    happen()
    deliver_webhooks(GOING)
    (webhook,) = manager.get("/v1/webhooks").json["items"]
    path = f"/v1/webhooks/{webhook['id']}/deliveries"
    (delivery,) = manager.get(path).json["items"]
    assert (delivery["state"], delivery["status"]) == ("delivered", 204)
    key = {"Authorization": f"Bearer {manager.token}", "Idempotency-Key": "again"}
    again = manager.application.post(f"/v1/deliveries/{delivery['id']}/replays", headers=key)
    assert again.status_code == 202
    assert deliver_webhooks(GOING) == 1
    assert [headers["webhook-id"] for headers, _ in good.got] == ["evt_1", "evt_1"]
