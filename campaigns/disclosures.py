"""Disclosures: what a message has to say by its campaign's type and its product.

They are put into each text when a campaign is saved and stand there as they were then; a change of
these words is another version of them, and reaches no text that was saved before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WITH_RETURN = ("wealth", "fund", "insurance", "trust")
CATEGORIES = ("deposit", *WITH_RETURN, "credit", "card", "other")
CATEGORY_NAMES: Mapping[str, tuple[str, str]] = {
    "deposit": ("存款", "deposit"),
    "wealth": ("理财产品", "wealth product"),
    "fund": ("基金", "fund"),
    "insurance": ("保险", "insurance"),
    "trust": ("信托", "trust"),
    "credit": ("贷款", "loan"),
    "card": ("银行卡", "card"),
    "other": ("其他", "other"),
}


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Words that must be in a message, in a version of them."""

    code: str
    version: int
    zh: str
    en: str

    def dump(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the disclosure as it is frozen, with the product's facts in it."""
        return {
            "code": self.code,
            "version": self.version,
            "zh": _put_in(self.zh, facts),
            "en": _put_in(self.en, facts),
        }


RISK = Disclosure(
    "risk",
    1,
    "理财非存款,产品有风险,投资须谨慎。风险由投资者自行承担。",
    "Not a deposit. The product carries risk, which the investor bears.",
)
KEY_FACTS = Disclosure(
    "key-facts",
    1,
    "产品:[name_zh];提供方:[provider_zh];类别:[category_zh];收益率或费率:[rate];风险等级:[risk_grade]。",
    "Product: [name_en]; provider: [provider_en]; kind: [category_en]; rate or fee: [rate];"
    " risk grade: [risk_grade].",
)
APR = Disclosure("apr", 1, "年化利率(单利):[apr]。", "Annualised rate (simple interest): [apr].")
POINTS = Disclosure(
    "points-terms",
    1,
    "积分的有效期、使用规则和限制见积分规则;奖励积分按规则自动计入,与是否接收营销信息无关。",
    "How long points last and how they are used: see the points rules. Points are credited by the"
    " rules, whether or not you take marketing messages.",
)
COUPON = Disclosure(
    "coupon-terms",
    1,
    "优惠券的有效期、适用范围和使用限制见券面说明。",
    "When, where and how the coupon may be used is said on the coupon.",
)
PRIZE = Disclosure(
    "prize-terms",
    1,
    "奖项、数量、中奖概率、开奖方式和兑奖方式见活动公示。",
    "Prizes, numbers, odds, the draw and how to collect: see the published notice.",
)

_BY_TYPE: Mapping[str, tuple[Disclosure, ...]] = {
    "points_bonus": (POINTS,),
    "coupon": (COUPON,),
    "prize_draw": (PRIZE,),
}


def required(kind: str, facts: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the disclosures that a campaign of this type about this product needs, frozen."""
    needed = list(_BY_TYPE.get(kind, ()))
    if facts is not None:
        needed.append(KEY_FACTS)
        if facts["category"] in WITH_RETURN:
            needed.append(RISK)
        if facts["category"] == "credit":
            needed.append(APR)
    return [disclosure.dump(facts or {}) for disclosure in needed]


def insert(body: str, language: str, needed: list[dict[str, Any]], *, one_line: bool) -> str:
    """Return a message's body with its disclosures, each once, after the words.

    A text message is one line; elsewhere each disclosure is a paragraph of its own.
    """
    return (" " if one_line else "\n\n").join([body, *(one[language] for one in needed)])


def _put_in(text: str, facts: Mapping[str, Any]) -> str:
    for name, value in _flat(facts).items():
        text = text.replace(f"[{name}]", value)
    return text


def _flat(facts: Mapping[str, Any]) -> dict[str, str]:
    if not facts:
        return {}
    zh, en = CATEGORY_NAMES[facts["category"]]
    return {
        "name_zh": facts["names"]["zh"],
        "name_en": facts["names"]["en"],
        "provider_zh": facts["provider"]["zh"],
        "provider_en": facts["provider"]["en"],
        "category_zh": zh,
        "category_en": en,
        "rate": facts["rate"] or "-",
        "apr": facts["apr"] or "-",
        "risk_grade": str(facts["risk_grade"] or "-"),
    }
