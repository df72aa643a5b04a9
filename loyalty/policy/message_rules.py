"""2.2 and 2.3: the sender, the way out, the class of a message; time, frequency, situation."""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any

from loyalty.policy.consent_rules import marketed
from loyalty.policy.facts import Facts, Message
from loyalty.policy.judging import About, Answer, Finding, rule
from loyalty.policy.wordlists import find_words

Given = Mapping[str, Any]


def _marketing(facts: Facts) -> Message | None:
    return facts["message"] if facts["message"]["kind"] == "MARKETING" else None


@rule("msg.sender-identity")
def _sender_identity(facts: Facts, _: Given) -> Answer:
    message = facts["message"]
    signed = message["signature"].strip() == message["registered_name"].strip() != ""
    return not (signed and message["contact_line"].strip())


@rule("msg.optout.present")
def _optout_present(facts: Facts, _: Given) -> Answer:
    message = _marketing(facts)
    return None if message is None else not message["has_optout"]


@rule("msg.optout.works")
def _optout_works(facts: Facts, given: Given) -> Answer:
    if _marketing(facts) is None:
        return None
    gate = facts["gate"]
    at = gate["optout_checked_at"]
    if not gate["optout_ok"] or at is None:
        return True
    return facts["now"] - at > timedelta(hours=given["hours"])


@rule("msg.optout.post-only")
def _optout_post_only(facts: Facts, _: Given) -> Answer:
    message = _marketing(facts)
    return None if message is None else message["optout_get_acts"]


@rule("msg.email.ad-prefix")
def _ad_prefix(facts: Facts, given: Given) -> Answer:
    message, content = _marketing(facts), facts["content"]
    if message is None or content is None or message["channel"] != "EMAIL":
        return None
    return not content["subject"].startswith(tuple(given["prefixes"]))


@rule("msg.ad-identifiable")
def _ad_identifiable(facts: Facts, given: Given) -> Answer:
    message = _marketing(facts)
    if message is None or message["channel"] not in given["channels"]:
        return None
    return not message["ad_label"]


@rule("msg.popup.close")
def _popup_close(facts: Facts, _: Given) -> Answer:
    message = facts["message"]
    if message["placement"] != "POPUP":
        return None
    waits = message["popup_close_ms"]
    return waits is None or waits > 0 or not message["popup_close_visible"]


@rule("msg.no-append")
def _no_append(facts: Facts, given: Given) -> Answer:
    message = _marketing(facts)
    return None if message is None else message["placement"] in given["placements"]


@rule("msg.port-class")
def _port_class(facts: Facts, _: Given) -> Answer:
    message = facts["message"]
    if message["channel"] != "SMS" or message["kind"] not in ("MARKETING", "SERVICE"):
        return None
    return message["port_kind"] != message["kind"]


@rule("msg.service.no-promo")
def _service_without_promotion(facts: Facts, given: Given) -> Answer:
    content = facts["content"]
    if facts["message"]["kind"] != "SERVICE" or content is None:
        return None
    if not facts["message"]["template_registered"] or facts["offer"] is not None:
        return Finding({"word": ""})
    return find_words(content, given)


@rule("msg.link.own-platform")
def _own_links(facts: Facts, _: Given) -> Answer:
    message = facts["message"]
    own = {host.casefold() for host in message["own_hosts"]}
    foreign = [host for host in message["link_hosts"] if host.casefold() not in own]
    return Finding({"host": foreign[0]}) if foreign else False


def _within(at: time, since: time, until: time) -> bool:
    """Return whether a time of the day is in a window, which may pass midnight."""
    return since <= at < until if since <= until else at >= since or at < until


@rule("time.quiet-hours", About.RECIPIENT)
def _quiet_hours(facts: Facts, given: Given) -> Answer:
    who = marketed(facts)
    if who is None or facts["message"]["channel"] not in given["channels"]:
        return None
    since, until = (time.fromisoformat(given[name]) for name in ("from", "until"))
    if _within(who["local_time"], since, until):
        return Finding({"time": given["until"]})
    hours = who["hours"]
    if hours is not None and not _within(who["local_time"], *hours):
        return Finding({"time": hours[0].isoformat("minutes")})
    return False


@rule("freq.cap", About.RECIPIENT)
def _frequency_cap(facts: Facts, given: Given) -> Answer:
    who = marketed(facts)
    if who is None:
        return None
    weekly = given["in_7_days"]
    if who["weekly_cap"] is not None:
        weekly = min(weekly, who["weekly_cap"])
    if who["sent_1d"] >= given["in_1_day"] or who["sent_7d"] >= weekly:
        return Finding({"n": who["sent_7d"]})
    return False


@rule("time.blackout")
def _blackout(facts: Facts, _: Given) -> Answer:
    return None if _marketing(facts) is None else facts["gate"]["blackout"]


@rule("situation.complaint-open", About.RECIPIENT)
def _complaint_open(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    return None if who is None else who["open_complaints"] > 0


@rule("situation.distress", About.RECIPIENT)
def _distress(facts: Facts, _: Given) -> Answer:
    who, product = marketed(facts), facts["product"]
    if who is None or product is None or product["kind"] != "CREDIT":
        return None
    return who["distress"]
