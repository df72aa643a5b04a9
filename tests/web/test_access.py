"""Who may not see something cannot tell it from what does not exist."""

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import CALLERS, bearer

OWN, OTHER, UNKNOWN = "cus_0000000000007", "cus_0000000000008", "cus_0000000000009"


def things(client: FlaskClient, caller: str, customer: str) -> tuple[int, dict[str, object]]:
    response = client.get(f"/v1/customers/{customer}/things", headers=bearer(caller))
    content = response.get_json()
    content.pop("instance", None)
    return response.status_code, content


@pytest.mark.parametrize("customer", [OWN, "me"])
def test_customers_see_themselves(client: FlaskClient, customer: str) -> None:
    assert things(client, "ann", customer) == (200, {"got": "7"})


def test_a_client_with_the_scope_sees_every_customer(client: FlaskClient) -> None:
    assert things(client, "bank", OTHER) == (200, {"got": "8"})


@pytest.mark.parametrize(
    "customer",
    [OTHER, UNKNOWN, "cus_00000000000007", "CUS_0000000000007", "7", "cus_o000000000007",
     "cus_z000000000007", "pur_0000000000007", "x" * 500, "cus_000000000000７", "%00", "cus_"],
)  # fmt: skip
def test_everything_but_ones_own_looks_unknown(client: FlaskClient, customer: str) -> None:
    status, content = things(client, "ann", customer)
    assert status == 404
    assert (status, content) == things(client, "ann", UNKNOWN)


def test_me_is_nobody_for_a_client(client: FlaskClient) -> None:
    assert things(client, "bank", "me")[0] == 404


@pytest.mark.parametrize("customer", [OWN, UNKNOWN, "me"])
def test_a_missing_scope_is_refused_whatever_the_id(client: FlaskClient, customer: str) -> None:
    status, content = things(client, "poor", customer)
    assert status == 403
    assert str(content["type"]).endswith("/insufficient-scope")


@pytest.mark.parametrize("caller", sorted(set(CALLERS) - {"auditor"}))
def test_staff_routes_are_for_the_role(client: FlaskClient, caller: str) -> None:
    assert client.get("/v1/secrets", headers=bearer(caller)).status_code == 403
    assert client.get("/v1/secrets", headers=bearer("auditor")).status_code == 200


@pytest.mark.parametrize("caller", ["ann", "clerk", "auditor"])
def test_system_routes_are_for_systems(client: FlaskClient, caller: str) -> None:
    assert client.get("/v1/list", headers=bearer(caller)).status_code == 403


@pytest.mark.parametrize(
    "header",
    ["", "bank", "Bearer", "Bearer ", "Bearer  bank", "Basic bank", "Bearer nobody",
     "Bearer bank, Bearer shop", "Bearer " + "x" * 5000, "Bearer bänk"],
)  # fmt: skip
def test_without_one_valid_bearer_token_nobody_is_known(client: FlaskClient, header: str) -> None:
    response = client.get("/v1/ping", headers={"Authorization": header} if header else {})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_in_the_query_is_not_looked_at(client: FlaskClient) -> None:
    assert client.get("/v1/ping?access_token=bank").status_code == 401
    assert client.get("/v1/ping?access_token=bank", headers=bearer("bank")).status_code == 422


@pytest.mark.parametrize(
    "query",
    ["size=2&size=3", "size=2&other=1", "size=１", "size=2.0", "size=+2", "size=02", "size=",
     "size=10", "size=%00"],
)  # fmt: skip
def test_a_query_says_each_known_thing_once(client: FlaskClient, query: str) -> None:
    response = client.get(f"/v1/list?{query}", headers=bearer("bank"))
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["parameter"]


def test_a_known_query_is_taken(client: FlaskClient) -> None:
    assert client.get("/v1/list?size=2", headers=bearer("bank")).get_json() == {"got": "2"}


@pytest.mark.parametrize(
    "path", ["/v1//ping", "/v1/ping/", "/v1/..%2fping", "/v1/ping%00", "/V1/ping", "/v1/ping;x=1"]
)
def test_a_path_has_one_spelling(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers=bearer("bank")).status_code == 404


def test_a_method_override_is_not_looked_at(client: FlaskClient) -> None:
    headers = bearer("bank", X_HTTP_Method_Override="POST")
    assert client.get("/v1/kept", headers=headers).status_code == 405
