"""A draft is kept with what is wrong with it; what can only be a mistake is refused in place."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from loyalty.database import transaction
from tests.callers import pointers, problem, trail
from tests.campaigns.builders import BONUS, WORDS, House, document


def test_a_complete_draft_has_nothing_wrong_with_it(house: House) -> None:
    draft = house.draft()
    assert (draft["state"], draft["version"], draft["findings"]) == ("draft", 1, [])
    assert draft["is_submittable"]
    assert house.maker.get(f"/v1/campaigns/{draft['campaign_id']}").json == draft
    assert [who for who, _, _ in trail("campaign.saved")] == [house.maker.name]


def test_a_draft_may_be_unfinished_and_says_what_is_missing(house: House) -> None:
    draft = house.draft(variants=None, schedule=None, offer=None, budget=None)
    assert not draft["is_submittable"]
    missing = {one["pointer"] for one in draft["findings"] if one["rule"] == "missing"}
    assert missing == {"/variants", "/schedule", "/offer", "/budget"}


def test_each_save_is_a_version_that_stays(house: House) -> None:
    draft = house.draft()
    path = f"/v1/campaigns/{draft['campaign_id']}"
    seen = house.maker.tag(path)
    change = {"version": 1, "document": document(control_parts=500)}
    assert problem(house.maker.post(f"{path}/versions", change)) == (428, "precondition-required")
    edited = house.maker.post(f"{path}/versions", change, match=seen)
    assert (edited.status_code, edited.json["version"]) == (201, 2)
    assert edited.json["digest"] != draft["digest"]
    assert edited.headers["ETag"] == house.maker.tag(path) != seen
    overtaken = house.maker.post(f"{path}/versions", change, match=seen)
    assert problem(overtaken) == (412, "precondition-failed")
    late = house.maker.post(f"{path}/versions", change, match=edited.headers["ETag"])
    assert problem(late) == (409, "version-moved")
    with transaction() as session:
        kept = session.scalars(text("SELECT encode(digest, 'hex') FROM campaigns.versions"))
        assert set(kept) == {draft["digest"], edited.json["digest"]}


def test_disclosures_are_put_in_and_stay_as_they_were(house: House) -> None:
    draft = house.draft()
    assert [one["code"] for one in draft["document"]["disclosures"]] == ["points-terms"]
    (told,) = draft["document"]["told"]
    assert told["contents"]["in_app"]["zh"]["body"].endswith("与是否接收营销信息无关。")
    assert draft["document"]["variants"][0]["contents"]["in_app"] == WORDS


def words(**parts: str) -> list[dict[str, Any]]:
    return [{"name": "a", "weight": 1, "contents": {"in_app": {"zh": parts, "en": WORDS["en"]}}}]


AT = "/document/variants/0/contents/in_app/value/zh/value"


@pytest.mark.parametrize(
    "bad",
    [
        "<b>现在</b>",
        "<script>alert(1)</script>",
        "&lt;img src=x&gt;",
        "<!-- -->",
        "&#60;b&#62;",
        "< a href=x>",
    ],
)
def test_markup_is_refused_in_every_text(house: House, bad: str) -> None:
    for changed in (
        {"variants": words(subject="标题", body=bad)},
        {"variants": words(subject=bad, body="正文")},
        {"names": {"zh": bad, "en": "x"}},
        {"draw": {"kinds": {"zh": bad, "en": "x"}}},
    ):
        answer = house.post_draft(**changed)
        assert problem(answer) == (422, "invalid-content"), (changed, answer.data)
        assert [code for _, code in pointers(answer)] == ["markup"]


@pytest.mark.parametrize(
    "bad", ["一\r\nBcc: x@y.example", "一\nX", "\u202e反", "零\u200b宽", "\u2028行"]
)
def test_line_ends_and_hidden_characters_are_refused_in_a_subject(house: House, bad: str) -> None:
    answer = house.post_draft(variants=words(subject=bad, body="正文"))
    assert problem(answer) == (422, "invalid-content")
    assert [code for _, code in pointers(answer)] == ["characters"]


@pytest.mark.parametrize(
    "bad",
    [
        "{{ config }}",
        "{% raw %}",
        "${7*7}",
        "{customer_name.__class__}",
        "{0}",
        "{unknown}",
        "}{",
        "{customer_name!r}",
    ],
)
def test_a_template_s_tricks_are_found_and_keep_it_from_being_submitted(
    house: House, bad: str
) -> None:
    draft = house.draft(variants=words(subject="标题", body=bad))
    found = [one for one in draft["findings"] if one["rule"] == "placeholder"]
    assert found, draft["findings"]
    assert found[0]["pointer"] == "/variants/0/contents/in_app/zh/body"
    assert not draft["is_submittable"]


@pytest.mark.parametrize(
    ("body", "word"),
    [("全市最佳服务。", "最佳"), ("本活动最终解释权归本行所有。", "最终解释权")],
)
def test_forbidden_words_are_found_where_they_stand(house: House, body: str, word: str) -> None:
    draft = house.draft(variants=words(subject="标题", body=body))
    found = next(one for one in draft["findings"] if one["rule"].startswith("content."))
    assert found["pointer"] == "/variants/0/contents/in_app/zh/body"
    start, end = found["span"]
    assert word in body[start:end] or body[start:end] in word
    assert (found["severity"], draft["is_submittable"]) == ("block", False)


def deep(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"field": "points.balance", "is": "ge", "value": 0}
    for _ in range(levels):
        inner = {"not": inner}
    return inner


@pytest.mark.parametrize(
    ("audience", "pointer", "code"),
    [
        (deep(9), "/document/audience" + "/not" * 8, "depth"),
        ({"all": []}, "/document/audience/all", "length"),
        (
            {"field": "accounts.deposits", "is": "ge", "value": 1},
            "/document/audience/field",
            "not_for_marketing",
        ),
        (
            {"field": "credit.score", "is": "ge", "value": 1},
            "/document/audience/field",
            "credit_report",
        ),
        (
            {"field": "device.country", "is": "eq", "value": "CN"},
            "/document/audience/field",
            "antifraud",
        ),
        ({"field": "name", "is": "eq", "value": "x"}, "/document/audience/field", "unknown_field"),
    ],
)
def test_an_audience_that_marketing_may_not_choose_is_refused(
    house: House, audience: Any, pointer: str, code: str
) -> None:
    answer = house.post_draft(audience=audience)
    assert problem(answer) == (422, "invalid-content")
    assert pointers(answer) == [(pointer, code)]


def soon(**more: int) -> str:
    return (datetime.now(UTC) + timedelta(**more)).isoformat()


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"schedule": {"starts_at": soon(days=-1), "ends_at": soon(days=1)}}, "starts_at"),
        ({"schedule": {"starts_at": "2999-01-01T00:00:00", "ends_at": soon()}}, "starts_at"),
        ({"schedule": {"starts_at": soon(days=2), "ends_at": soon(days=1)}}, "ends_at"),
        ({"schedule": {"starts_at": soon(days=1), "ends_at": soon(days=999)}}, "ends_at"),
        ({"budget": {"unit": "points", "amount": 2**63}}, "amount"),
        ({"budget": {"unit": "points", "amount": 2**53}}, "amount"),
        ({"budget": {"unit": "points", "amount": -1}}, "amount"),
        ({"budget": {"unit": "gold", "amount": 1}}, "unit"),
        ({"control_parts": 5_001}, "control_parts"),
        ({"caps": {"day": 2, "week": 3}}, "day"),
        ({"quiet_hours": {"from": 24, "until": 8}}, "from"),
        ({"channels": ["in_app", "in_app"]}, "channels"),
        ({"offer": {"coupon": {"series": "x"}, "earning_rule": BONUS}}, "offer"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused_and_nothing_is_kept(
    house: House, changed: dict[str, Any], pointer: str
) -> None:
    answer = house.post_draft(**changed)
    assert problem(answer) == (422, "invalid-content"), answer.data
    assert any(at.endswith(pointer) for at, _ in pointers(answer)), answer.json["errors"]
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM campaigns.campaigns")) == 0


@pytest.mark.parametrize(
    "rule",
    [
        {**BONUS, "when": {"field": "purchase.category", "is": "eq", "value": "deposit"}},
        {**BONUS, "names": {"zh": "存款送积分", "en": "x"}},
    ],
)
def test_a_reward_for_deposits_is_not_even_kept_as_a_draft(house: House, rule: Any) -> None:
    answer = house.post_draft(offer={"earning_rule": rule})
    assert problem(answer) == (422, "promo.deposit-reward")
    assert pointers(answer)[0][0].startswith("/document/offer/earning_rule/")


def test_a_draw_says_all_fifteen_things_and_gives_nothing_too_dear(house: House) -> None:
    prizes = [{"name": {"zh": "汽车", "en": "Car"}, "count": 1, "value": 5_000_001}]
    draft = house.draft(kind="prize_draw", offer=None, draw={"prizes": prizes})
    rules = [(one["rule"], one["pointer"]) for one in draft["findings"]]
    assert ("promo.draw.max", "/draw/prizes/0/value") in rules
    missing = [at for rule, at in rules if rule == "promo.draw.disclose"]
    assert len(missing) == 12  # with a prize's name, number and value: fifteen


def test_codes_are_taken_once_and_others_may_read_but_not_write(house: House) -> None:
    house.draft()
    assert problem(house.post_draft()) == (409, "campaign-exists")
    assert house.business.get("/v1/campaigns").json["items"][0]["code"] == "spring"
    refused = house.business.post("/v1/campaigns", {"code": "x"})
    assert problem(refused) == (403, "forbidden")
