"""Every rule that software decides fires on what is wrong and passes what is right."""

import json
from zoneinfo import ZoneInfo

import pytest

from loyalty import policy
from loyalty.policy import About, Outcome, Pack, Result, Verdict
from loyalty.policy.judging import decided_by_software
from tests.policy.examples import CLEAN, EXAMPLES, NOW, Patch, patched

PACK = policy.load_pack(policy.SHIPPED.read_text("utf-8"))
STAGES = ("configure", "approve", "preview", "launch", "send", "handover", "capture")


def stage_of(rule: str) -> str:
    return PACK.by_id[rule].when[0]


def result(rule: str, patch: Patch, pack: Pack = PACK) -> Result:
    judgement = policy.judge(pack, stage_of(rule), patched(patch))
    return next(one for one in judgement.results if one.rule == rule)


@pytest.mark.parametrize("rule", sorted(decided_by_software()))
def test_a_rule_passes_what_is_right(rule: str) -> None:
    right, _ = EXAMPLES[rule]
    assert result(rule, right).outcome == Outcome.PASSES


@pytest.mark.parametrize("rule", sorted(decided_by_software()))
def test_a_rule_fires_on_what_is_wrong_and_says_so_in_both_languages(rule: str) -> None:
    _, wrong = EXAMPLES[rule]
    found = result(rule, wrong)
    assert found.outcome == Outcome.FIRES
    for lang in ("zh", "en"):
        said = PACK.explain(found, lang)
        assert said and "{" not in said, said


@pytest.mark.parametrize("stage", STAGES)
def test_where_nothing_is_wrong_everything_is_allowed(stage: str) -> None:
    judgement = policy.judge(PACK, stage, CLEAN)  # type: ignore[arg-type]
    assert judgement.firing == ()
    assert (judgement.verdict, judgement.primary) == (Verdict.ALLOW, None)


@pytest.mark.parametrize("stage", STAGES)
def test_what_nobody_answered_is_not_allowed(stage: str) -> None:
    judgement = policy.judge(PACK, stage, {})
    assert {one.outcome for one in judgement.results} == {Outcome.UNANSWERED}
    assert judgement.verdict == Verdict.DENY
    assert judgement.primary is not None and judgement.primary.detail["missing"]


def test_the_first_that_fires_in_the_gates_order_is_the_primary_reason_and_all_are_kept() -> None:
    facts = patched(
        {
            "recipient.status": "WITHDRAWN",
            "recipient.suppressions": [("ALL", "legal-hold")],
            "recipient.open_complaints": 2,
            "recipient.sent": [NOW],
        }
    )
    judgement = policy.judge(PACK, "send", facts)
    assert judgement.primary is not None
    assert judgement.primary.rule == "suppress.deceased-or-legal"
    assert judgement.firing == (
        "suppress.deceased-or-legal",
        "consent.refused.hard",
        "consent.marketing.required",
        "situation.complaint-open",
        "freq.cap",
    )
    assert len(judgement.results) == len(PACK.enforced("send"))


def test_what_only_has_to_wait_is_deferred_and_never_hides_a_denial() -> None:
    late = {"recipient.zone": ZoneInfo("Etc/GMT-12")}
    waiting = policy.judge(PACK, "send", patched(late))
    assert waiting.verdict == Verdict.DEFER
    assert waiting.primary is not None and waiting.primary.rule == "time.quiet-hours"
    assert PACK.explain(waiting.primary, "zh") == "当前为免打扰时段，将在08:00后发送。"
    denied = policy.judge(PACK, "send", patched({**late, "recipient.status": None}))
    assert denied.verdict == Verdict.DENY


def test_a_warning_stands_in_nobodys_way() -> None:
    judgement = policy.judge(PACK, "approve", patched({"content.ai_label": False}))
    assert judgement.verdict == Verdict.ALLOW
    assert [one.rule for one in judgement.warnings] == ["content.ai-label"]


@pytest.mark.parametrize("stage", ["preview", "send"])
def test_what_holds_for_all_and_what_holds_for_one_come_to_the_same_together(stage: str) -> None:
    facts = patched({"recipient.status": None, "gate.is_up": False, "recipient.sent": [NOW]})
    whole = policy.judge(PACK, stage, facts)
    halves = [policy.judge(PACK, stage, facts, about) for about in About]
    assert policy.join(PACK, *halves) == whole
    assert policy.join(PACK, *reversed(halves)) == whole


def test_what_is_about_the_message_asks_nothing_of_a_person() -> None:
    without = {**CLEAN, "recipient": None}
    for stage in STAGES:
        whole = policy.judge(PACK, stage, CLEAN, About.MESSAGE)  # type: ignore[arg-type]
        assert policy.judge(PACK, stage, without, About.MESSAGE) == whole  # type: ignore[arg-type]


def test_all_rules_of_the_catalogue_are_there_with_texts_and_a_status() -> None:
    house = {"request.expired", "msg.composed", "preference.topic"}
    assert {one.id for one in PACK.rules if one.group == "House"} == house
    assert len(PACK.rules) == 111 + len(house)
    assert {one.status for one in PACK.rules} == {"enforced", "by people", "later"}
    assert {one.id for one in PACK.rules if one.status == "enforced"} == set(EXAMPLES)
    assert set(EXAMPLES) == set(decided_by_software())
    for one in PACK.rules:
        assert one.reason["zh"] and one.reason["en"] and one.why and one.source
        assert (one.status == "enforced") == bool(one.when)


def test_a_service_message_may_not_carry_an_offer_whatever_its_words() -> None:
    facts = patched({"message.kind": "SERVICE", "message.port_kind": "SERVICE"})
    assert "msg.service.no-promo" in policy.judge(PACK, "send", facts).firing
    facts["offer"] = None
    facts["content"]["texts"] = ["您的积分将于12月31日到期。"]
    assert "msg.service.no-promo" not in policy.judge(PACK, "send", facts).firing


def test_a_service_message_needs_no_consent() -> None:
    facts = patched(
        {
            "message.kind": "SERVICE",
            "message.port_kind": "SERVICE",
            "offer": None,
            "recipient.status": "WITHDRAWN",
            "recipient.channel_refused": True,
            "recipient.sent": [NOW] * 9,
            "content.texts": ["您的积分将于12月31日到期。"],
            "content.subject": "",
        }
    )
    assert policy.judge(PACK, "send", facts).verdict == Verdict.ALLOW


def test_the_pack_is_plain_data() -> None:
    content = json.loads(policy.SHIPPED.read_text("utf-8"))
    assert set(content) == {
        *("format", "version", "jurisdiction", "effective_from", "rules", "lexicons"),
    }
