"""2.7 Governance of the send: who agreed, to exactly this, and is it still so."""

from collections.abc import Mapping
from typing import Any

from loyalty.policy.facts import Facts
from loyalty.policy.judging import Answer, Finding, rule

Given = Mapping[str, Any]


@rule("gov.maker-checker")
def _maker_checker(facts: Facts, _: Given) -> Answer:
    campaign = facts["campaign"]
    if campaign is None:
        return None
    alone = not campaign["approvers"] or campaign["maker"] in campaign["approvers"]
    return alone or not campaign["hashes_match"]


@rule("gov.consumer-review")
def _consumer_review(facts: Facts, _: Given) -> Answer:
    campaign = facts["campaign"]
    return None if campaign is None else not campaign["consumer_review"]


@rule("gov.licence")
def _licence(facts: Facts, _: Given) -> Answer:
    campaign, product = facts["campaign"], facts["product"]
    if campaign is None or product is None:
        return None
    return product["kind"] not in campaign["product_kinds_licensed"]


@rule("gov.partner")
def _partner(facts: Facts, given: Given) -> Answer:
    offer = facts["offer"]
    if offer is None or offer["partner_id"] is None:
        return None
    forbidden = sorted(set(offer["partner_roles"]) & set(given["forbidden_roles"]))
    if forbidden:
        return Finding({"role": forbidden[0]})
    return not offer["partner_listed"]


@rule("gov.approval-expiry")
def _approval_expiry(facts: Facts, _: Given) -> Answer:
    campaign = facts["campaign"]
    if campaign is None:
        return None
    since, until = campaign["approved_from"], campaign["approved_until"]
    if until is None or until <= facts["now"] or not campaign["pack_matches"]:
        return True
    return since is not None and facts["now"] < since


@rule("gov.ad-archive")
def _ad_archive(facts: Facts, _: Given) -> Answer:
    campaign = facts["campaign"]
    return None if campaign is None else not campaign["archive_ok"]


@rule("gov.gate-up")
def _gate_up(facts: Facts, _: Given) -> Answer:
    return not facts["gate"]["is_up"]
