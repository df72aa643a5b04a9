"""Customers and the bank's systems read tiers; nobody reads another customer's."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import customers, programmes
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.tiers.api import blueprint
from loyalty.web import Caller, Kind, Refused, ids
from loyalty.web.app import create_app
from loyalty.web.bearer import Verified
from tests.servers import Database
from tests.tiers.conftest import World, build_world, buy

SCOPES = frozenset({"tiers:read"})
CALLERS = {
    "bank": Caller(Kind.SYSTEM, "cli_0000000000001", scopes=SCOPES),
    "poor": Caller(Kind.SYSTEM, "cli_0000000000002"),
    "clerk": Caller(Kind.STAFF, "stf_0000000000001", roles=frozenset({"support"})),
}


def verify(token: str) -> Verified:
    if token.startswith("cus_"):
        number = ids.decode("cus", token)
        caller = Caller(Kind.CUSTOMER, token, scopes=SCOPES, customer_id=number)
    elif token in CALLERS:
        caller = CALLERS[token]
    else:
        raise Refused("unauthenticated")
    return Verified(caller, time.time() + 600)


@pytest.fixture
def world(database: Database) -> World:
    return build_world(members=2)


@pytest.fixture
def client(world: World) -> FlaskClient:
    return create_app([blueprint], verify=verify).test_client()


def get(client: FlaskClient, path: str, name: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {name}", "Accept-Language": "en"}
    response = client.get(path, headers=headers)
    return response.status_code, response.get_json()


def public(number: int) -> str:
    return ids.encode("cus", number)


def test_a_customer_reads_their_own_tier_in_full(world: World, client: FlaskClient) -> None:
    bought = datetime.now(UTC) - timedelta(days=100)
    buy(world, 1_200, purchased_at=bought)
    me = public(world.member.customer_id)
    status, body = get(client, "/v1/customers/me/tier", me)
    assert status == 200, body
    assert get(client, f"/v1/customers/{me}/tier", "bank")[1] | {"at": ""} == body | {"at": ""}
    assert body["programme"] == "vip"
    gold = {"code": "gold", "name": {"zh": "金卡", "en": "Gold"}, "threshold": 1_000}
    assert (body["tier"], body["source"], body["score"]) == (gold, "earned", 1_200)
    assert (body["next"]["tier"]["code"], body["next"]["points"]) == ("platinum", 3_800)
    assert body["stay"]["points"] == 1_000
    assert body["stay"]["until"] == body["lapses"][0]["at"]
    last = datetime.fromisoformat(body["stay"]["until"]) - timedelta(days=1)
    assert body["stay"]["last_day"] == last.astimezone(world.programme.zone).date().isoformat()
    assert body["history"][0]["explanation"] == {
        "zh": "定级积分 1200 达到金卡的门槛 1000,即时升级。",
        "en": "1200 status points met the threshold of Gold, 1000: upgraded at once.",
    }
    cause = {"kind": "purchase", "purchases": [ids.encode("pur", 1)], "application": None}
    assert body["history"][0]["cause"] == cause


def test_another_customer_and_an_unknown_one_look_the_same(
    world: World, client: FlaskClient
) -> None:
    me, other = (public(member.customer_id) for member in world.members)
    for path in (f"/v1/customers/{other}/tier", f"/v1/customers/{public(9999)}/tier"):
        assert get(client, path, me)[0] == 404
    assert get(client, f"/v1/customers/{public(9999)}/tier", "bank")[0] == 404
    assert get(client, f"/v1/customers/{me}/tier", "poor")[0] == 403
    assert get(client, f"/v1/customers/{me}/tier", "clerk")[0] == 403


def test_a_customer_who_is_no_member_has_no_tier(world: World, client: FlaskClient) -> None:
    with transaction() as session:
        number = customers.register(session, [NewCustomer("fresh")])[0].customer_id
    assert number is not None
    assert get(client, f"/v1/customers/{public(number)}/tier", "bank")[0] == 404


def test_which_programme_is_said_where_there_are_several(world: World, client: FlaskClient) -> None:
    with transaction() as session:
        programmes.open_programme(session, "second", name_zh="二", name_en="Second")
    path = f"/v1/customers/{public(world.member.customer_id)}/tier"
    status, body = get(client, path, "bank")
    assert (status, body["errors"][0]["parameter"]) == (422, "programme")
    assert get(client, f"{path}?programme=vip", "bank")[0] == 200
    assert get(client, f"{path}?programme=second", "bank")[0] == 404
    assert get(client, f"{path}?programme=third", "bank")[0] == 404


def test_anybody_with_a_token_reads_the_ladder(world: World, client: FlaskClient) -> None:
    status, body = get(client, "/v1/programmes/vip/tiers", public(world.member.customer_id))
    assert (status, body["version"], body["effective_from"]) == (200, 1, None)
    assert [tier["code"] for tier in body["tiers"]] == ["standard", "gold", "platinum", "diamond"]
    assert get(client, "/v1/programmes/nowhere/tiers", "bank")[0] == 404
    assert get(client, "/v1/programmes/vip/tiers", "stranger")[0] == 401
