"""Every answer carries what protects it; every failure says little and is logged in one line."""

import json

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from loyalty.database import engine
from tests.servers import Database
from tests.web.conftest import bearer

PATHS = ["/v1/ping", "/v1/broken", "/nowhere", "/livez", "/docs", "/problems/internal"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_protecting_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path, headers=bearer("bank")).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert len(headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("sent", ["abcdefgh", "0b3f-11_x.Y" * 3])
def test_a_sane_request_id_is_kept(client: FlaskClient, sent: str) -> None:
    response = client.get("/nowhere", headers={"X-Request-Id": sent})
    assert response.headers["X-Request-Id"] == response.get_json()["instance"] == sent


@pytest.mark.parametrize("sent", ["short", "x" * 65, 'a"b"c"d"e', "with space", "张三张三张三张三"])
def test_another_request_id_is_replaced(client: FlaskClient, sent: str) -> None:
    response = client.get("/livez", environ_overrides={"HTTP_X_REQUEST_ID": sent})
    assert response.headers["X-Request-Id"] != sent


def test_a_trace_is_handed_back(client: FlaskClient) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = client.get("/livez", headers={"traceparent": trace}).headers
    assert headers["traceparent"] == trace
    assert "traceparent" not in client.get("/livez", headers={"traceparent": "00-x"}).headers


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    response = client.delete("/v1/list", headers=bearer("bank"))
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert response.content_type == "application/problem+json"


def test_problems_speak_the_callers_language(client: FlaskClient) -> None:
    chinese = client.get("/nowhere").get_json()
    english = client.get("/nowhere", headers={"Accept-Language": "en"}).get_json()
    assert (chinese["title"], english["title"]) == ("找不到", "Not found")


def test_an_unexpected_failure_says_nothing_of_itself(
    client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    response = client.get("/v1/broken", headers=bearer("bank"))
    assert response.status_code == 500
    said = response.get_data(as_text=True)
    assert "RuntimeError" not in said
    assert "138" not in said
    lines = [line for line in capsys.readouterr().err.splitlines() if "unexpected_error" in line]
    assert len(lines) == 1
    event = json.loads(lines[0])
    assert event["request_id"] == response.get_json()["instance"]
    assert event["error"] == "RuntimeError"
    assert any("get_broken" in frame for frame in event["frames"])
    assert "138" not in lines[0]
    assert "forged" not in lines[0]


def test_an_answer_that_breaks_its_schema_fails_the_tests(client: FlaskClient) -> None:
    assert client.get("/v1/lie", headers=bearer("bank")).status_code == 500


def test_a_lost_database_is_a_503_that_may_be_retried(client: FlaskClient) -> None:
    response = client.post(
        "/v1/kept", json={"amount": 1}, headers=bearer("bank", Idempotency_Key="k")
    )
    assert response.status_code == 503
    assert 1 <= int(response.headers["Retry-After"]) <= 3


def test_a_lock_that_is_not_given_in_time_is_a_503(database: Database, client: FlaskClient) -> None:
    headers = bearer("bank", Idempotency_Key="k")
    with engine().connect() as other:
        other.execute(
            text(
                "INSERT INTO loyalty.idempotency_keys (caller, key, request_digest)"
                " VALUES ('system:cli_0000000000001', 'k', '')"
            )
        )
        response = client.post("/v1/kept", json={"amount": 1}, headers=headers)
    assert response.status_code == 503
    assert client.post("/v1/kept", json={"amount": 1}, headers=headers).status_code == 201


def test_lost_connections_cost_one_round_of_refusals(
    database: Database, client: FlaskClient
) -> None:
    def send(key: str) -> int:
        headers = bearer("bank", Idempotency_Key=key)
        return client.post("/v1/kept", json={"amount": 1}, headers=headers).status_code

    assert send("before") == 201
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert [send("lost"), send("lost"), send("lost")] == [503, 201, 201]
