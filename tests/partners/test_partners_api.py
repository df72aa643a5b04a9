"""A partner is opened by two, its secrets are shown once, and it sees nothing but its own.

Attacks A57 (token in the wrong place), A61 (secret shown again), A62 (another partner's rows).
"""

import json
import logging
from typing import Any

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy import text

from loyalty.database import transaction
from loyalty.web import ids
from tests.callers import Client, add_person, add_system
from tests.partners.builders import open_shop
from tests.partners.conftest import House
from tests.staff.conftest import Account, token_for

NAMES = {"zh": "海港城", "en": "Harbour Mall"}
OUTLET = {
    "code": "first",
    "name": {"zh": "一楼", "en": "Ground floor"},
    "address": "外滩 1 号",
    "opening_hours": {"mon": [["09:00", "21:30"]]},
}
MALL = {"code": "mall", "name": NAMES, "outlets": [OUTLET]}
TILL = {
    "name": "till",
    "scopes": ["partners:read", "coupons:redeem"],
    "signature_required": False,
}


@pytest.fixture
def mall(house: House) -> str:
    """The public id of a partner with one outlet."""
    return house.result(house.manager.post("/v1/partners", MALL))["partner_id"]


def add_client(house: House, partner: str, **changes: Any) -> str:
    made = house.manager.post(f"/v1/partners/{partner}/clients", {**TILL, **changes})
    return house.result(made)["client_id"]


def draw(house: House, partner: str, client: str) -> Any:
    """Draw a secret as the console does: with no body and no idempotency key."""
    return house.application.post(
        f"/v1/partners/{partner}/clients/{client}/secrets",
        headers={"Authorization": f"Bearer {house.manager.token}"},
    )


def sign_in(house: House, client: str, secret: str) -> Client:
    account = Account(ids.decode("cli", client), client, secret)
    return Client(house.application, token_for(house.application, account), client)


def may_sign_in(house: House, client: str, secret: str) -> bool:
    answer = house.application.post(
        "/v1/oauth/token", data={"grant_type": "client_credentials"}, auth=(client, secret)
    )
    return answer.status_code == 200


def test_a_partner_opens_once_another_person_has_agreed(house: House) -> None:
    made = house.manager.post("/v1/partners", MALL)
    assert house.finance.get("/v1/partners").get_json()["items"] == []
    opened = house.result(made)
    partner = house.manager.get(f"/v1/partners/{opened['partner_id']}").get_json()
    assert (partner["code"], partner["state"], partner["currency"]) == ("mall", "active", "CNY")
    (outlet,) = house.manager.get(f"/v1/partners/{opened['partner_id']}/outlets").get_json()[
        "items"
    ]
    assert (outlet["code"], outlet["opening_hours"]) == ("first", OUTLET["opening_hours"])


def test_nobody_opens_a_partner_alone(house: House) -> None:
    both = add_person(house.application, "partner_manager", "finance")
    made = both.post("/v1/partners", MALL)
    answer = house.agree(made, both)
    assert answer.get_json(force=True)["type"].endswith("/own-proposal")


def test_the_same_code_is_opened_once(house: House, mall: str) -> None:
    made = house.manager.post("/v1/partners", MALL)
    assert house.agree(made).status_code == 409
    assert len(house.manager.get("/v1/partners").get_json()["items"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"code": "Mall"},
        {"currency": "cny"},
        {"currency": "CNY\n"},
        {"outlets": [OUTLET, OUTLET]},
        {"outlets": [{**OUTLET, "opening_hours": {"mon": [["21:00", "09:00"]]}}]},
        {"outlets": [{**OUTLET, "opening_hours": {"someday": []}}]},
        {"outlets": [{**OUTLET, "opening_hours": {"mon": [["09:00"]]}}]},
        {"outlets": [{**OUTLET, "zone": "Mars/Olympus"}]},
        {"name": {"zh": "海港城"}},
        {"extra": 1},
    ],
)
def test_what_makes_no_sense_is_refused(house: House, change: dict[str, Any]) -> None:
    assert house.manager.post("/v1/partners", {**MALL, **change}).status_code == 422


def test_one_suspends_and_two_let_it_come_back(house: House, mall: str) -> None:
    answer = house.finance.post(f"/v1/partners/{mall}/suspension", {"reason": "fraud"})
    assert (answer.get_json()["state"], answer.get_json()["reason"]) == ("suspended", "fraud")
    change = {"state": "active", "reason": "review_passed"}
    assert house.agree(house.manager.post(f"/v1/partners/{mall}/state", change)).status_code == 200
    assert house.manager.get(f"/v1/partners/{mall}").get_json()["state"] == "active"


def test_a_change_of_state_that_was_overtaken_is_stale(house: House, mall: str) -> None:
    made = house.manager.post(
        f"/v1/partners/{mall}/state", {"state": "ended", "reason": "contract"}
    )
    house.finance.post(f"/v1/partners/{mall}/suspension", {"reason": "fraud"})
    answer = house.agree(made)
    assert answer.status_code == 409
    assert answer.get_json(force=True)["type"].endswith("/proposal-stale")


def test_an_outlet_is_opened_by_two_and_closed_by_one(house: House, mall: str) -> None:
    made = house.manager.post(f"/v1/partners/{mall}/outlets", {**OUTLET, "code": "second"})
    outlet = house.result(made)["outlet_id"]
    path = f"/v1/partners/{mall}/outlets/{outlet}"
    closing = {"is_open": False, "opening_hours": None}
    answer = house.manager.patch(path, closing, match=house.manager.tag(path))
    assert answer.status_code == 204
    found = house.manager.get(f"/v1/partners/{mall}/outlets").get_json()["items"][1]
    assert (found["is_open"], found["opening_hours"], found["code"]) == (False, None, "second")


def test_outlets_come_page_by_page(house: House, mall: str) -> None:
    for number in range(3):
        house.agree(
            house.manager.post(f"/v1/partners/{mall}/outlets", {**OUTLET, "code": f"o{number}"})
        )
    path, seen, cursor = f"/v1/partners/{mall}/outlets", [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = house.manager.get(path, **query).get_json()
        seen += [outlet["code"] for outlet in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["first", "o0", "o1", "o2"]


def test_a_secret_is_shown_once_and_nowhere_again(
    house: House, mall: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = add_client(house, mall)
    answer = draw(house, mall, client)
    secret = answer.get_json()["secret"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert may_sign_in(house, client, secret)
    shown = house.manager.get(f"/v1/partners/{mall}/clients").get_data(as_text=True)
    assert json.loads(shown)["items"][0]["live_secrets"] == 1
    assert secret not in shown
    assert secret not in caplog.text
    assert tables_with(secret) == []


def tables_with(secret: str) -> list[str]:
    """Return every table in which `secret` stands, in whatever column."""
    with transaction() as session:
        tables = (
            session.execute(
                text(
                    "SELECT schemaname || '.' || tablename FROM pg_tables"
                    " WHERE schemaname IN ('loyalty', 'ledger')"
                    " AND has_table_privilege(schemaname || '.' || tablename, 'SELECT')"
                )
            )
            .scalars()
            .all()
        )
        forms = [secret, secret.encode().hex()]
        query = (
            "SELECT count(*) FROM {} AS t WHERE strpos(t::text, :one) + strpos(t::text, :two) > 0"
        )
        return [
            table
            for table in tables
            if session.execute(
                text(query.format(table)), {"one": forms[0], "two": forms[1]}
            ).scalar_one()
        ]


def test_a_rotation_overlaps_until_it_is_ended(house: House, mall: str) -> None:
    client = add_client(house, mall)
    old = draw(house, mall, client).get_json()["secret"]
    new = draw(house, mall, client).get_json()["secret"]
    assert may_sign_in(house, client, old)
    assert may_sign_in(house, client, new)
    assert draw(house, mall, client).status_code == 409
    house.application.post(
        f"/v1/partners/{mall}/clients/{client}/secrets/revocation",
        headers={"Authorization": f"Bearer {house.manager.token}", "Idempotency-Key": "end"},
    )
    assert not may_sign_in(house, client, old)
    assert may_sign_in(house, client, new)


def test_a_revoked_client_and_its_tokens_are_refused(house: House, mall: str) -> None:
    client = add_client(house, mall)
    secret = draw(house, mall, client).get_json()["secret"]
    till = sign_in(house, client, secret)
    assert till.get("/v1/partners/me").status_code == 200
    house.application.post(
        f"/v1/partners/{mall}/clients/{client}/revocation",
        headers={"Authorization": f"Bearer {house.manager.token}", "Idempotency-Key": "end"},
    )
    house.application.application.extensions["quanyi"].tokens.forget()
    assert till.get("/v1/partners/me").status_code == 401
    assert not may_sign_in(house, client, secret)


def test_a_partner_sees_itself_and_nobody_else(house: House, mall: str) -> None:
    client = add_client(house, mall)
    till = sign_in(house, client, draw(house, mall, client).get_json()["secret"])
    other = open_shop("other")
    assert till.get("/v1/partners/me").get_json()["partner_id"] == mall
    assert till.get(f"/v1/partners/{mall}/outlets").status_code == 200
    theirs = ids.encode("prt", other.partner)
    nobodys = ids.encode("prt", 999_999)
    for rest in ("", "/outlets"):
        answers = [till.get(f"/v1/partners/{one}{rest}") for one in (theirs, nobodys)]
        assert [answer.status_code for answer in answers] == [404, 404]
        bodies = [{**answer.get_json(force=True), "instance": ""} for answer in answers]
        assert bodies[0] == bodies[1]


def test_a_client_is_reached_through_its_own_partner_alone(house: House, mall: str) -> None:
    other = open_shop("other")
    assert draw(house, mall, other.account.client_id).status_code == 404
    made = house.manager.post(
        f"/v1/partners/{mall}/clients", {**TILL, "outlets": [ids.encode("otl", other.outlet)]}
    )
    assert made.status_code == 404


def test_a_client_of_the_banks_is_no_partners(house: House, mall: str) -> None:
    bank = add_system(house.application, "partners:read", "settlements:read")
    assert bank.get(f"/v1/partners/{mall}").status_code == 403
    assert draw(house, mall, bank.name).status_code == 404


def test_a_partner_gets_no_scope_of_the_banks(house: House, mall: str) -> None:
    made = house.manager.post(f"/v1/partners/{mall}/clients", {**TILL, "scopes": ["points:spend"]})
    assert made.status_code == 422


def test_a_sandbox_client_reaches_only_what_is_made_for_it(house: House, mall: str) -> None:
    client = add_client(house, mall, sandbox=True)
    till = sign_in(house, client, draw(house, mall, client).get_json()["secret"])
    assert till.get("/v1/partners/me").status_code == 403


def test_a_token_counts_in_its_header_alone(house: House, mall: str) -> None:
    client = add_client(house, mall)
    token = sign_in(house, client, draw(house, mall, client).get_json()["secret"]).token
    for query in ({"access_token": token}, {"token": token}, {"authorization": f"Bearer {token}"}):
        answer = house.application.get("/v1/partners/me", query_string=query)
        assert answer.status_code == 401
    header = {"Cookie": f"access_token={token}", "X-Access-Token": token}
    assert house.application.get("/v1/partners/me", headers=header).status_code == 401


def test_a_public_key_is_registered_and_revoked(house: House, mall: str) -> None:
    client = add_client(house, mall)
    key = OKPKey.generate_key("Ed25519")
    path = f"/v1/partners/{mall}/clients/{client}/keys"
    public = {name: key.as_dict(private=False)[name] for name in ("kty", "crv", "x")}
    answer = house.manager.post(path, public)
    assert answer.get_json()["key_id"] == key.thumbprint()
    assert house.manager.post(path, {**public, "d": "x"}).status_code == 422
    assert house.manager.post(path, {**public, "x": "AAAA"}).status_code == 422
    ended = house.application.post(
        f"{path}/{key.thumbprint()}/revocation",
        headers={"Authorization": f"Bearer {house.manager.token}", "Idempotency-Key": "end"},
    )
    assert ended.status_code == 204
    assert house.manager.get(f"/v1/partners/{mall}/clients").get_json()["items"][0]["key_ids"] == []


def test_a_clerks_password_is_shown_once(house: House, mall: str) -> None:
    outlet = house.manager.get(f"/v1/partners/{mall}/outlets").get_json()["items"][0]["outlet_id"]
    answer = house.application.post(
        f"/v1/partners/{mall}/clerks",
        json={"outlet_id": outlet, "login": "wang.fang", "name": "王芳"},
        headers={"Authorization": f"Bearer {house.manager.token}"},
    )
    assert answer.status_code == 201
    password = answer.get_json()["password"]
    (clerk,) = house.manager.get(f"/v1/partners/{mall}/clerks").get_json()["items"]
    assert (clerk["login"], clerk["is_enabled"]) == ("wang.fang", True)
    assert tables_with(password) == []
