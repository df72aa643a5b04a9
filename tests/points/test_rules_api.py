"""Earning rules over HTTP: one person proposes, another agrees to just that, and then it counts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from loyalty import points, staff
from loyalty.database import transaction
from loyalty.points.rule_wording import describe
from loyalty.points.rules_schemas import NewRuleSchema, load_document
from loyalty.points.trial import try_rule
from loyalty.tiers import Ladder, Tier, create_ladder, tiers_at
from loyalty.web import Refused, ids
from loyalty.web.validation import load_body
from tests.callers import ADMIN, Client, add_person, add_system, pointers, problem, trail
from tests.points.builders import (
    YESTERDAY,
    World,
    agree,
    balance,
    purchase,
    record,
    recorded,
    refund,
)

BONUS: dict[str, Any] = {"gives": "fixed", "points": 50}
DINING: dict[str, Any] = {"field": "purchase.category", "is": "eq", "value": "5812"}
DELIVERED: dict[str, Any] = {"event": "delivered", "about": "purchase"}
DEPOSIT: dict[str, Any] = {"field": "purchase.category", "is": "in", "value": ["5812", "6012"]}


@pytest.fixture
def maker(world: World, application: FlaskClient) -> Client:
    return add_person(application, "marketing_maker")


@pytest.fixture
def checker(world: World, application: FlaskClient) -> Client:
    return add_person(application, "marketing_checker")


def body(document: dict[str, Any], code: str = "bonus", **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"code": code, "effective_from": now, "document": document, **more}


def propose(maker: Client, document: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = maker.post("/v1/earning-rules", body(document, **more))
    assert answer.status_code == 201, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def decide(checker: Client, rule: dict[str, Any], decision: str = "approve", **more: Any) -> Any:
    path = f"/v1/earning-rules/{rule['rule_id']}/decision"
    return checker.post(path, {"decision": decision, "digest": rule["digest"], **more})


def rules_of(outcome: points.Recorded) -> dict[str, tuple[int, int]]:
    return {r["rule"]: (r["version"], r["points"]) for r in outcome.results if r["points"]}


def just_now() -> datetime:
    with transaction() as session:
        now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return now


def test_a_rule_counts_from_its_date_once_a_second_person_agreed(
    world: World, maker: Client, checker: Client
) -> None:
    rule = propose(maker, BONUS)
    assert (rule["state"], rule["version"], rule["proposed_by"]) == ("proposed", 1, maker.name)
    assert rules_of(recorded(world, purchase("p1", 100, at=just_now()))) == {"base": (1, 1)}
    answer = decide(checker, rule, comment="双十一")
    assert answer.status_code == 200
    decided = answer.get_json()
    assert (decided["state"], decided["digest"]) == ("approved", rule["digest"])
    assert (decided["decision"]["by"], decided["decision"]["comment"]) == (checker.name, "双十一")
    late = recorded(world, purchase("p2", 100, at=just_now()))
    assert rules_of(late) == {"base": (1, 1), "bonus": (1, 50)}
    assert rules_of(recorded(world, purchase("p3", 100))) == {"base": (1, 1)}
    assert trail("rule.proposed")[0][:2] == (maker.name, rule["rule_id"])
    assert trail("rule.approved")[0][2] == {
        "code": "bonus",
        "version": 1,
        "digest": rule["digest"],
    }


def test_a_new_version_counts_from_its_date_and_older_purchases_keep_the_older(
    world: World, maker: Client, checker: Client
) -> None:
    before = recorded(world, purchase("p1", 1_000))
    rule = propose(maker, {"gives": "per_amount", "points": 2, "per": 100}, code="base")
    assert rule["version"] == 2
    decide(checker, rule)
    assert rules_of(recorded(world, purchase("p2", 1_000, at=just_now()))) == {"base": (2, 20)}
    assert rules_of(recorded(world, purchase("p3", 1_000))) == {"base": (1, 10)}
    assert recorded(world, purchase("p1", 1_000)).results == before.results


def test_a_rule_ends_by_a_version_that_gives_nothing(
    world: World, maker: Client, checker: Client
) -> None:
    rule = propose(maker, {"gives": "nothing"}, code="base")
    assert rule["sentence"]["en"] == "The rule ends: it gives nothing any more."
    decide(checker, rule)
    assert recorded(world, purchase("p1", 1_000, at=just_now())).results == []
    assert recorded(world, purchase("p2", 1_000)).points == 10


def test_a_rejected_rule_does_not_count(world: World, maker: Client, checker: Client) -> None:
    rule = propose(maker, BONUS)
    assert decide(checker, rule, "reject").get_json()["state"] == "rejected"
    assert rules_of(recorded(world, purchase("p1", 100, at=just_now()))) == {"base": (1, 1)}
    assert problem(decide(checker, rule)) == (409, "already-decided")
    assert propose(maker, BONUS)["version"] == 2


def test_who_proposed_cannot_agree_whatever_role_they_hold_by_then(
    maker: Client, checker: Client
) -> None:
    rule = propose(maker, BONUS)
    number = ids.decode("stf", maker.name)
    with transaction() as session:
        staff.revoke_role(session, ADMIN, number, "marketing_maker")
        staff.grant_role(session, ADMIN, number, "marketing_checker")
    maker.application.application.extensions["quanyi"].tokens.forget()
    assert problem(decide(maker, rule)) == (409, "same-person")
    assert decide(checker, rule).status_code == 200


def test_agreement_is_to_what_was_read(maker: Client, checker: Client) -> None:
    rule, other = propose(maker, BONUS), propose(maker, {**BONUS, "points": 51})
    for digest in (other["digest"], rule["digest"][:-1], rule["digest"].upper()):
        answer = decide(checker, {**rule, "digest": digest})
        assert problem(answer) == (409, "digest-differs")
    assert checker.get(f"/v1/earning-rules/{rule['rule_id']}").get_json() == rule


def test_equal_documents_with_other_dates_have_other_digests(maker: Client) -> None:
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    once, again = propose(maker, BONUS), propose(maker, BONUS, effective_until=until)
    assert once["document"] == again["document"]
    assert once["digest"] != again["digest"]


def test_a_decision_that_is_rolled_back_is_seen_by_nobody(world: World) -> None:
    with pytest.raises(ZeroDivisionError), transaction() as session:
        agree(session, world.programme, "bonus", BONUS)
        book = points.read_rulebook(session, world.programme)
        assert {rule.code for rule in book.in_force(YESTERDAY)} == {"base", "bonus"}
        raise ZeroDivisionError
    assert rules_of(recorded(world, purchase("p1", 100))) == {"base": (1, 1)}


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ({}, [("/document/gives", "required")]),
        ({"gives": "gold"}, [("/document/gives", "choice")]),
        (
            {"gives": "per_amount"},
            [("/document/per", "required"), ("/document/points", "required")],
        ),
        ({"gives": "fixed"}, [("/document/points", "required")]),
        ({"gives": "multiplier"}, [("/document/times", "required")]),
        ({**BONUS, "per": 100}, [("/document/per", "not_with_gives")]),
        ({**BONUS, "times": [3, 2]}, [("/document/times", "not_with_gives")]),
        ({**BONUS, "rounding": "floor"}, [("/document/rounding", "not_with_gives")]),
        ({"gives": "nothing", "caps": {"day": 1}}, [("/document/caps", "not_with_gives")]),
        ({**BONUS, "points": 0}, [("/document/points", "range")]),
        ({**BONUS, "points": -5}, [("/document/points", "range")]),
        ({**BONUS, "points": 1_000_001}, [("/document/points", "range")]),
        ({**BONUS, "points": 1.5}, [("/document/points", "integer")]),
        ({**BONUS, "points": "50"}, [("/document/points", "integer")]),
        ({**BONUS, "points": True}, [("/document/points", "integer")]),
        ({**BONUS, "points": None}, [("/document/points", "null")]),
        ({"gives": "per_amount", "points": 1, "per": 0}, [("/document/per", "range")]),
        ({"gives": "per_amount", "points": 101, "per": 1}, [("/document/points", "rate")]),
        (
            {"gives": "per_amount", "points": 1, "per": 100, "rounding": "up"},
            [("/document/rounding", "choice")],
        ),
        ({"gives": "multiplier", "times": [1, 2]}, [("/document/times", "times")]),
        ({"gives": "multiplier", "times": [2, 2]}, [("/document/times", "times")]),
        ({"gives": "multiplier", "times": [21, 2]}, [("/document/times", "times")]),
        ({"gives": "multiplier", "times": [3]}, [("/document/times", "length")]),
        ({"gives": "multiplier", "times": [3, 0]}, [("/document/times/1", "range")]),
        ({**BONUS, "caps": {}}, [("/document/caps", "length")]),
        ({**BONUS, "caps": {"week": 5}}, [("/document/caps/week", "unknown")]),
        ({**BONUS, "caps": {"day": 0}}, [("/document/caps/day", "range")]),
        ({**BONUS, "caps": {"day": 2**53}}, [("/document/caps/day", "range")]),
        ({**BONUS, "pending": {}}, [("/document/pending/days", "required")]),
        ({**BONUS, "pending": {"days": 731}}, [("/document/pending/days", "range")]),
        ({**BONUS, "expiry": {}}, [("/document/expiry", "months_or_years")]),
        (
            {**BONUS, "expiry": {"months": 1, "years": 1}},
            [("/document/expiry", "months_or_years")],
        ),
        ({**BONUS, "expiry": {"months": 121}}, [("/document/expiry/months", "range")]),
        ({**BONUS, "expiry": {"years": 0}}, [("/document/expiry/years", "range")]),
        (
            {**BONUS, "expiry": {"years": 1, "round": "month"}},
            [("/document/expiry/round", "round_months")],
        ),
        (
            {**BONUS, "expiry": {"months": 1}, "pending": {"days": 28}},
            [("/document/expiry", "lapses_before")],
        ),
        (
            {
                **BONUS,
                "expiry": {"months": 1},
                "pending": {**DELIVERED, "days": 28, "then": "lapse"},
            },
            [("/document/expiry", "lapses_before")],
        ),
        ({**BONUS, "pending": {"event": "paid"}}, [("/document/pending/about", "required")]),
        (
            {**BONUS, "pending": {**DELIVERED, "event": "Paid!"}},
            [("/document/pending/event", "code")],
        ),
        ({**BONUS, "pending": {**DELIVERED, "days": 9}}, [("/document/pending/then", "days_then")]),
        (
            {**BONUS, "pending": {**DELIVERED, "then": "lapse"}},
            [("/document/pending/then", "days_then")],
        ),
        (
            {**BONUS, "pending": {**DELIVERED, "about": "weather"}},
            [("/document/pending/about", "choice")],
        ),
        (
            {**BONUS, "pending": {"days": 9, "then": "lapse"}},
            [("/document/pending/then", "with_event")],
        ),
        ({**BONUS, "names": {"zh": "礼"}}, [("/document/names/en", "required")]),
        ({**BONUS, "status": "no"}, [("/document/status", "boolean")]),
        ({**BONUS, "colour": "red"}, [("/document/colour", "unknown")]),
        ({**BONUS, "when": {}}, [("/document/when", "criterion")]),
        (
            {**BONUS, "when": {"all": [DINING, {**DINING, "field": "customer.income"}]}},
            [("/document/when/all/1/field", "unknown_field")],
        ),
        (
            {**BONUS, "when": {**DINING, "value": 5812}},
            [("/document/when/value", "text")],
        ),
        ([], [("/document", "object")]),
    ],
)
def test_a_document_that_makes_no_sense_is_refused_with_the_places(
    document: Any, places: list[tuple[str, str]]
) -> None:
    with pytest.raises(Refused, match="invalid-content") as refused:
        load_body(NewRuleSchema(), body(document))
    found = [(error["pointer"], error["code"]) for error in refused.value.errors]
    assert sorted(found) == places


def test_all_bad_numbers_are_named_at_once(maker: Client) -> None:
    bad = {**BONUS, "points": 0, "caps": {"day": 0}, "pending": {"days": 0}}
    answer = maker.post("/v1/earning-rules", body(bad, code="No Code"))
    assert problem(answer) == (422, "invalid-content")
    assert sorted(pointers(answer)) == [
        ("/code", "code"),
        ("/document/caps/day", "range"),
        ("/document/pending/days", "range"),
        ("/document/points", "range"),
    ]


def test_no_rule_begins_in_the_past_or_ends_before_it_begins(maker: Client) -> None:
    now = datetime.now(UTC)
    past = (now - timedelta(minutes=2)).isoformat()
    for change, place in (
        ({"effective_from": past}, ("/effective_from", "past")),
        ({"effective_until": past}, ("/effective_until", "before_start")),
        ({"code": "a|b"}, ("/code", "code")),
    ):
        answer = maker.post("/v1/earning-rules", {**body(BONUS), **change})
        assert pointers(answer) == [place]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"document": {**BONUS, "when": DEPOSIT}}, "/document/when/value/1"),
        (
            {"document": {**BONUS, "when": {"not": {"any": [DINING, DEPOSIT]}}}},
            "/document/when/not/any/1/value/1",
        ),
        ({"document": {**BONUS, "names": {"zh": "存款有礼", "en": "Gift"}}}, "/document/names/zh"),
        ({"document": {**BONUS, "names": {"zh": "礼", "en": "Savings"}}}, "/document/names/en"),
        ({"code": "deposit-bonus"}, "/code"),
    ],
)
def test_a_rule_that_rewards_deposits_is_refused(
    maker: Client, change: dict[str, Any], place: str
) -> None:
    answer = maker.post("/v1/earning-rules", {**body(BONUS), **change})
    assert problem(answer) == (422, "promo.deposit-reward")
    assert pointers(answer) == [(place, "deposit")]


def test_a_rule_may_keep_deposits_out(maker: Client) -> None:
    without = {**DEPOSIT, "is": "not_in"}
    assert propose(maker, {**BONUS, "when": without})["document"]["when"] == without


@pytest.mark.parametrize(
    ("document", "zh", "en"),
    [
        (
            {"gives": "per_amount", "points": 1, "per": 100},
            "每消费 1.00 元给 1 分,向下取整;永不到期。",
            "1 points for each 1.00 spent, rounded down; never lapsing.",
        ),
        (
            {
                "gives": "fixed",
                "points": 50,
                "when": DINING,
                "caps": {"purchase": 50, "day": 100, "month": 500, "year": 1_000},
                "status": False,
                "pending": {"days": 14},
                "expiry": {"months": 24, "round": "month"},
            },
            "每笔消费给 50 分;条件:商户类别为“5812”;单笔至多 50 分;每人每日至多 100 分;"
            "每人每月至多 500 分;每人每年至多 1000 分;不计定级积分;14 天后可用;"
            "消费 24 个月后的月末到期。",
            "50 points for each purchase; where the merchant category is “5812”; at most 50 "
            "points a purchase; at most 100 a day for each customer; at most 500 a month for each "
            "customer; at most 1000 a year for each customer; without status points; usable "
            "after 14 days; lapsing at the end of the month, 24 months after.",
        ),
        (
            {**BONUS, "pending": {**DELIVERED, "days": 90, "then": "lapse"}},
            "每笔消费给 50 分;该笔消费的事件“delivered”确认后可用,90 天后仍未确认则失效;永不到期。",
            "50 points for each purchase; usable once “delivered” is confirmed of the purchase, "
            "lapsing where it is not within 90 days; never lapsing.",
        ),
        (
            {
                **BONUS,
                "pending": {"event": "member", "about": "customer", "days": 9, "then": "available"},
            },
            "每笔消费给 50 分;客户的事件“member”确认后可用,最迟 9 天后可用;永不到期。",
            "50 points for each purchase; usable once “member” is confirmed of the customer, or "
            "after 9 days without it; never lapsing.",
        ),
        (
            {"gives": "multiplier", "times": [3, 2], "expiry": {"years": 2}},
            "其他规则所给积分按 3/2 倍计;消费当年之后第 2 年的年末到期。",
            "3/2 times the points that other rules give; lapsing at the end of calendar year 2 "
            "after the purchase's.",
        ),
    ],
)
def test_a_rule_reads_as_a_sentence(document: dict[str, Any], zh: str, en: str) -> None:
    assert describe(document) == (zh, en)
    loaded = load_body(NewRuleSchema(), body(document))["document"]
    assert load_document(loaded) == document


def test_the_list_goes_page_by_page_and_by_state(
    world: World, application: FlaskClient, maker: Client, checker: Client
) -> None:
    proposed = [propose(maker, {**BONUS, "points": number})["rule_id"] for number in (1, 2, 3)]
    auditor = add_person(application, "auditor")
    first = auditor.get("/v1/earning-rules", limit=2)
    page = first.get_json()
    assert [rule["rule_id"] for rule in page["items"]] == proposed[:0:-1]
    assert 'rel="next"' in first.headers["Link"]
    rest = auditor.get("/v1/earning-rules", limit=2, cursor=page["next_cursor"]).get_json()
    assert [rule["code"] for rule in rest["items"]] == ["bonus", "base"]
    assert rest["next_cursor"] is None
    decide(checker, page["items"][0], "reject")
    rejected = auditor.get("/v1/earning-rules", state="rejected").get_json()["items"]
    assert [rule["rule_id"] for rule in rejected] == [proposed[2]]
    approved = auditor.get("/v1/earning-rules", state="approved", programme="sample").get_json()
    assert [rule["code"] for rule in approved["items"]] == ["base"]
    assert auditor.get("/v1/earning-rules", programme="other").get_json()["items"] == []
    unknown = f"/v1/earning-rules/{ids.encode('rul', 999)}"
    assert problem(auditor.get(unknown)) == (404, "not-found")


def test_a_trial_gives_what_the_rule_would_have_given_and_writes_nothing(
    world: World, maker: Client
) -> None:
    old = datetime.now(UTC) - timedelta(days=40)
    record(
        world,
        purchase("old", 10_000, category="5812", at=old),
        purchase("a", 1_000, category="5812"),
        purchase("b", 2_000, category="5812"),
        purchase("c", 3_000, category="5411"),
        purchase("d", 500, category="5812", customer="00002"),
        purchase("e", 500, category="6011", customer="00002"),
    )
    before = balance(world)
    double = {"gives": "per_amount", "points": 2, "per": 100, "when": DINING, "caps": {"day": 50}}
    rule = propose(maker, double, code="base")
    path = f"/v1/earning-rules/{rule['rule_id']}/trial"
    found = maker.post(path, {}).get_json()
    whole = {
        **{"purchases": 5, "matching": 3, "points": 60, "given": 10 + 20 + 30 + 5, "cost": -5},
        **{"customers": 2, "gaining": 1, "gained": 5, "losing": 1, "lost": 10},
    }
    assert {name: found[name] for name in whole} == whole
    assert found["tiers"] == [{"tier": "standard", **whole}]
    assert (found["most"], found["complete"]) == (50, True)
    assert maker.post(path, {"days": 60}).get_json()["points"] == 60 + 50
    assert balance(world).posted == before.posted
    assert trail("rule.tried")[0] == (maker.name, rule["rule_id"], {"days": 30, "purchases": 5})
    for days in (0, 401):
        assert pointers(maker.post(path, {"days": days})) == [("/days", "range")]


@pytest.mark.parametrize(
    ("document", "gives"),
    [
        ({"gives": "multiplier", "times": [3, 2]}, 5 + 10),
        ({**BONUS, "when": {"field": "purchase.first", "is": "eq", "value": True}}, 50),
        ({**BONUS, "when": {"field": "customer.tier", "is": "eq", "value": "standard"}}, 100),
        ({**BONUS, "when": {"field": "customer.birthday", "is": "is_null"}}, 100),
    ],
)
def test_a_trial_agrees_with_earning(
    world: World, maker: Client, document: dict[str, Any], gives: int
) -> None:
    recorded(world, purchase("a", 1_000, at=YESTERDAY - timedelta(days=1)))
    recorded(world, purchase("b", 2_000))
    rule = propose(maker, document)
    found = maker.post(f"/v1/earning-rules/{rule['rule_id']}/trial", {}).get_json()
    assert found["points"] == gives
    with transaction() as session:
        agree(session, world.programme, "bonus", document)
    second = [
        recorded(world, purchase("c", 1_000, "00002", at=YESTERDAY - timedelta(days=1))),
        recorded(world, purchase("d", 2_000, "00002")),
    ]
    assert sum(rules_of(one).get("bonus", (0, 0))[1] for one in second) == gives


@pytest.mark.parametrize(
    ("document", "gives"),
    [
        ({"gives": "per_amount", "points": 2, "per": 100}, 20 + 0),
        ({**BONUS, "when": {"field": "purchase.amount", "is": "ge", "value": 2_000}}, 0),
        (BONUS, 50),
        ({"gives": "multiplier", "times": [3, 1]}, 20 + 0),
        ({"gives": "per_amount", "points": 1, "per": 100, "caps": {"month": 35}}, 10),
    ],
)
def test_a_trial_leaves_what_refunds_would_have_left(
    world: World, maker: Client, document: dict[str, Any], gives: int
) -> None:
    earlier = YESTERDAY - timedelta(minutes=1)
    record(world, purchase("a", 3_000, at=earlier), purchase("b", 1_000))
    refund(world, "r1", "a", 2_000)
    refund(world, "r2", "b")
    rule = propose(maker, document)
    found = maker.post(f"/v1/earning-rules/{rule['rule_id']}/trial", {}).get_json()
    assert found["points"] == gives
    with transaction() as session:
        agree(session, world.programme, "bonus", document)
    record(world, purchase("c", 3_000, "00002", at=earlier), purchase("d", 1_000, "00002"))
    refund(world, "r3", "c", 2_000)
    refund(world, "r4", "d")
    assert balance(world, "00002").posted == 10 + gives


def test_a_trial_asks_for_the_tier_that_the_customer_had(world: World, maker: Client) -> None:
    gold = Tier("gold", "金卡", "Gold", 100)
    gold_now = {"field": "customer.tier", "is": "eq", "value": "gold"}
    now = datetime.now(UTC)
    with transaction() as session:
        ladder = Ladder((Tier("standard", "普通", "Standard", 0), gold))
        create_ladder(session, world.programme, ladder)
        world.member(session, "00001")  # joined, and buys afterwards
    first = record(world, purchase("a", 20_000, at=datetime.now(UTC)))
    then = record(world, purchase("b", 1_000, at=datetime.now(UTC)))
    assert [one.points for one in (*first, *then) if isinstance(one, points.Recorded)] == [200, 10]
    for_gold = {"gives": "per_amount", "points": 1, "per": 100, "when": gold_now}
    rule = propose(maker, for_gold)
    path = f"/v1/earning-rules/{rule['rule_id']}/trial"
    found = maker.post(path, {}).get_json()
    shares = {share["tier"]: (share["purchases"], share["points"]) for share in found["tiers"]}
    assert shares == {"standard": (1, 0), "gold": (1, 10)}
    with transaction() as session:
        member = world.member(session, "00001")
        moments = [(member.customer_id, at) for at in (now, datetime.now(UTC), now)]
        assert tiers_at(session, world.programme, moments) == ["standard", "gold", "standard"]


def test_a_trial_looks_at_the_latest_where_there_are_too_many(world: World) -> None:
    for number in range(3):
        recorded(world, purchase(f"p{number}", 100, at=YESTERDAY - timedelta(hours=number)))
    with transaction() as session:
        (rule,) = points.read_rulebook(session, world.programme).in_force(YESTERDAY)
        found = try_rule(session, world.programme, rule, days=9, most_purchases=2)
        assert (found.whole.purchases, found.complete) == (2, False)


def test_nobody_else_may_call(
    world: World, application: FlaskClient, maker: Client, checker: Client
) -> None:
    rule = propose(maker, BONUS)
    path = f"/v1/earning-rules/{rule['rule_id']}"
    bank = add_system(application, "points:read", "purchases:write")
    viewer, head = (add_person(application, role) for role in ("viewer", "head_office"))
    for caller in (bank, viewer, head, checker):
        assert caller.post("/v1/earning-rules", body(BONUS)).status_code == 403
    for caller in (bank, viewer, head, maker):
        assert decide(caller, rule).status_code == 403
    for caller in (bank, viewer, head):
        assert caller.post(f"{path}/trial", {}).status_code == 403
    for caller in (bank, head):
        assert caller.get(path).status_code == 403
        assert caller.get("/v1/earning-rules").status_code == 403
    assert viewer.get(path).status_code == 200
