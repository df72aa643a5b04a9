"""2.4 Content and disclosure: what a text may say, and what it has to say."""

from collections.abc import Mapping
from typing import Any

from loyalty.policy.facts import Content, Facts, Product
from loyalty.policy.judging import Answer, Finding, rule
from loyalty.policy.wordlists import find_words

Given = Mapping[str, Any]


def _marketing(facts: Facts) -> Content | None:
    return facts["content"] if facts["message"]["kind"] == "MARKETING" else None


def _with_return(facts: Facts) -> Product | None:
    product = facts["product"]
    return product if product is not None and product["has_return"] else None


def _words(facts: Facts, given: Given) -> Answer:
    content = _marketing(facts)
    return None if content is None else find_words(content, given)


rule("content.superlative")(_words)
rule("content.state-names")(_words)
rule("content.return-promise")(_words)
rule("content.category-confusion")(_words)
rule("content.no-final-interpretation")(_words)


@rule("content.inducing")
def _inducing(facts: Facts, given: Given) -> Answer:
    content, product = _marketing(facts), facts["product"]
    if content is None:
        return None
    is_money = product is not None and (product["has_return"] or product["kind"] == "CREDIT")
    more = given["of_money_products"] if is_money else []
    return find_words(content, given, [*given["lexicons"], *more])


@rule("content.testimonial")
def _testimonial(facts: Facts, given: Given) -> Answer:
    content = _marketing(facts)
    if content is None or _with_return(facts) is None:
        return None
    return content["kind"] in given["kinds"]


@rule("content.risk-warning")
def _risk_warning(facts: Facts, _: Given) -> Answer:
    content = _marketing(facts)
    if content is None or _with_return(facts) is None:
        return None
    return "RISK" not in content["blocks"] or not content["risk_prominent"]


@rule("content.key-facts-match")
def _key_facts(facts: Facts, _: Given) -> Answer:
    content, product = facts["content"], facts["product"]
    if content is None or product is None or not content["facts"]:
        return None
    wrong = [
        name for name, value in content["facts"].items() if product["facts"].get(name) != value
    ]
    return Finding({"field": wrong[0], "fields": wrong}) if wrong else False


@rule("content.apr")
def _annual_rate(facts: Facts, _: Given) -> Answer:
    content, product = _marketing(facts), facts["product"]
    if content is None or product is None or product["kind"] != "CREDIT":
        return None
    return "APR" not in content["blocks"]


@rule("content.first-period")
def _first_period(facts: Facts, _: Given) -> Answer:
    content = _marketing(facts)
    if content is None or not content["has_discount"]:
        return None
    return "FULL_COST" not in content["blocks"]


@rule("content.zone")
def _zones(facts: Facts, _: Given) -> Answer:
    content = _marketing(facts)
    if content is None or len(set(content["kinds_on_page"])) < 2:
        return None
    return not content["zoned"]


@rule("content.data-source")
def _data_source(facts: Facts, _: Given) -> Answer:
    content = _marketing(facts)
    if content is None or not content["claims"]:
        return None
    bare = [
        claim for claim in content["claims"] if not (claim.get("source") and claim.get("as_of"))
    ]
    return Finding({"claim": bare[0].get("text", "")}) if bare else False


@rule("content.gift")
def _gift(facts: Facts, given: Given) -> Answer:
    content = _marketing(facts)
    if content is None or not content["gifts"]:
        return None
    for gift in content["gifts"]:
        empty = [name for name in given["fields"] if gift.get(name) in (None, "")]
        if empty:
            return Finding({"field": empty[0]})
        if gift["value"] > gift["current_price"]:
            return Finding({"field": "value"})
    return False


@rule("content.price-compare")
def _price_compare(facts: Facts, _: Given) -> Answer:
    content = _marketing(facts)
    if content is None or content["was_price"] is None:
        return None
    lowest = content["lowest_deal_7d"]
    return lowest is None or content["was_price"] > lowest


@rule("content.no-tie")
def _no_tie(facts: Facts, _: Given) -> Answer:
    offer = facts["offer"]
    return None if offer is None else offer["addon_ticked"]


@rule("content.portrait")
def _portrait(facts: Facts, _: Given) -> Answer:
    content = facts["content"]
    if content is None or not content["portraits"]:
        return None
    return any(
        not shown.get("release") or (shown.get("minor") and not shown.get("guardian_release"))
        for shown in content["portraits"]
    )


@rule("content.private-product")
def _private_product(facts: Facts, _: Given) -> Answer:
    product, campaign = facts["product"], facts["campaign"]
    if product is None or campaign is None or not product["is_private"]:
        return None
    return campaign["open_audience"]


@rule("content.staff-share")
def _staff_share(facts: Facts, _: Given) -> Answer:
    content = facts["content"]
    if content is None or not content["shared_by_staff"]:
        return None
    return not (content["is_approved"] and content["staff_licensed"])


@rule("content.ai-label")
def _ai_label(facts: Facts, _: Given) -> Answer:
    content = facts["content"]
    if content is None or not content["made_by_ai"]:
        return None
    return not content["ai_label"]


@rule("visit.no-marketing")
def _visit_without_marketing(facts: Facts, given: Given) -> Answer:
    content = facts["content"]
    if content is None or facts["message"]["kind"] != "VISIT":
        return None
    return find_words(content, given)
