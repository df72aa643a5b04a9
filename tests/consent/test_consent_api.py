"""Consent over HTTP: agreeing takes what was shown; taking back takes one call, no content."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty.web import ids
from tests.callers import Client, add_person, add_system, as_customer, pointers, problem, trail
from tests.consent.builders import World, snapshot

SCOPES = ("consents:read", "consents:write")


@pytest.fixture
def bank(application: FlaskClient) -> Client:
    return add_system(
        application,
        *SCOPES,
        "consents:report",
        "contacts:write",
        "eligibility:report",
        "suppressions:write",
    )


@pytest.fixture
def wang(application: FlaskClient, bank: Client, world: World) -> Client:
    return as_customer(application, bank, world.wang, *SCOPES)


def agree(wang: Client, world: World, **changed: Any) -> Any:
    notice = ids.encode("ntc", world.notices["offers"].id)
    shown = wang.post(
        "/v1/customers/me/presentations",
        {
            "notice_id": notice,
            "channel": "SMS",
            "language": "zh",
            "surface": "my-consents",
            "form_version": "7",
        },
    )
    assert shown.status_code == 201
    body = {
        "purpose": "offers",
        "channel": "SMS",
        "action": "GRANT",
        "notice_id": notice,
        "presentation_id": shown.get_json()["presentation_id"],
        **changed,
    }
    return wang.post("/v1/customers/me/consents", body)


def states(caller: Client, customer: str = "me") -> dict[tuple[str, str], str]:
    found = caller.get(f"/v1/customers/{customer}/consents").get_json()["consents"]
    return {(state["purpose"], state["channel"]): state["status"] for state in found}


def test_a_customer_agrees_to_what_was_shown_and_takes_it_back_with_an_empty_body(
    world: World, wang: Client
) -> None:
    assert states(wang) == {}
    agreed = agree(wang, world)
    assert (agreed.status_code, agreed.get_json()["status"]) == (201, "GRANTED")
    assert states(wang) == {("offers", "SMS"): "GRANTED"}
    assert snapshot(world.wang).standing.is_granted
    gone = wang.post("/v1/customers/me/withdrawals", {})
    assert gone.status_code == 201
    assert set(states(wang).values()) == {"WITHDRAWN"}
    assert not snapshot(world.wang).standing.is_granted
    assert [action for _, _, action in trail("consent.recorded")] == [
        {"purpose": "offers", "channel": "SMS", "action": "GRANT"}
    ]


def test_agreeing_takes_a_presentation_and_nothing_ticked_beforehand(
    world: World, wang: Client
) -> None:
    refused = agree(wang, world, presentation_id=None)
    assert problem(refused) == (422, "notice-not-shown")
    ticked = wang.post(
        "/v1/customers/me/presentations",
        {
            "notice_id": ids.encode("ntc", world.notices["offers"].id),
            "channel": "SMS",
            "language": "zh",
            "surface": "app",
            "form_version": "7",
            "default_checked": True,
        },
    )
    assert problem(ticked) == (422, "ticked-before")
    assert states(wang) == {}


def test_after_a_refusal_we_do_not_ask_and_the_customer_may_still_agree(
    world: World, wang: Client
) -> None:
    refuse = {"purpose": "offers", "channel": "SMS", "action": "REFUSE"}
    assert wang.post("/v1/customers/me/consents", refuse).status_code == 201
    asked = wang.post(
        "/v1/customers/me/presentations",
        {
            "notice_id": ids.encode("ntc", world.notices["offers"].id),
            "channel": "SMS",
            "language": "zh",
            "surface": "app",
            "form_version": "7",
            "prompted": True,
        },
    )
    assert problem(asked) == (409, "asked-too-often")
    assert agree(wang, world).get_json()["status"] == "GRANTED"


def test_a_receipt_has_the_fields_of_the_standard_and_what_was_shown(
    world: World, wang: Client
) -> None:
    agreed = agree(wang, world).get_json()
    wang.post("/v1/customers/me/withdrawals", {"purpose": "offers", "channel": "SMS"})
    page = wang.get("/v1/customers/me/receipts", limit=1).get_json()
    assert [one["event"]["action"] for one in page["items"]] == ["WITHDRAW"]
    rest = wang.get("/v1/customers/me/receipts", cursor=page["next_cursor"]).get_json()
    (receipt,) = rest["items"]
    assert wang.get(f"/v1/customers/me/receipts/{agreed['consent_id']}").get_json() == receipt
    notice = world.notices["offers"]
    assert receipt["record"]["schema_version"] == "ISO/IEC TS 27560:2023"
    assert receipt["record"]["record_id"] == agreed["consent_id"]
    told = receipt["pii_processing"]
    assert told["privacy_notice"]["shown"]["sha256"] == notice.sha256_zh.hex()
    assert (told["controller"], told["purposes"][0]["code"]) == ("总行", "offers")
    assert told["withdrawal"].endswith("/withdrawals")
    assert receipt["state"]["status"] == "WITHDRAWN"
    nobody = ids.encode("cst", 999_999)
    assert problem(wang.get(f"/v1/customers/me/receipts/{nobody}")) == (404, "not-found")


def test_a_system_reports_with_proof_and_each_event_gets_its_own_answer(
    world: World, bank: Client
) -> None:
    event = {
        "customer_id": ids.encode("cus", world.li),
        "purpose": "offers",
        "channel": "CALL",
        "action": "GRANT",
        "mechanism": "CALL",
        "reference": "call-1",
        "notice_id": ids.encode("ntc", world.notices["offers"].id),
        "proof": {"call_record": "rec-77"},
    }
    unproved = {**event, "reference": "call-2", "proof": {"form": "f"}}
    answer = bank.post("/v1/consents", {"events": [event, unproved]})
    done = answer.get_json()["events"]
    assert [one["problem"] for one in done] == [None, "consent-unproved"]
    again = bank.post("/v1/consents", {"events": [event]}).get_json()["events"][0]
    assert (again["repeated"], again["consent_id"]) == (True, done[0]["consent_id"])
    assert snapshot(world.li, channel="CALL").standing.is_granted
    personal = {**event, "reference": "call-3", "proof": {"call_record": "13812345678"}}
    assert bank.post("/v1/consents", {"events": [personal]}).get_json()["events"][0]["problem"] == (
        "proof-not-opaque"
    )
    unknown = {**event, "proof": {"name": "王小明"}}
    assert problem(bank.post("/v1/consents", {"events": [unknown]})) == (422, "invalid-content")


def test_wishes_are_set_and_read(world: World, wang: Client, application: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {wang.token}", "Idempotency-Key": "w1"}
    wishes = {"weekly_cap": 1, "topics_off": ["loans"], "hours_from": "09:00"}
    path = "/v1/customers/me/preferences"
    refused = application.put(path, json=wishes, headers=headers)
    assert pointers(refused) == [("/hours_until", "hours")]
    wishes["hours_until"] = "18:00"
    kept = application.put(path, json=wishes, headers={**headers, "Idempotency-Key": "w2"})
    assert kept.status_code == 200
    assert wang.get(path).get_json() == {**wishes, "version": 1, "personalisation_off": False}


def test_contacts_facts_and_stops_come_from_systems_and_end_by_staff(
    world: World, bank: Client, application: FlaskClient
) -> None:
    customer = ids.encode("cus", world.wang)
    point = {"kind": "PHONE", "value": "13812345678"}
    kept = bank.post(f"/v1/customers/{customer}/contact-points", point)
    assert kept.status_code == 201
    assert snapshot(world.wang).contact is not None
    bad = bank.post(f"/v1/customers/{customer}/contact-points", {**point, "value": "1"})
    assert problem(bad) == (422, "not-a-contact")
    fact = {"customer_id": customer, "kind": "risk_grade", "value": "3", "reference": "f1"}
    assert bank.post("/v1/eligibility", {"facts": [fact]}).get_json() == {"facts": 1}
    assert snapshot(world.wang).eligibility.risk_grade == 3
    wrong = {**fact, "value": "9", "reference": "f2"}
    assert problem(bank.post("/v1/eligibility", {"facts": [wrong]})) == (422, "not-a-fact")
    stop = {"customer_id": customer, "scope": "ALL", "reason": "legal-hold", "reference": "s"}
    number = bank.post("/v1/suppressions", stop).get_json()["suppression_id"]
    assert len(snapshot(world.wang).suppressions) == 1
    odd = {**stop, "scope": "CHANNEL"}
    assert pointers(bank.post("/v1/suppressions", odd)) == [("/scope_value", "scope_value")]
    lawyer = add_person(application, "compliance")
    ended = lawyer.post(f"/v1/suppressions/{number}/ends", {"reason": "court-order"})
    assert ended.status_code == 200
    assert snapshot(world.wang).suppressions == ()


def test_staff_look_with_a_reason_and_the_look_is_kept(
    world: World, wang: Client, application: FlaskClient
) -> None:
    agree(wang, world)
    clerk = add_person(application, "support")
    path = f"/v1/customers/{wang.name}/consents/view"
    assert problem(clerk.post(path, {}))[0] == 422
    seen = clerk.post(path, {"purpose": "complaint"}).get_json()
    assert [state["status"] for state in seen["consents"]] == ["GRANTED"]
    assert len(seen["receipts"]) == 1
    assert trail("consent.viewed") == [(clerk.name, wang.name, {"purpose": "complaint"})]


def test_nobody_sees_or_changes_anothers(
    world: World, wang: Client, application: FlaskClient
) -> None:
    other = ids.encode("cus", world.li)
    assert problem(wang.get(f"/v1/customers/{other}/consents")) == (404, "not-found")
    assert problem(wang.post(f"/v1/customers/{other}/withdrawals", {})) == (404, "not-found")
    notices = wang.get("/v1/purposes").get_json()["purposes"]
    assert notices[0]["notice"]["sha256"]["zh"] == world.notices["offers"].sha256_zh.hex()
