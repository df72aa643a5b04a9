"""Pure rules about contents: what a template may say, and how a message comes out of it."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ledger.canonical import encode
from loyalty.messages import placeholders

CHANNELS = ("email", "sms", "in_app")
LANGUAGES = ("zh", "en")
CLASSES = ("service", "marketing")
WITH_SUBJECT = {"email", "in_app"}
LONGEST_SUBJECT = 120
LONGEST_BODY = {"email": 20_000, "sms": 500, "in_app": 5_000}
AD_PREFIX = {"zh": "广告:", "en": "AD: "}
OPTOUT_LINE = {
    ("email", "zh"): "不想再收到此类邮件,可随时退订:{link}",
    ("email", "en"): "To stop receiving such mail, unsubscribe at any time: {link}",
    ("sms", "zh"): "拒收请回复R",
    ("sms", "en"): "Reply TD to stop",
    ("in_app", "zh"): "不想再收到此类消息,可在“我的授权”中关闭。",
    ("in_app", "en"): "You can turn such messages off under “My consents”.",
}

# What makes a message an offer, however it is called. What a notice must be able to say (that a
# coupon lapses, that points were used) is taken out first.
_NEUTRAL = re.compile(r"优惠券|消费券|活动积分|(?:无|没有|并非|不是)(?:任何)?(?:优惠|营销|推荐)")
_OFFER = re.compile(
    r"优惠|折扣|打折|[0-9一二三四五六七八九]折|立减|满减|满.{1,8}减|秒杀|抢购|限时|特惠|特价|促销|抽奖|红包|返现"
    r"|免费领|赠送|赠礼|好礼|豪礼|推荐您|为您推荐|立即(?:购买|办理|申请|参与|领取)|火热|热销|爆款|理财产品|贷款额度"
    r"|\boffers?\b|\bdiscounts?\b|[0-9]+ ?% off\b|\bsale\b|\bpromo(?:tion)?s?\b|\blimited[ -]time\b"
    r"|\bbuy now\b|\bapply now\b|\bcash ?back\b|\bfree gift\b|\blucky draw\b|\bprizes?\b"
    r"|\bdeals?\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a part of a template: where, by which rule, and the words in question."""

    pointer: str
    rule: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: the name and contact that every message carries, and whose links are ours."""

    name: str
    contact: str
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Template:
    """An approved version of a registered template."""

    version_id: int
    code: str
    version: int
    class_: str
    purpose: str
    contents: Mapping[str, Mapping[str, Mapping[str, str]]]
    placeholders: Mapping[str, str]
    digest: bytes

    @property
    def is_marketing(self) -> bool:
        """Whether the customer must have agreed to messages of this purpose."""
        return self.class_ == "marketing"

    def says(self, channel: str, language: str) -> bool:
        """Return whether there are words for this channel and language."""
        return language in self.contents.get(channel, {})


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it leaves. Shows nothing of itself in logs."""

    channel: str
    contact: str
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Message({self.channel}, …)"

    def canonical(self) -> bytes:
        """Return the bytes whose digest stands in decision, permit and attempt."""
        headers = [list(header) for header in self.headers]
        return encode(
            [
                "quanyi.message/1",
                self.channel,
                self.contact,
                self.subject,
                self.text,
                self.html,
                headers,
            ]
        )


class Unsendable(ValueError):
    """The message cannot be composed; the word says why and holds nothing of a person."""


def check_contents(
    class_: str, contents: Mapping[str, Any], declared: Mapping[str, str], sender: Sender
) -> list[Fault]:
    """Return everything that is wrong with a template's contents, by pointer."""
    return [
        Fault(f"/contents/{channel}/{language}/{part}", rule, words)
        for channel, languages in contents.items()
        for language, parts in languages.items()
        for part, rule, words in _check_parts(class_, channel, parts, declared, sender)
    ]


def _check_parts(
    class_: str, channel: str, parts: Mapping[str, str], declared: Mapping[str, str], sender: Sender
) -> list[tuple[str, str, str]]:
    faults = []
    if ("subject" in parts) != (channel in WITH_SUBJECT):
        faults.append(("subject", "subject", ""))
    limits = {"subject": LONGEST_SUBJECT, "body": LONGEST_BODY[channel]}
    for part, words in parts.items():
        if len(words) > limits[part]:
            faults.append((part, "length", ""))
        if part == "subject" and not words.isprintable():
            faults.append((part, "characters", ""))
        faults += [(part, "placeholder", fault) for fault in placeholders.check(words, declared)]
        if class_ == "service":
            faults += [(part, "msg.service.no-promo", found) for found in offers(words, sender)]
    return faults


def offers(words: str, sender: Sender) -> list[str]:
    """Return what in `words` is an offer: words that advertise, and links to other houses."""
    found = [match.group() for match in _OFFER.finditer(_NEUTRAL.sub("", words))]
    links = (match.group() for match in _LINK.finditer(words))
    return found + [
        link[:60] for link in links if (urlsplit(link).hostname or "") not in sender.hosts
    ]


def compose(
    template: Template,
    channel: str,
    language: str,
    filling: Mapping[str, str],
    contact: str,
    sender: Sender,
    unsubscribe: str,
) -> Message:
    """Return the message that a template makes for one customer, the same each time.

    Raises `Unsendable` where words or values are missing, or where a value would end a header.
    """
    if not template.says(channel, language):
        raise Unsendable("no-words")
    parts = template.contents[channel][language]
    try:
        subject = placeholders.fill(parts.get("subject", ""), filling)
        body = placeholders.fill(parts["body"], filling)
    except placeholders.BadFilling:
        raise Unsendable("filling") from None
    return _dress(template, channel, language, subject, body, contact, sender, unsubscribe)


def optout_line(channel: str, language: str, link: str) -> str:
    """Return the line by which a message says how to refuse more of its kind."""
    return OPTOUT_LINE[channel, language].replace("{link}", link)


def _dress(
    template: Template,
    channel: str,
    language: str,
    subject: str,
    body: str,
    contact: str,
    sender: Sender,
    unsubscribe: str,
) -> Message:
    """Add what every message of its class and channel carries: who writes, and how to refuse."""
    headers: list[tuple[str, str]] = []
    signature = f"{sender.name} {sender.contact}"
    optout = ""
    if template.is_marketing:
        optout = optout_line(channel, language, unsubscribe)
        if channel == "email":
            subject = AD_PREFIX[language] + subject
            headers = [
                ("List-Unsubscribe", f"<{unsubscribe}>"),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ]
        elif channel == "in_app":
            subject = AD_PREFIX[language] + subject
    if channel == "sms":
        text = f"【{sender.name}】{body}" + (f" {optout}" if optout else "")
        return Message(channel, contact, "", _single(text), "", ())
    text = "\n\n".join(part for part in (body, signature, optout) if part)
    page = _as_html(text) if channel == "email" else ""
    return Message(channel, contact, _single(subject), text, page, tuple(headers))


def _single(line: str) -> str:
    if "\r" in line or "\n" in line or not line.isprintable():
        raise Unsendable("line-end")
    return line


def _as_html(text: str) -> str:
    paragraphs = (html.escape(part).replace("\n", "<br>") for part in text.split("\n\n"))
    return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
