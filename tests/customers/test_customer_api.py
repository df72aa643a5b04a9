"""The routes: who may call them, what they answer, what they leave in the audit trail."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from loyalty import vault
from loyalty.database import transaction
from loyalty.web import ids
from tests.customers.conftest import WANG, bearer, erase, erase_by_two, register

PERSON = {
    "reference": "B-0001",
    "name": "王小明",
    "phone": "138 1234 5678",
    "email": "wang@example.com",
    "birthday": "1990-05-17",
}
MASKED = {
    "name": "王**",
    "phone": "138****5678",
    "email": "w***@example.com",
    "birthday": "****-**-**",
}


def post_customers(client: FlaskClient, *people: dict[str, Any], key: str = "k1") -> TestResponse:
    return client.post("/v1/customers", json={"customers": people}, headers=bearer("bank", key))


def public_id(number: int) -> str:
    return ids.encode("cus", number)


def trail(action: str) -> list[tuple[str, str, Any]]:
    with transaction() as session:
        rows = session.execute(
            text(
                "SELECT actor_id, subject_id, detail FROM loyalty.audit_events"
                " WHERE action = :action ORDER BY id"
            ),
            {"action": action},
        )
        return [(row.actor_id, row.subject_id, row.detail) for row in rows]


def pointers(response: TestResponse) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in response.get_json()["errors"]]


def test_a_registered_customer_is_answered_with_an_id_and_leaves_a_row(
    client: FlaskClient,
) -> None:
    response = post_customers(client, PERSON)
    assert response.status_code == 201
    result = response.get_json()["customers"][0]
    assert result["outcome"] == "registered"
    assert ids.decode("cus", result["customer_id"]) > 0
    assert trail("customer.registered") == [("cli_0000000000001", result["customer_id"], None)]


def test_registering_again_under_another_key_answers_the_same_id(client: FlaskClient) -> None:
    first = post_customers(client, PERSON).get_json()["customers"][0]
    again = post_customers(client, PERSON, key="k2").get_json()["customers"][0]
    assert again == {**first, "outcome": "known"}
    assert len(trail("customer.registered")) == 1


def test_one_customer_with_other_content_is_a_conflict(client: FlaskClient) -> None:
    post_customers(client, PERSON)
    response = post_customers(client, {**PERSON, "name": "王小红"}, key="k2")
    assert response.status_code == 409
    assert response.get_json()["type"].endswith("/problems/reference-taken")


def test_in_a_list_only_the_conflicting_one_is_refused(client: FlaskClient) -> None:
    post_customers(client, PERSON)
    response = post_customers(
        client, {**PERSON, "name": "王小红"}, {"reference": "B-0002"}, key="k2"
    )
    assert response.status_code == 201
    first, second = response.get_json()["customers"]
    assert (first["customer_id"], first["outcome"]) == (None, "refused")
    assert first["problem"] == "reference-taken"
    assert second["outcome"] == "registered"


@pytest.mark.parametrize(
    ("person", "expected"),
    (
        ({}, ("/customers/0/reference", "required")),
        ({"reference": 7}, ("/customers/0/reference", "text")),
        ({"reference": "a b"}, ("/customers/0/reference", "reference")),
        ({"reference": "4111111111111111"}, ("/customers/0/reference", "card_number")),
        ({"reference": "A", "name": "4111 1111 1111 1111"}, ("/customers/0/name", "card_number")),
        ({"reference": "A", "phone": "123"}, ("/customers/0/phone", "phone")),
        ({"reference": "A", "email": "x"}, ("/customers/0/email", "email")),
        ({"reference": "A", "birthday": "17.5.1990"}, ("/customers/0/birthday", "day")),
        ({"reference": "A", "birthday": "2999-01-01"}, ("/customers/0/birthday", "range")),
        (
            {"reference": "A", "branch_id": "unt_0000000000099"},
            ("/customers/0/branch_id", "unknown"),
        ),
        ({"reference": "A", "invented": True}, ("/customers/0/invented", "unknown")),
        ({"reference": "A", "name": None}, ("/customers/0/name", "null")),
    ),
)
def test_a_wrong_field_is_pointed_to(
    client: FlaskClient, person: dict[str, Any], expected: tuple[str, str]
) -> None:
    response = post_customers(client, person)
    assert response.status_code == 422
    assert pointers(response) == [expected]


def test_more_than_a_thousand_are_refused_and_none_too(client: FlaskClient) -> None:
    for people in ([], [{"reference": f"A{n}"} for n in range(1001)]):
        response = post_customers(client, *people)
        assert pointers(response) == [("/customers", "length")]


def test_the_bank_and_the_customer_see_the_customer_masked(client: FlaskClient) -> None:
    path = f"/v1/customers/{public_id(register(WANG)[0])}"
    for caller in ("bank", path.rpartition("/")[2]):
        answer = client.get(path, headers=bearer(caller)).get_json()
        assert (answer["person"], answer["state"]) == (MASKED, "active")


def test_a_customer_sees_nobody_else(client: FlaskClient) -> None:
    mine, other = register(WANG, type(WANG)("B-0002"))
    answers = [
        client.get(f"/v1/customers/{public_id(number)}", headers=bearer(public_id(mine)))
        for number in (other, 999)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].get_json()["detail"] == answers[1].get_json()["detail"]


def test_an_erased_customer_is_shown_as_such(client: FlaskClient) -> None:
    number = register(WANG)[0]
    erase(number)
    answer = client.get(f"/v1/customers/{public_id(number)}", headers=bearer("bank")).get_json()
    assert (answer["state"], answer["person"]) == ("erased", None)


@pytest.mark.parametrize("by", ({"reference": "B-0001"}, {"phone": "+86 138-1234-5678"}))
@pytest.mark.parametrize("caller", ("bank", "support"))
def test_a_search_answers_masked_and_leaves_a_row_without_what_was_searched(
    client: FlaskClient, by: dict[str, str], caller: str
) -> None:
    number = register(WANG)[0]
    response = client.post(
        "/v1/customers/search",
        json={**by, "purpose": "service-request"},
        headers=bearer(caller),
    )
    found = response.get_json()["customers"]
    assert [(one["id"], one["person"]) for one in found] == [(public_id(number), MASKED)]
    how = next(iter(by))
    (row,) = trail("customer.searched")
    assert row[1:] == (how, {"by": how, "purpose": "service-request", "found": 1})


@pytest.mark.parametrize(
    ("body", "expected"),
    (
        ({"reference": "B-0001"}, ("/purpose", "required")),
        ({"reference": "B-0001", "purpose": "curiosity"}, ("/purpose", "choice")),
        ({"purpose": "complaint"}, ("", "one_of_two")),
        ({"reference": "A", "phone": "13812345678", "purpose": "complaint"}, ("", "one_of_two")),
        ({"phone": "123", "purpose": "complaint"}, ("/phone", "phone")),
        ({"name": "王小明", "purpose": "complaint"}, ("/name", "unknown")),
    ),
)
def test_a_search_without_purpose_or_target_is_refused(
    client: FlaskClient, body: dict[str, str], expected: tuple[str, str]
) -> None:
    response = client.post("/v1/customers/search", json=body, headers=bearer("support"))
    assert expected in pointers(response)
    assert trail("customer.searched") == []


def test_a_person_is_revealed_for_a_purpose_and_leaves_a_row(client: FlaskClient) -> None:
    cus = public_id(register(WANG)[0])
    response = client.post(
        f"/v1/customers/{cus}/reveal", json={"purpose": "complaint"}, headers=bearer("support")
    )
    assert response.get_json() == {
        "customer_id": cus,
        "name": "王小明",
        "phone": "+8613812345678",
        "email": "wang@example.com",
        "birthday": "1990-05-17",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert trail("customer.revealed") == [("stf_0000000000001", cus, {"purpose": "complaint"})]


def test_nobody_is_revealed_without_a_purpose(client: FlaskClient) -> None:
    cus = public_id(register(WANG)[0])
    response = client.post(f"/v1/customers/{cus}/reveal", json={}, headers=bearer("support"))
    assert pointers(response) == [("/purpose", "required")]
    assert trail("customer.revealed") == []


def test_two_people_erase_and_anybody_can_check_the_receipt(client: FlaskClient) -> None:
    number = register(WANG)[0]
    path = f"/v1/customers/{public_id(number)}/erasure"
    assert client.get(path, headers=bearer("head")).status_code == 404
    done = erase_by_two(client, public_id(number))
    assert (done.status_code, done.get_json()["state"]) == (200, "applied")
    answer = client.get(path, headers=bearer("head")).get_json()
    receipt = vault.Receipt(number, answer["statement"], bytes.fromhex(answer["signature"]))
    assert vault.is_genuine(receipt, bytes.fromhex(answer["public_key"]))
    assert done.get_json()["end"]["result"] == {
        "statement": answer["statement"],
        "signature": answer["signature"],
    }
    assert (answer["reason"], answer["keys_destroyed"]) == ("customer-request", 1)
    assert answer["look_ups_destroyed"] == 1
    ((actor, subject, detail),) = trail("customer.erased")
    assert (actor, subject) == ("stf_0000000000002", public_id(number))
    assert detail == {
        "reason": "customer-request",
        "proposal": done.get_json()["proposal_id"],
    }
    again = client.post(path, json={"reason": "legal-order"}, headers=bearer("officer", "e3"))
    assert (again.status_code, again.get_json()["type"].rpartition("/")[2]) == (
        409,
        "customer-erased",
    )
    refused = client.post(
        f"/v1/customers/{public_id(number)}/reveal",
        json={"purpose": "complaint"},
        headers=bearer("support"),
    )
    assert refused.status_code == 409


def test_nobody_erases_alone(client: FlaskClient) -> None:
    number = register(WANG)[0]
    proposal = client.post(
        f"/v1/customers/{public_id(number)}/erasure",
        json={"reason": "customer-request"},
        headers=bearer("officer", "e1"),
    ).get_json()
    refused = client.post(
        f"/v1/proposals/{proposal['proposal_id']}/decisions",
        json={"decision": "approve", "digest": proposal["digest"]},
        headers=bearer("officer", "e2"),
    )
    assert (refused.status_code, refused.get_json()["type"].rpartition("/")[2]) == (
        409,
        "own-proposal",
    )
    with transaction() as session:
        assert vault.find_receipt(session, number) is None
        assert vault.erased(session, [number]) == set()


def test_a_token_sees_one_customer_and_allows_no_more_than_its_giver_may(
    client: FlaskClient,
) -> None:
    cus = public_id(register(WANG)[0])
    path = f"/v1/customers/{cus}/tokens"
    response = client.post(path, json={"scopes": ["points:read"]}, headers=bearer("bank"))
    assert response.status_code == 201
    answer = response.get_json()
    assert (answer["token_type"], answer["scopes"]) == ("Bearer", ["points:read"])
    assert 0 < answer["expires_in"] <= 600
    assert trail("customer.token_issued") == [
        ("cli_0000000000001", cus, {"scopes": ["points:read"]})
    ]
    greedy = client.post(path, json={"scopes": ["points:spend"]}, headers=bearer("bank"))
    assert greedy.get_json()["type"].endswith("/insufficient-scope")


def test_no_token_is_given_for_an_erased_customer_or_nobody(client: FlaskClient) -> None:
    number = register(WANG)[0]
    erase(number)
    for known, status in ((number, 409), (999, 404)):
        path = f"/v1/customers/{public_id(known)}/tokens"
        body = {"scopes": ["points:read"]}
        assert client.post(path, json=body, headers=bearer("bank")).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body", "refused"),
    (
        ("POST", "/v1/customers", {"customers": [{"reference": "A"}]}, ("poor", "head", "me")),
        ("GET", "/v1/customers/{}", None, ("poor", "support", "head")),
        (
            "POST",
            "/v1/customers/search",
            {"reference": "A", "purpose": "complaint"},
            ("poor", "viewer", "me"),
        ),
        ("POST", "/v1/customers/{}/reveal", {"purpose": "complaint"}, ("bank", "viewer", "me")),
        (
            "POST",
            "/v1/customers/{}/erasure",
            {"reason": "legal-order"},
            ("bank", "support", "head", "viewer", "me"),
        ),
        ("GET", "/v1/customers/{}/erasure", None, ("bank", "support", "viewer", "me")),
        ("POST", "/v1/customers/{}/tokens", {"scopes": ["points:read"]}, ("poor", "head", "me")),
    ),
)
def test_nobody_else_may_call(
    client: FlaskClient, method: str, path: str, body: Any, refused: tuple[str, ...]
) -> None:
    cus = public_id(register(WANG)[0])
    for caller in refused:
        name = cus if caller == "me" else caller
        response = client.open(
            path.format(cus), method=method, json=body, headers=bearer(name, "k1")
        )
        assert response.status_code == 403, caller
    assert client.open(path.format(cus), method=method, json=body).status_code == 401
