"""Sending the same write twice takes effect once, and both get the same bytes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from loyalty.database import transaction
from loyalty.web import idempotency
from tests.servers import Database
from tests.web.conftest import bearer

pytestmark = pytest.mark.usefixtures("database")


def count(statement: str) -> int:
    with transaction() as session:
        return int(session.execute(text(statement)).scalar_one())


def effects() -> int:
    return count("SELECT count(*) FROM loyalty.audit_events WHERE action = 'thing.kept'")


def kept_keys() -> int:
    return count("SELECT count(*) FROM loyalty.idempotency_keys")


def send(
    client: FlaskClient, key: str | None, amount: int = 1, caller: str = "bank"
) -> TestResponse:
    headers = bearer(caller) if key is None else bearer(caller, Idempotency_Key=key)
    return client.post("/v1/kept", json={"amount": amount}, headers=headers)


def test_a_repeated_request_replays_the_answer_byte_for_byte(client: FlaskClient) -> None:
    first, second = send(client, "k1"), send(client, "k1")
    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"] == "/v1/kept/1"
    assert effects() == 1


def test_twenty_equal_requests_at_once_have_one_effect(app: Flask) -> None:
    barrier = Barrier(20)

    def call(_: int) -> TestResponse:
        client = app.test_client()
        barrier.wait()
        return send(client, "same")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(call, range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 19
    assert effects() == 1


def test_a_key_in_quotes_is_the_same_key(client: FlaskClient) -> None:
    assert send(client, "k2").data == send(client, '"k2"').data
    assert effects() == 1


def test_a_key_used_for_another_body_is_refused(client: FlaskClient) -> None:
    send(client, "k3")
    other = send(client, "k3", amount=2)
    assert other.status_code == 422
    assert other.get_json()["type"].endswith("/idempotency-key-reused")
    assert effects() == 1


def test_another_caller_has_keys_of_its_own(client: FlaskClient) -> None:
    assert send(client, "k4").data != send(client, "k4", caller="shop").data
    assert effects() == 2


def test_a_refusal_stores_nothing_and_can_be_tried_again(client: FlaskClient) -> None:
    assert send(client, "k5", amount=13).status_code == 400
    assert (effects(), kept_keys()) == (0, 0)
    assert send(client, "k5", amount=1).status_code == 201


def test_without_a_key_nothing_is_done(client: FlaskClient) -> None:
    answer = send(client, None)
    assert answer.status_code == 400
    assert answer.get_json()["type"].endswith("/idempotency-key-missing")
    assert effects() == 0


@pytest.mark.parametrize("key", [" ", "a b", '"', '""', '"a', "ä", "x" * 256, '"x"y'])
def test_a_malformed_key_is_refused(client: FlaskClient, key: str) -> None:
    answer = send(client, key)
    assert answer.status_code == 400
    assert effects() == 0


def test_the_longest_key_is_taken(client: FlaskClient) -> None:
    assert send(client, "x" * 255).status_code == 201


def test_answers_are_purged_after_a_month(client: FlaskClient, database: Database) -> None:
    send(client, "k6")
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(
            "INSERT INTO loyalty.idempotency_keys (caller, key, request_digest, created_at)"
            " VALUES ('system:x', 'old', '', now() - interval '31 days')"
        )
    with transaction() as session:
        assert idempotency.purge(session, most=10) == 1
    assert kept_keys() == 1
