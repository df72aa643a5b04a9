"""A campaign in words: what it does line by line, and each message as the customer will read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.audience import CATALOGUE
from campaigns.form_words import CHANNEL_WORDS
from campaigns.rules import LANGUAGES, PARTS
from loyalty import criteria, messages, points
from loyalty.web import Bilingual

Document = Mapping[str, Any]
SOMEBODY = {"zh": "王女士", "en": "Ms Wang"}
"""Whose name stands in for that of every customer."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A part of a message; `is_required` where a rule put it there."""

    text: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as it arrives; without paragraphs where its words make none that could leave."""

    variant: str
    channel: str
    language: str
    subject: str
    paragraphs: tuple[Paragraph, ...]
    length: int


def show_messages(kind: str, document: Document, zone: ZoneInfo) -> list[Shown]:
    """Return every message of a document into which facts and disclosures were frozen."""
    return [
        _show(kind, document, zone, variant["name"], channel, language, contents[language])
        for variant in document["told"]
        for channel, contents in variant["contents"].items()
        for language in LANGUAGES
        if language in contents
    ]


def _show(
    kind: str,
    document: Document,
    zone: ZoneInfo,
    variant: str,
    channel: str,
    language: str,
    words: Mapping[str, str],
) -> Shown:
    message = messages.show(
        words, channel, language, _filling(document, language, zone), is_marketing=kind != "service"
    )
    if message is None:
        return Shown(variant, channel, language, "", (), 0)
    required = [one[language] for one in document["disclosures"]]
    parts = tuple(_split(message.text, required))
    return Shown(variant, channel, language, message.subject, parts, len(message.text))


def _filling(document: Document, language: str, zone: ZoneInfo) -> dict[str, str]:
    schedule = document.get("schedule") or {}
    starts, ends = (_day(schedule.get(name), zone) for name in ("starts_at", "ends_at"))
    return {
        "customer_name": SOMEBODY[language],
        "campaign": document["names"][language],
        "starts_on": starts.isoformat(),
        "ends_on": ends.isoformat(),
    }


def _day(instant: str | None, zone: ZoneInfo) -> date:
    at = datetime.now(UTC) if instant is None else datetime.fromisoformat(instant)
    return at.astimezone(zone).date()


def _split(text: str, required: list[str]) -> Iterator[Paragraph]:
    """Yield the parts of a text in order; what a rule put in is a part of its own."""
    rest = text
    for words in required:
        before, found, after = rest.partition(words)
        if found:
            yield from _paragraphs(before)
            yield Paragraph(words, True)
            rest = after
    yield from _paragraphs(rest)


def _paragraphs(text: str) -> Iterator[Paragraph]:
    return (Paragraph(part.strip(), False) for part in text.split("\n\n") if part.strip())


def describe_audience(document: Document) -> Bilingual:
    """Return whom a campaign is for, as a sentence."""
    if document.get("audience") is None:
        return Bilingual("未填写", "not said yet")
    parsed = criteria.parse(document["audience"], CATALOGUE)
    zh, en = (criteria.describe(parsed, CATALOGUE, language) for language in LANGUAGES)
    return Bilingual(zh, en)


def describe_offer(document: Document) -> Bilingual:
    """Return what a campaign offers, as a sentence."""
    offer = document.get("offer") or {}
    if "earning_rule" in offer:
        return points.describe_rule(offer["earning_rule"])
    if "coupon" in offer:
        series = offer["coupon"]["series"]
        return Bilingual(f"每人一张优惠券,系列 {series}", f"a coupon of the series {series} each")
    if "benefit" in offer:
        code, quota = offer["benefit"]["code"], offer["benefit"]["quota"]
        return Bilingual(f"权益 {code},{quota} 次", f"the benefit {code}, {quota} times")
    return Bilingual("无", "nothing")


def describe(document: Document, moment: Any) -> list[tuple[Bilingual, Bilingual]]:
    """Return what a campaign is, line by line; `moment` writes an instant in both languages."""
    said = [
        (Bilingual("名称", "Name"), Bilingual(document["names"]["zh"], document["names"]["en"])),
        (Bilingual("人群", "Audience"), describe_audience(document)),
        (Bilingual("优惠", "Offer"), describe_offer(document)),
        (Bilingual("渠道", "Channels"), _channels(document)),
        (Bilingual("时间", "Time"), _schedule(document, moment)),
        (Bilingual("预算", "Budget"), _budget(document)),
        (Bilingual("对照组", "Control group"), _control(document)),
        (Bilingual("频次与免打扰", "Caps and quiet hours"), _caps(document)),
        (Bilingual("对外宣传", "Public"), _public(document)),
    ]
    if document.get("product"):
        code, version = document["product"]["code"], document["product"]["version"]
        ref = Bilingual(f"{code} 第 {version} 版", f"{code}, version {version}")
        said.append((Bilingual("产品", "Product"), ref))
    return said


_NOTHING = Bilingual("未填写", "not said yet")


def _channels(document: Document) -> Bilingual:
    chosen = [CHANNEL_WORDS[name] for name in document.get("channels", ())]
    if not chosen:
        return _NOTHING
    return Bilingual("、".join(w.zh for w in chosen), ", ".join(w.en for w in chosen))


def _schedule(document: Document, moment: Any) -> Bilingual:
    schedule = document.get("schedule")
    if not schedule:
        return _NOTHING
    since, until = (
        moment(datetime.fromisoformat(schedule[name])) for name in ("starts_at", "ends_at")
    )
    return Bilingual(f"{since} 至 {until}", f"{since} to {until}")


def _budget(document: Document) -> Bilingual:
    budget = document.get("budget")
    if not budget:
        return _NOTHING
    amount = budget["amount"]
    if budget["unit"] == "money":
        text = f"{amount // 100:,}.{amount % 100:02}"
        return Bilingual(f"{text} 元", f"{text} yuan")
    return Bilingual(f"{amount:,} 分", f"{amount:,} points")


def _control(document: Document) -> Bilingual:
    share = f"{document.get('control_parts', 0) * 100 / PARTS:g}%"
    return Bilingual(f"人群的 {share}", f"{share} of the audience")


def _caps(document: Document) -> Bilingual:
    caps, quiet = document.get("caps"), document.get("quiet_hours")
    zh, en = ["按全行规则"], ["as the house has them"]
    if caps:
        zh.append(f"每日 {caps['day']} 条、每周 {caps['week']} 条")
        en.append(f"{caps['day']} a day, {caps['week']} a week")
    if quiet:
        zh.append(f"{quiet['from']} 点至 {quiet['until']} 点不发送")
        en.append(f"nothing from {quiet['from']}:00 to {quiet['until']}:00")
    return Bilingual(";".join(zh[1:] or zh), "; ".join(en[1:] or en))


def _public(document: Document) -> Bilingual:
    if document.get("is_public"):
        return Bilingual("是,另需宣传审核", "yes: publicity agrees as well")
    return Bilingual("否", "no")
