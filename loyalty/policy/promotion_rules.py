"""2.6 Promotions, prizes, points."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from loyalty.policy.deposits import deposit_places
from loyalty.policy.facts import Facts, Offer
from loyalty.policy.judging import Answer, Finding, rule

Given = Mapping[str, Any]


@rule("promo.deposit-reward")
def _deposit_reward(facts: Facts, _: Given) -> Answer:
    offer = facts["offer"]
    if offer is None or offer["earn_rule"] is None:
        return None
    places = ["/" + "/".join(place) for place in deposit_places(offer["earn_rule"])]
    return Finding({"places": places}) if places else False


@rule("promo.aum-tier")
def _assets_tier(facts: Facts, _: Given) -> Answer:
    offer = facts["offer"]
    if offer is None or not (offer["tier_on_deposits"] and offer["gift_on_tier"]):
        return None
    return not offer["legal_opinion"]


@rule("promo.draw.max")
def _draw_max(facts: Facts, given: Given) -> Answer:
    draw = facts["draw"]
    if draw is None:
        return None
    return bool(max(draw["prizes"], default=0) > given["minor_units"])


@rule("promo.draw.disclose")
def _draw_disclose(facts: Facts, given: Given) -> Answer:
    draw = facts["draw"]
    if draw is None:
        return None
    empty = [name for name in given["fields"] if not draw["notice"].get(name, "").strip()]
    return Finding({"field": empty[0], "fields": empty}) if empty else False


@rule("promo.draw.frozen")
def _draw_frozen(facts: Facts, _: Given) -> Answer:
    draw = facts["draw"]
    if draw is None or draw["started_at"] is None or draw["started_at"] > facts["now"]:
        return None
    return draw["edited"] and not draw["edit_favours_customer"]


@rule("promo.draw.honest")
def _draw_honest(facts: Facts, _: Given) -> Answer:
    draw = facts["draw"]
    return None if draw is None else not (draw["seed_commitment"] and draw["staff_excluded"])


@rule("promo.draw.archive")
def _draw_archive(facts: Facts, given: Given) -> Answer:
    draw = facts["draw"]
    return None if draw is None else draw["retention_months"] < given["months"]


@rule("promo.points-prize")
def _points_prize(facts: Facts, _: Given) -> Answer:
    offer = facts["offer"]
    if offer is None or offer["voucher_terms"] is None:
        return None
    return not offer["voucher_terms"]


@rule("promo.honour")
def _honour(facts: Facts, _: Given) -> Answer:
    offer = facts["offer"]
    if offer is None or offer["rules_hash"] is None:
        return None
    return offer["rules_hash"] != offer["published_hash"]


def _change(offer: Offer | None) -> Mapping[str, Any] | None:
    return None if offer is None else offer["terms_change"]


@rule("promo.rule-change")
def _rule_change(facts: Facts, given: Given) -> Answer:
    change = _change(facts["offer"])
    if change is None:
        return None
    told = change["noticed_at"]
    if told is None or change["cuts_vested_value"]:
        return True
    return bool(change["effective_at"] - told < timedelta(days=given["days"]))


@rule("promo.prepaid")
def _prepaid(facts: Facts, given: Given) -> Answer:
    offer = facts["offer"]
    if offer is None or offer["membership"] is None or not offer["membership"]["paid"]:
        return None
    empty = [name for name in given["fields"] if not offer["membership"].get(name)]
    return Finding({"field": empty[0], "fields": empty}) if empty else False
