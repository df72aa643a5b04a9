"""Probes say what state we are in and nothing else; numbers are for whoever has the token."""

import pytest
from flask.testing import FlaskClient

from loyalty.database import forget_engines
from loyalty.local.valkey import Valkey
from loyalty.settings import settings
from tests.servers import Database
from tests.web.conftest import NOWHERE, bearer, build

pytestmark = pytest.mark.usefixtures("database")


def test_a_healthy_service_is_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.get_json() == {
        "status": "ready",
        "postgresql": "up",
        "migrations": "current",
        "redis": "up",
        "degraded": False,
    }


def test_without_redis_the_service_is_ready_but_degraded(
    database: Database, redis_server: Valkey
) -> None:
    client = build().test_client()
    redis_server.stop()
    response = client.get("/readyz")
    assert response.status_code == 200
    assert (response.get_json()["redis"], response.get_json()["degraded"]) == ("down", True)


def test_without_postgresql_the_service_is_alive_but_not_ready(
    client: FlaskClient, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DATABASE_URL", NOWHERE)
    forget_engines()
    settings.cache_clear()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.get_json()["postgresql"] == "down"
    assert client.get("/livez").status_code == 200


def test_there_are_no_numbers_without_the_setting(client: FlaskClient) -> None:
    assert client.get("/metrics", headers=bearer("x")).status_code == 404


def test_numbers_are_by_route_and_for_the_token_alone(
    client: FlaskClient, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("METRICS_TOKEN", "a-long-token-for-numbers")
    settings.cache_clear()
    client.get("/v1/customers/cus_0000000000007/things", headers=bearer("ann"))
    client.get("/v1/made-up")
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer("wrong")).status_code == 401
    response = client.get("/metrics", headers=bearer("a-long-token-for-numbers"))
    assert response.status_code == 200
    numbers = response.get_data(as_text=True)
    assert 'route="/v1/customers/{customer_id}/things"' in numbers
    assert "made-up" not in numbers
    assert "cus_" not in numbers
