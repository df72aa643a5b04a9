"""Contents: places are filled once and nothing else is understood; services carry no offer.

Acceptance 11 (a service template with an offer is refused at approval and again at send) and
attack A66 (templates that would compute).
"""

from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.messages import placeholders
from loyalty.messages.rules import Sender, Template, Unsendable, check_contents, compose, offers
from loyalty.web import Refused
from tests.messages.builders import SERVICE, add_customers, add_template, ask, decide, rows
from tests.servers import Database

SENDER = Sender("某银行", "95500", frozenset({"bank.example"}))
HOSTILE = [
    "{{7*7}}",
    "{{''.__class__.__mro__}}",
    "{x.__class__}",
    "{x[0]}",
    "{x!r}",
    "{x:>10}",
    "{x|attr('a')}",
    "{0}",
    "{}",
    "{",
    "}",
    "{% if 1 %}",
    "${7*7}{",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_would_compute_is_refused_where_a_template_is_written(text: str) -> None:
    assert placeholders.check(text, {"x": "text"})


@pytest.mark.parametrize("value", [*HOSTILE, "%s", "{x}", "%(x)s", "{{x}}"])
def test_a_value_is_put_in_as_it_is(value: str) -> None:
    assert placeholders.fill("a{x}b{x}", {"x": value}) == f"a{value}b{value}"


@given(st.text(), st.text())
def test_filling_changes_the_places_and_nothing_else(text: str, value: str) -> None:
    if not placeholders.check(text, {"x": "text"}):
        assert placeholders.fill(text, {"x": value}) == value.join(text.split("{x}"))


@pytest.mark.parametrize("value", ["a\r\nBcc: b@c.de", "a\nb", "a\0b", "a\u2028b"])
def test_a_line_end_is_no_value(value: str) -> None:
    assert placeholders.check_filling({"x": "text"}, {"x": value}) == ["x"]


def mail(class_: str, subject: str, body: str) -> Template:
    contents = {"email": {"zh": {"subject": subject, "body": body}}}
    return Template(1, "t", 1, class_, "p", contents, {"x": "text"}, b"")


def test_a_line_end_in_a_subject_is_not_sent() -> None:
    with pytest.raises(Unsendable):
        compose(mail("service", "{x}", "b"), "email", "zh", {"x": "a\r\nBcc: b"}, "c", SENDER, "")


def test_html_is_escaped() -> None:
    hostile = "<script>alert(1)</script>&\"'"
    message = compose(mail("service", "s", "{x}"), "email", "zh", {"x": hostile}, "c", SENDER, "")
    assert "<script" not in message.html
    assert "&lt;script&gt;" in message.html


def test_marketing_mail_says_so_and_can_be_refused_with_one_click() -> None:
    message = compose(
        mail("marketing", "s", "b"), "email", "zh", {}, "c", SENDER, "https://bank.example/u"
    )
    assert message.subject.startswith("广告")
    assert dict(message.headers) == {
        "List-Unsubscribe": "<https://bank.example/u>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert "https://bank.example/u" in message.text
    assert "某银行" in message.text


OFFERS = ["限时五折优惠", "立即申请贷款", "Get 20% off", "满100减20", "见 https://other.example/x"]
NOTICES = [
    "您的优惠券将于明日到期",
    "您有 120 分将到期",
    "本信息不是营销",
    "详情见 https://bank.example/points",
]


@pytest.mark.parametrize("words", OFFERS)
def test_an_offer_is_found(words: str) -> None:
    assert offers(words, SENDER)
    contents = {"sms": {"zh": {"body": words}}}
    found = check_contents("service", contents, {}, SENDER)
    assert {fault.rule for fault in found} == {"msg.service.no-promo"}
    assert check_contents("marketing", contents, {}, SENDER) == []


@pytest.mark.parametrize("words", NOTICES)
def test_a_notice_is_no_offer(words: str) -> None:
    assert offers(words, SENDER) == []


def test_a_service_template_with_an_offer_is_refused_at_approval(both: Database) -> None:
    add_customers()
    contents: dict[str, Any] = {"sms": {"zh": {"body": "限时优惠"}}}
    with pytest.raises(Refused) as refused:
        add_template({**SERVICE, "placeholders": {}, "contents": contents})
    assert refused.value.errors[0]["code"] == "msg.service.no-promo"


def test_and_again_at_send(both: Database) -> None:
    """Whoever slips an offer into what was approved, or into what is filled in, sends nothing."""
    (customer,) = add_customers()
    add_template(placeholders={**SERVICE["placeholders"], "day": "text"})
    ask(customer, filling={"points": "1", "day": "限时优惠"})
    with psycopg.connect(both.superuser_url) as connection:
        connection.execute("ALTER TABLE loyalty.template_versions DISABLE TRIGGER USER")
    decide()
    assert rows(both.superuser_url, "SELECT verdict, primary_rule FROM loyalty.decisions") == [
        ("DENY", "msg.service.no-promo")
    ]


def test_marketing_cannot_call_itself_a_service(both: Database) -> None:
    add_customers()
    with pytest.raises(Refused) as refused:
        add_template({**SERVICE, "purpose": "marketing"})
    assert refused.value.errors[0]["code"] == "purpose"
