"""Dispatch: a request is decided once, leaves once, and says what the template says."""

from tests.messages.builders import (
    FILLING,
    add_customers,
    add_template,
    ask,
    decide,
    inbox_of,
    rows,
    send,
)
from tests.servers import Database


def test_a_service_message_reaches_the_inbox(both: Database) -> None:
    (customer,) = add_customers()
    add_template()
    assert ask(customer).outcome == "queued"
    assert decide().allowed == 1
    assert send() == 1
    (message,) = inbox_of(customer)
    assert message.title == "积分到期提醒"
    assert message.body.startswith("您有 120 分将于 2026-12-31 到期。")
    assert (decide().total, send()) == (0, 0)


def test_the_same_reference_is_one_request(both: Database) -> None:
    (customer,) = add_customers()
    add_template()
    first, again = ask(customer), ask(customer)
    assert (again.outcome, again.request_id) == ("known", first.request_id)
    assert ask(customer, filling={**FILLING, "points": "9"}).outcome == "reference-reused"
    assert decide().total == 1


def test_what_makes_no_sense_is_refused_in_its_answer(both: Database) -> None:
    (customer,) = add_customers()
    add_template()
    assert ask(customer, template="none").outcome == "template-unknown"
    assert ask(customer, channel="sms", language="en").outcome == "template-without-words"
    assert ask(customer, filling={"points": "many", "day": "2026-12-31"}).outcome == "filling"
    assert ask(customer, filling={**FILLING, "more": "1"}).outcome == "filling"
    assert ask(10**9).outcome == "customer-unknown"
    assert rows(both.superuser_url, "SELECT count(*) FROM loyalty.send_requests") == [(0,)]


def test_a_decision_holds_every_rule_and_its_inputs(both: Database) -> None:
    (customer,) = add_customers()
    add_template()
    ask(customer)
    decide()
    ((verdict, results, inputs, approval),) = rows(
        both.superuser_url,
        "SELECT verdict, results, inputs, approval FROM loyalty.decisions",
    )
    assert (verdict, approval) == ("ALLOW", None)
    assert results["consent.marketing.required"] == "n/a"
    assert results["gov.gate-up"] == "passes"
    assert inputs["template"]["class"] == "service"
    assert "王1" not in str(inputs)
    assert "13800000001" not in str(inputs)


def test_whom_nothing_reaches_is_not_written_to(both: Database) -> None:
    (customer,) = add_customers(email=None)
    add_template()
    ask(customer, channel="email")
    assert decide().denied == 1
    ((rule,),) = rows(both.superuser_url, "SELECT primary_rule FROM loyalty.decisions")
    assert rule == "contact.verified"
