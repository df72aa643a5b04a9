"""Why a tier changed, as sentences in Chinese and English."""

from collections.abc import Mapping

from loyalty.tiers.qualification import Change
from loyalty.tiers.rules import Ladder
from loyalty.web import Bilingual, ids

REASONS: Mapping[str, Bilingual] = {
    "upgraded": Bilingual(
        "定级积分 {score} 达到{to_zh}的门槛 {threshold},即时升级。",
        "{score} status points met the threshold of {to_en}, {threshold}: upgraded at once.",
    ),
    "earned-tier-rose": Bilingual(
        "定级积分 {score} 达到门槛 {threshold};授予的{to_zh}更高,等级不变。",
        "{score} status points met the threshold {threshold}; the assigned {to_en} is higher and "
        "stays.",
    ),
    "renewed": Bilingual(
        "定级积分 {score} 在本期达到门槛 {threshold},{to_zh}顺延至下一期末。",
        "{score} status points met {threshold} in this period: {to_en} is kept to the end of the "
        "next.",
    ),
    "renewal-lost": Bilingual(
        "退款后定级积分 {score} 低于门槛 {threshold},{to_zh}只保留至本期末。",
        "After a refund {score} status points are below {threshold}: {to_en} is kept to the end "
        "of this period only.",
    ),
    "grace-started": Bilingual(
        "定级积分 {score} 低于门槛 {threshold},宽限期开始,等级暂不变。",
        "{score} status points are below {threshold}: grace has begun, the tier stays for now.",
    ),
    "grace-ended-kept": Bilingual(
        "定级积分 {score} 在宽限期内重新达到门槛 {threshold},等级保留。",
        "{score} status points met {threshold} again within the grace: the tier is kept.",
    ),
    "downgraded": Bilingual(
        "定级积分 {score} 未达到{from_zh}的门槛 {threshold},调整为{to_zh}。",
        "{score} status points did not meet the threshold of {from_en}, {threshold}: now {to_en}.",
    ),
    "earned-tier-fell": Bilingual(
        "定级积分 {score} 低于门槛 {threshold};授予的{to_zh}更高,等级不变。",
        "{score} status points are below {threshold}; the assigned {to_en} is higher and stays.",
    ),
    "assigned": Bilingual(
        "经分支行申请、总行批准,授予{to_zh}。",
        "{to_en} was assigned: a branch applied and head office approved.",
    ),
    "assignment-ended": Bilingual(
        "授予的等级到期,现为{to_zh}。",
        "The assigned tier has ended: now {to_en}.",
    ),
}


CAUSES: Mapping[str, Bilingual] = {
    "purchase": Bilingual("起因:消费 {numbers}", "Cause: purchases {numbers}"),
    "refund": Bilingual("起因:消费 {numbers} 的退款", "Cause: refund of purchase {numbers}"),
    "review": Bilingual("起因:定期评定", "Cause: the regular review"),
    "application": Bilingual("起因:等级申请 {numbers}", "Cause: application {numbers}"),
}
NAMED = 3
"""So many of the purchases are named in a sentence; the API names all."""


def explain_cause(change: Change) -> Bilingual:
    """Return what moved the score, or let a change be made, with the public ids of it."""
    cause = change.cause
    named = [ids.encode("pur", number) for number in cause.get("purchases", ())[-NAMED:]]
    if "application" in cause:
        named = [ids.encode("tap", cause["application"])]
    words = CAUSES[cause["kind"]]
    return Bilingual(
        words.zh.format(numbers="、".join(named)), words.en.format(numbers=", ".join(named))
    )


def explain(change: Change, ladder: Ladder) -> Bilingual:
    """Return why `change` came about, with its figures and the names of the tiers."""
    before = ladder.tiers[ladder.rank(change.from_tier)]
    after = ladder.tiers[ladder.rank(change.to_tier)]
    figures = {
        "score": change.score,
        "threshold": change.threshold,
        "from_zh": before.name_zh,
        "from_en": before.name_en,
        "to_zh": after.name_zh,
        "to_en": after.name_en,
    }
    words = REASONS[change.reason]
    return Bilingual(words.zh.format(**figures), words.en.format(**figures))
