"""A rule's document as a sentence that a person can check and approve: nothing is left out."""

from collections.abc import Mapping
from typing import Any

from loyalty import criteria
from loyalty.points.facts import CATALOGUE
from loyalty.points.wording import money
from loyalty.web import Bilingual, validation

_FAULTS: dict[str, tuple[str, str]] = {
    "not_with_gives": ("与 gives 的取值不能并用", "does not go with this value of `gives`"),
    "times": (
        "须为 [分子, 分母],大于 1 倍且不超过 10 倍",
        "must be [numerator, denominator], more than 1 and at most 10 times",
    ),
    "rate": ("每分钱至多给 100 积分", "may give at most 100 points for each minor unit"),
    "months_or_years": ("months 与 years 须且只能给出一项", "takes either months or years"),
    "round_months": ("round 只能与 months 并用", "goes with months only"),
    "days_then": (
        "days 与 then 须一并给出",
        "goes with `days`: both or neither",
    ),
    "with_event": ("只能与 event 一并给出", "goes with `event` only"),
    "lapses_before": (
        "积分在可用之前就会到期",
        "would let points lapse before they can be used",
    ),
}
for _code, _words in _FAULTS.items():
    validation.MESSAGES.setdefault(_code, (_code, *_words))

_CAPS = {
    "purchase": Bilingual("单笔至多 {} 分", "at most {} points a purchase"),
    "day": Bilingual("每人每日至多 {} 分", "at most {} a day for each customer"),
    "month": Bilingual("每人每月至多 {} 分", "at most {} a month for each customer"),
    "year": Bilingual("每人每年至多 {} 分", "at most {} a year for each customer"),
}


_ABOUT = {
    "purchase": Bilingual("该笔消费的事件", "is confirmed of the purchase"),
    "customer": Bilingual("客户的事件", "is confirmed of the customer"),
}
_THEN = {
    "lapse": Bilingual("{} 天后仍未确认则失效", "lapsing where it is not within {} days"),
    "available": Bilingual("最迟 {} 天后可用", "or after {} days without it"),
}


def describe(document: Mapping[str, Any]) -> Bilingual:
    """Return what a rule gives, to whom, how much at most, and how long it lasts."""
    if document["gives"] == "nothing":
        return Bilingual("此规则终止,不再给分。", "The rule ends: it gives nothing any more.")
    parts = [_gives(document)]
    if document.get("when") is not None:
        when = criteria.parse(document["when"], CATALOGUE)
        zh, en = (criteria.describe(when, CATALOGUE, language) for language in ("zh", "en"))
        parts.append(Bilingual(f"条件:{zh}", f"where {en}"))
    for cap, words in _CAPS.items():
        limit = document.get("caps", {}).get(cap)
        if limit is not None:
            parts.append(Bilingual(words.zh.format(limit), words.en.format(limit)))
    if not document.get("status", True):
        parts.append(Bilingual("不计定级积分", "without status points"))
    if document.get("budget") is not None:
        parts.append(Bilingual("由专项预算支付,用完即止", "for as long as its budget lasts"))
    if document.get("pending"):
        parts.append(_becomes_usable(document["pending"]))
    parts.append(_lasts(document.get("expiry") or {}))
    zh = ";".join(part.zh for part in parts)
    en = "; ".join(part.en for part in parts)
    return Bilingual(f"{zh}。", f"{en[0].upper()}{en[1:]}.")


def _gives(document: Mapping[str, Any]) -> Bilingual:
    if document["gives"] == "fixed":
        points = document["points"]
        return Bilingual(f"每笔消费给 {points} 分", f"{points} points for each purchase")
    if document["gives"] == "multiplier":
        numerator, denominator = document["times"]
        times = f"{numerator}/{denominator}" if denominator != 1 else f"{numerator}"
        return Bilingual(
            f"其他规则所给积分按 {times} 倍计", f"{times} times the points that other rules give"
        )
    points, per = document["points"], money(document["per"])
    if document.get("rounding") == "half_up":
        zh, en = "四舍五入", "rounded half up"
    else:
        zh, en = "向下取整", "rounded down"
    return Bilingual(
        f"每消费 {per} 元给 {points} 分,{zh}", f"{points} points for each {per} spent, {en}"
    )


def _becomes_usable(pending: Mapping[str, Any]) -> Bilingual:
    days, event = pending.get("days"), pending.get("event")
    if event is None:
        return Bilingual(f"{days} 天后可用", f"usable after {days} days")
    about = _ABOUT[pending["about"]]
    parts = [Bilingual(f"{about.zh}“{event}”确认后可用", f"usable once “{event}” {about.en}")]
    if days is not None:
        then = _THEN[pending["then"]]
        parts.append(Bilingual(then.zh.format(days), then.en.format(days)))
    return Bilingual(",".join(part.zh for part in parts), ", ".join(part.en for part in parts))


def _lasts(expiry: Mapping[str, Any]) -> Bilingual:
    if "years" in expiry:
        years = expiry["years"]
        return Bilingual(
            f"消费当年之后第 {years} 年的年末到期",
            f"lapsing at the end of calendar year {years} after the purchase's",
        )
    if "months" not in expiry:
        return Bilingual("永不到期", "never lapsing")
    months = expiry["months"]
    zh, en = {
        "month": ("的月末", "at the end of the month, "),
        "year": ("的年末", "at the end of the year, "),
    }.get(expiry.get("round", ""), ("", ""))
    return Bilingual(f"消费 {months} 个月后{zh}到期", f"lapsing {en}{months} months after")
