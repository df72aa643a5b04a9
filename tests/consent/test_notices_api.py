"""A purpose and what is told of it stand after two others agreed; what is incomplete never does."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import staff
from loyalty.consent.rules import NOTICE_FIELDS
from loyalty.database import transaction
from tests.callers import ADMIN, Client, add_person, pointers, problem
from tests.servers import Database

PURPOSE = {
    "code": "partner-sharing",
    "name": {"zh": "向合作方提供", "en": "Sharing with partners"},
    "is_marketing": False,
    "needs_separate": True,
    "by_channel": False,
}
TOLD = dict.fromkeys(NOTICE_FIELDS, "…")


def notice(**changed: Any) -> dict[str, Any]:
    return {
        "purpose": "partner-sharing",
        "body": {"zh": "告知书\n第一条", "en": "Notice\nOne"},
        "fields": {"zh": TOLD, "en": TOLD},
        "material": True,
        **changed,
    }


@pytest.fixture
def application(database: Database) -> FlaskClient:
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    with transaction() as session:
        staff.add_unit(session, ADMIN, "head_office", "总行")
    return build().test_client()


def agree(proposal: Any, *people: Client) -> str:
    assert proposal.status_code == 201, proposal.json
    body = {"decision": "approve", "digest": proposal.json["digest"]}
    path = f"/v1/proposals/{proposal.json['proposal_id']}/decisions"
    for person in people:
        answer = person.post(path, body)
        assert answer.status_code == 200, answer.json
    return str(answer.json["state"])


def test_two_others_agree_to_a_purpose_and_to_its_notice(application: FlaskClient) -> None:
    maker = add_person(application, "head_office")
    people = [add_person(application, role) for role in ("consumer_protection", "compliance")]
    early = maker.post("/v1/notices", notice())
    assert problem(early) == (422, "unknown-purpose")
    assert agree(maker.post("/v1/purposes", PURPOSE), *people) == "applied"
    assert problem(maker.post("/v1/purposes", PURPOSE)) == (409, "purpose-exists")
    lacking = {"zh": {**TOLD, "rights": " "}, "en": TOLD}
    empty = maker.post("/v1/notices", notice(fields=lacking))
    assert problem(empty)[0] == 422
    without = {"zh": {k: v for k, v in TOLD.items() if k != "rights"}, "en": TOLD}
    refused = maker.post("/v1/notices", notice(fields=without))
    assert problem(refused) == (422, "notice-incomplete")
    assert pointers(refused) == [("/fields/zh/rights", "empty")]
    assert agree(maker.post("/v1/notices", notice()), *people) == "applied"
    (shown,) = maker.get("/v1/purposes").json["purposes"]
    assert (shown["code"], shown["by_channel"], shown["notice"]["version"]) == (
        *("partner-sharing", False),
        1,
    )
    assert shown["notice"]["body"]["zh"] == "告知书\n第一条"


def test_nobody_agrees_to_their_own_notice(application: FlaskClient) -> None:
    maker = add_person(application, "compliance")
    other = add_person(application, "consumer_protection")
    proposed = maker.post("/v1/purposes", PURPOSE)
    body = {"decision": "approve", "digest": proposed.json["digest"]}
    path = f"/v1/proposals/{proposed.json['proposal_id']}/decisions"
    assert maker.post(path, body).status_code in (403, 409)
    assert other.post(path, body).json["state"] == "open"
    assert maker.get("/v1/purposes").json["purposes"] == []
