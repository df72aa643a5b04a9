"""Linting: on every save, what is wrong with a campaign, each at its place in the document.

Findings that block keep a campaign from being submitted, never from being saved: a draft may be
as unfinished as its author.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import contents, disclosures, judging, products, rules
from campaigns.wording import FINDINGS
from loyalty import benefits, coupons, messages, policy
from loyalty.programmes import Programme
from loyalty.settings import settings
from loyalty.web import Bilingual, NotFound

Document = Mapping[str, Any]
BLOCK, WARN = "block", "warn"
MOST_FINDINGS = 200
DEAREST_PRIZE = 5_000_000  # minor units: 50,000 yuan

_NEEDED = ("audience", "variants", "channels", "schedule", "purpose")
_OFFERS: Mapping[str, frozenset[str]] = {
    "points_bonus": frozenset({"earning_rule"}),
    "coupon": frozenset({"coupon"}),
    "prize_draw": frozenset({"earning_rule", "coupon", "benefit"}),
    "product_information": frozenset(),
    "service": frozenset(),
}
_OFFER_NEEDED = ("points_bonus", "coupon")
_BUDGET_NEEDED = ("points_bonus", "coupon", "prize_draw")
_NOTICE = (
    *("kinds", "conditions", "way", "drawn_at", "draw_way", "prizes", "odds", "redeem_until"),
    *("redeem_way", "delivery", "waiver", "organiser", "contact"),
)
"""With a prize's name, number and value these are fifteen things that a notice has to say."""

_PURPOSE = text("SELECT is_marketing FROM loyalty.consent_purposes WHERE code = :code")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong where (a JSON pointer into the document), by which rule, and how bad it is.

    `span` are the first character that is meant and the first after it.
    """

    pointer: str
    rule: str
    words: Bilingual
    severity: str = BLOCK
    span: tuple[int, int] | None = None

    def dump(self) -> dict[str, Any]:
        """Return the finding as it is kept and shown."""
        return {
            "pointer": self.pointer,
            "rule": self.rule,
            "severity": self.severity,
            "detail": {"zh": self.words.zh, "en": self.words.en},
            "span": None if self.span is None else list(self.span),
        }


def lint(session: Session, programme: Programme, kind: str, document: Document) -> list[Finding]:
    """Return what is wrong with a campaign of this type, the gravest first."""
    found = [
        *_lint_parts(kind, document),
        *_lint_offer(kind, document),
        *_lint_gifts(session, programme, document),
        *_lint_draw(kind, document),
        *_lint_contents(document),
        *_lint_words(session, kind, document),
        *_lint_sources(session, kind, document),
    ]
    return sorted(found, key=lambda one: one.severity != BLOCK)[:MOST_FINDINGS]


def pack_in_force(session: Session) -> str:
    """Return the version of the policy pack by which campaigns are judged now."""
    pack = _read_pack(session)
    return "none" if pack is None else pack.version


def _read_pack(session: Session) -> policy.Pack | None:
    try:
        return policy.pack_in_force(session, settings().keys)
    except policy.NoPack:
        return None  # which blocks every campaign: see `_lint_words`


def _fault(pointer: str, rule: str, words: str = "") -> Finding:
    said = FINDINGS[rule]
    return Finding(
        pointer,
        rule,
        Bilingual(said.zh.replace("{words}", words), said.en.replace("{words}", words)),
    )


def _lint_parts(kind: str, document: Document) -> Iterator[Finding]:
    for name in _NEEDED:
        if document.get(name) is None and not (name == "purpose" and kind == "service"):
            yield _fault(f"/{name}", "missing")
    if kind in _BUDGET_NEEDED and "budget" not in document:
        yield _fault("/budget", "missing")
    if kind == "product_information" and "product" not in document:
        yield _fault("/product", "missing")
    schedule = document.get("schedule")
    if schedule and datetime.fromisoformat(schedule["ends_at"]) <= datetime.now(UTC):
        yield _fault("/schedule/ends_at", "schedule.over")


def _lint_hours(pack: policy.Pack, document: Document) -> Iterator[Finding]:
    """Yield that no channel is ever open: by the campaign's own hours and those of the house."""
    hours = document.get("quiet_hours")
    if hours is None:
        return
    for channel in document.get("channels", ()):
        quiet = [judging.quiet_hours(pack, channel), rules.hours_of(hours)]
        if not rules.open_hours([span for span in quiet if span is not None]):
            yield _fault("/quiet_hours", "schedule.quiet")
            return


def _lint_offer(kind: str, document: Document) -> Iterator[Finding]:
    offer = document.get("offer")
    if offer is None:
        if kind in _OFFER_NEEDED:
            yield _fault("/offer", "missing")
        return
    for name in offer.keys() - _OFFERS[kind]:
        yield _fault(f"/offer/{name}", "offer.type")


def _lint_gifts(session: Session, programme: Programme, document: Document) -> Iterator[Finding]:
    """Yield series and benefits that there are not, and a budget that cannot pay for the offer."""
    offer = document.get("offer") or {}
    if "coupon" in offer and not _is_issued(session, programme, offer["coupon"]["series"]):
        yield _fault("/offer/coupon/series", "offer.unknown")
    if "benefit" in offer:
        offered = {one.code for one in benefits.list_offers(session, programme)}
        if offer["benefit"]["code"] not in offered:
            yield _fault("/offer/benefit/code", "offer.unknown")
    yield from _lint_prizes(session, programme, document)
    unit = (document.get("budget") or {}).get("unit")
    if (unit == "money" and "earning_rule" in offer) or (unit == "points" and "coupon" in offer):
        yield _fault("/budget/unit", "budget.unit")


def _lint_prizes(session: Session, programme: Programme, document: Document) -> Iterator[Finding]:
    """Yield prizes that nobody could give: another unit, more than there is, no such series."""
    budget = document.get("budget")
    for place, prize in enumerate((document.get("draw") or {}).get("prizes", ())):
        gives, at = prize.get("gives") or {}, f"/draw/prizes/{place}/gives"
        if "coupon" in gives and not _is_issued(session, programme, gives["coupon"]["series"]):
            yield _fault(f"{at}/coupon/series", "offer.unknown")
        if gives and budget and ("points" in gives) != (budget["unit"] == "points"):
            yield _fault(at, "budget.unit")
    if budget and rules.prizes_cost(document) > budget["amount"]:
        yield _fault("/budget/amount", "budget.prizes")


def _is_issued(session: Session, programme: Programme, series: str) -> bool:
    try:
        return not coupons.find_series(session, programme, series).is_halted
    except NotFound:
        return False  # no such series, or none that is in force yet


def _lint_draw(kind: str, document: Document) -> Iterator[Finding]:
    draw = document.get("draw")
    if kind != "prize_draw":
        if draw is not None:
            yield _fault("/draw", "offer.type")
        return
    draw = draw or {}
    for name in _NOTICE:
        if name not in draw:
            yield _fault(f"/draw/{name}", "promo.draw.disclose")
    for place, prize in enumerate(draw.get("prizes", ())):
        if prize["value"] > DEAREST_PRIZE:
            yield _fault(f"/draw/prizes/{place}/value", "promo.draw.max")
    yield from _lint_draw_times(draw, document.get("schedule"))


def _lint_draw_times(draw: Document, schedule: Document | None) -> Iterator[Finding]:
    if schedule is None or not {"drawn_at", "redeem_until"} <= draw.keys():
        return
    times = [schedule["ends_at"], draw["drawn_at"], draw["redeem_until"]]
    ends, drawn, redeemed = (datetime.fromisoformat(time) for time in times)
    if not ends <= drawn < redeemed:
        yield _fault("/draw/drawn_at", "draw.time")


def _lint_contents(document: Document) -> Iterator[Finding]:
    channels = document.get("channels", ())
    for place, variant in enumerate(document.get("variants", ())):
        at = f"/variants/{place}/contents"
        for channel in channels:
            for language in ("zh", "en"):
                if language not in variant["contents"].get(channel, {}):
                    yield _fault(f"{at}/{channel}/{language}", "content.missing")
        told = document["told"][place]["contents"]
        for pointer, rule, words in contents.check(told, contents.placeholders_of(document)):
            yield _fault(at + pointer, rule, words)


def _lint_words(session: Session, kind: str, document: Document) -> Iterator[Finding]:
    """Yield the words that the policy pack forbids, each where it stands."""
    pack = _read_pack(session)
    if pack is None:
        yield _fault("", "policy.missing")
        return
    yield from _lint_hours(pack, document)
    for place, variant in enumerate(document.get("variants", ())):
        for channel, languages in variant["contents"].items():
            for language, words in languages.items():
                at = f"/variants/{place}/contents/{channel}/{language}"
                yield from _judge_words(pack, at, _facts_of(kind, document, words))


def _facts_of(kind: str, document: Document, words: Mapping[str, str]) -> policy.Facts:
    """Return what the rules about words look at, and nothing else: the others do not answer."""
    product = document["facts"]
    return {
        "message": {
            "kind": "SERVICE" if kind == "service" else "MARKETING",
            "template_registered": True,
        },
        "content": {"subject": words.get("subject", ""), "texts": [words["body"]]},
        "offer": None,
        "product": None
        if product is None
        else {
            "kind": product["category"].upper(),
            "has_return": product["category"] in disclosures.WITH_RETURN,
        },
    }


def _judge_words(pack: policy.Pack, at: str, facts: policy.Facts) -> Iterator[Finding]:
    for result in policy.judge(pack, "approve", facts).results:
        for span in result.detail.get("spans", ()):
            detail = replace(result, detail={**result.detail, "word": span["word"]})
            said = Bilingual(pack.explain(detail, "zh"), pack.explain(detail, "en"))
            part = "subject" if span["text"] == 0 else "body"
            severity = WARN if pack.is_warning(result.rule) else BLOCK
            place = (span["start"], span["end"])
            yield Finding(f"{at}/{part}", result.rule, said, severity, place)


def _lint_sources(session: Session, kind: str, document: Document) -> Iterator[Finding]:
    link = document.get("link")
    if link is not None and (urlsplit(link).hostname or "") not in messages.own_hosts():
        yield _fault("/link", "msg.link.own-platform")
    purpose = document.get("purpose")
    if purpose is not None and kind != "service":
        is_marketing = session.execute(_PURPOSE, {"code": purpose}).scalar_one_or_none()
        if not is_marketing:
            yield _fault("/purpose", "purpose.unknown")
    product = document.get("product")
    if product is not None:
        yield from _lint_product(session, product, document["facts"])


def _lint_product(session: Session, product: Document, facts: Any) -> Iterator[Finding]:
    if facts is None:
        yield _fault("/product", "product.unknown")
        return
    newest = products.version_in_force(session, product["code"], datetime.now(UTC))
    if newest != product["version"]:
        yield _fault("/product/version", "product.newer")
