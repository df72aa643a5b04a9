"""2.5 Suitability, targeting, automated decisions."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from loyalty.policy.consent_rules import marketed
from loyalty.policy.facts import Campaign, Facts, Product
from loyalty.policy.judging import About, Answer, Finding, rule

Given = Mapping[str, Any]


def _rated(facts: Facts) -> Product | None:
    """Return the product where it has a risk grade and is recommended to somebody."""
    product = facts["product"]
    if product is None or marketed(facts) is None or not product["needs_assessment"]:
        return None
    return product


@rule("suit.risk-match", About.RECIPIENT)
def _risk_match(facts: Facts, _: Given) -> Answer:
    product, who = _rated(facts), facts["recipient"]
    if product is None or who is None:
        return None
    grade = who["risk_grade"]
    return grade is None or product["risk_grade"] > grade


@rule("suit.assessment-valid", About.RECIPIENT)
def _assessment_valid(facts: Facts, given: Given) -> Answer:
    who = facts["recipient"]
    if _rated(facts) is None or who is None:
        return None
    at = who["assessed_at"]
    return at is None or facts["now"] - at > timedelta(days=given["days"])


@rule("suit.assessment-limits")
def _assessment_limits(facts: Facts, given: Given) -> Answer:
    form = facts["form"]
    if form is None or form["source"] != "RISK_ASSESSMENT":
        return None
    today, lately = form["assessments_1d"], form["assessments_12m"]
    return bool(today >= given["in_1_day"] or lately >= given["in_12_months"])


@rule("suit.age65", About.RECIPIENT)
def _age_65(facts: Facts, given: Given) -> Answer:
    product, who = _rated(facts), facts["recipient"]
    if product is None or who is None or who["age_band"] != "FROM_65":
        return None
    return bool(product["risk_grade"] >= given["risk_grade"])


@rule("suit.capacity", About.RECIPIENT)
def _capacity(facts: Facts, given: Given) -> Answer:
    who, product = marketed(facts), facts["product"]
    if who is None or product is None or who["capacity"] in (None, "FULL"):
        return None
    low = product["risk_grade"] <= given["risk_grade"] and who["guardian"]
    return who["capacity"] == "NONE" or not low


@rule("auto.off-switch", About.RECIPIENT)
def _off_switch(facts: Facts, _: Given) -> Answer:
    who, message = marketed(facts), facts["message"]
    if who is None or not message["automated"]:
        return None
    return who["personalisation_off"] or not message["off_switch"]


@rule("auto.equal-terms")
def _equal_terms(facts: Facts, _: Given) -> Answer:
    offer = facts["offer"]
    if offer is None:
        return None
    hidden = sorted(set(offer["terms_depend_on"]) - set(offer["published_terms"]))
    return Finding({"field": hidden[0]}) if hidden else False


@rule("auto.explain")
def _explain(facts: Facts, _: Given) -> Answer:
    campaign = facts["campaign"]
    if campaign is None or not campaign["significant_decision"]:
        return None
    return not campaign["explanation_route"]


@rule("auto.pia")
def _impact_assessment(facts: Facts, _: Given) -> Answer:
    campaign = facts["campaign"]
    if campaign is None or not _needs_assessment(facts, campaign):
        return None
    until = campaign["impact_until"]
    return campaign["impact_assessment"] is None or until is None or until <= facts["now"]


def _needs_assessment(facts: Facts, campaign: Campaign) -> bool:
    offer = facts["offer"]
    shares = offer is not None and offer["partner_gets_personal_data"]
    sensitive = any(field.get("sensitive") for field in campaign["fields"])
    return facts["message"]["automated"] or shares or sensitive


def _fields(facts: Facts) -> Sequence[Mapping[str, Any]] | None:
    campaign = facts["campaign"]
    return None if campaign is None else campaign["fields"]


@rule("audience.attribute-allow-list")
def _allow_list(facts: Facts, _: Given) -> Answer:
    fields = _fields(facts)
    if fields is None:
        return None
    refused = [field["name"] for field in fields if not field["marketing"]]
    return Finding({"field": refused[0], "fields": refused}) if refused else False


def _from(facts: Facts, given: Given) -> Answer:
    fields = _fields(facts)
    if fields is None:
        return None
    found = [field["name"] for field in fields if field["origin"] in given["origins"]]
    return Finding({"field": found[0], "fields": found}) if found else False


rule("audience.credit-report")(_from)
rule("audience.antifraud")(_from)


@rule("audience.preview-fresh")
def _preview_fresh(facts: Facts, given: Given) -> Answer:
    campaign = facts["campaign"]
    if campaign is None:
        return None
    at = campaign["preview_at"]
    if at is None or not campaign["preview_matches"]:
        return True
    return facts["now"] - at > timedelta(hours=given["hours"])
