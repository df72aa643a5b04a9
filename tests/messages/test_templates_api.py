"""Templates by proposal: checked when proposed and when approved, by two others; stops by one."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import messages
from loyalty.database import transaction
from tests.callers import Client, add_person
from tests.messages.builders import add_customers
from tests.servers import Database

BODY: dict[str, Any] = {
    "code": "points-notice",
    "class": "service",
    "purpose": "service",
    "name": {"zh": "积分通知", "en": "Points notice"},
    "contents": {"sms": {"zh": {"body": "您有 {points} 分。"}}},
    "placeholders": {"points": "whole"},
}


@pytest.fixture
def application(database: Database) -> FlaskClient:
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    add_customers()
    return build().test_client()


@pytest.fixture
def maker(application: FlaskClient) -> Client:
    return add_person(application, "marketing_maker")


def agree(application: FlaskClient, role: str, proposal: dict[str, Any]) -> Any:
    decision = {"decision": "approve", "digest": proposal["digest"]}
    return add_person(application, role).post(
        f"/v1/proposals/{proposal['proposal_id']}/decisions", decision
    )


def test_a_template_stands_after_two_others_agreed(application: FlaskClient, maker: Client) -> None:
    proposed = maker.post("/v1/message-templates", BODY)
    assert proposed.status_code == 201
    for role in ("consumer_protection", "compliance"):
        with transaction() as session:
            assert messages.newest_templates(session, ["points-notice"]) == {}
        answer = agree(application, role, proposed.json)
        assert answer.status_code < 300, answer.json
    with transaction() as session:
        template = messages.newest_templates(session, ["points-notice"])["points-notice"]
    assert (template.version, template.class_) == (1, "service")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"contents": {"sms": {"zh": {"body": "限时优惠"}}}}, "/contents/sms/zh/body"),
        ({"contents": {"sms": {"zh": {"body": "{{7*7}}"}}}}, "/contents/sms/zh/body"),
        ({"contents": {"sms": {"zh": {"body": "{nobody}"}}}}, "/contents/sms/zh/body"),
        (
            {"contents": {"email": {"zh": {"subject": "a\r\nBcc: b", "body": "x"}}}},
            "/contents/email/zh/value/subject",
        ),
        ({"contents": {"email": {"zh": {"body": "x"}}}}, "/contents/email/zh/subject"),
        ({"purpose": "marketing"}, "/purpose"),
        ({"class": "other"}, "/class"),
    ],
)
def test_what_breaks_a_rule_is_refused_at_its_place(
    maker: Client, change: dict[str, Any], pointer: str
) -> None:
    answer = maker.post("/v1/message-templates", {**BODY, **change})
    assert answer.status_code == 422
    places = [error["pointer"].replace("/value", "") for error in answer.json["errors"]]
    assert pointer.replace("/value", "") in places


def test_one_person_stops_and_others_let_it_go_on(application: FlaskClient) -> None:
    checker = add_person(application, "marketing_checker")
    stop = {"scope": "channel", "name": "sms", "reason": "incident"}
    assert checker.post("/v1/sending-stops", stop).status_code == 201
    with transaction() as session:
        assert [row.name for row in messages.stops_in_force(session)] == ["sms"]
    proposed = checker.post("/v1/sending-resumptions", stop)
    assert proposed.status_code == 201
    for role in ("compliance", "operations"):
        assert agree(application, role, proposed.json).status_code < 300
    with transaction() as session:
        assert messages.stops_in_force(session) == []
