"""2.2 and 2.3: the sender, the way out, the class of a message; time, frequency, situation."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.policy.consent_rules import marketed
from loyalty.policy.facts import Facts, Message
from loyalty.policy.judging import About, Answer, Finding, rule
from loyalty.policy.wordlists import find_words

Given = Mapping[str, Any]
QUIET_STEPS = 8


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


@rule("request.expired")
def _expired(facts: Facts, _: Given) -> Answer:
    return facts["now"] >= facts["request"]["expires_at"]


@rule("msg.composed")
def _not_composed(facts: Facts, _: Given) -> Answer:
    return not facts["request"]["is_composed"]


@rule("preference.topic", About.RECIPIENT)
def _unwanted_topic(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None:
        return None
    return not who["topics_off"].isdisjoint(facts["request"]["topics"])


@rule("msg.link.own-platform")
def _own_links(facts: Facts, _: Given) -> Answer:
    message = facts["message"]
    own = {host.casefold() for host in message["own_hosts"]}
    foreign = [host for host in message["link_hosts"] if host.casefold() not in own]
    return Finding({"host": foreign[0]}) if foreign else False


@rule("time.quiet-hours", About.RECIPIENT)
def _quiet_hours(facts: Facts, given: Given) -> Answer:
    """Quiet hours are the recipient's, and may lie over midnight; others only add to them."""
    who = marketed(facts)
    if who is None:
        return None
    quiet = []
    if facts["message"]["channel"] in given["channels"]:
        quiet.append((time.fromisoformat(given["from"]), time.fromisoformat(given["until"])))
    if facts["request"]["quiet"] is not None:
        quiet.append(facts["request"]["quiet"])
    if who["hours"] is not None:
        quiet.append((who["hours"][1], who["hours"][0]))
    at = facts["now"]
    for _ in range(QUIET_STEPS):
        ends = [end for span in quiet if (end := _end_of(at, who["zone"], *span)) is not None]
        if not ends:
            return False if at == facts["now"] else _until(at, who["zone"])
        at = max(ends)
    return Finding({"time": "-"})  # there is no hour at which this customer may be written to


def _end_of(at: datetime, zone: ZoneInfo, first: time, last: time) -> datetime | None:
    """Return when quiet hours that hold `at` end; None where it is in none."""
    if first == last:
        return None
    local = at.astimezone(zone)
    clock = local.time().replace(second=0, microsecond=0)
    if not (first <= clock < last if first < last else clock >= first or clock < last):
        return None
    end = datetime.combine(local.date(), last, zone)
    if end <= local:
        end = datetime.combine(local.date() + timedelta(days=1), last, zone)
    return end.astimezone(at.tzinfo)


def _until(at: datetime, zone: ZoneInfo) -> Finding:
    return Finding({"time": f"{at.astimezone(zone):%H:%M}", "until": at.isoformat()})


@rule("freq.cap", About.RECIPIENT)
def _frequency_cap(facts: Facts, given: Given) -> Answer:
    """A person gets so many a day and so many a week; the next place is free at an instant."""
    who = marketed(facts)
    if who is None:
        return None
    caps = facts["request"]["caps"]
    daily = _least(given["in_1_day"], caps.get("day"))
    weekly = _least(given["in_7_days"], caps.get("week"), who["weekly_cap"])
    sent = sorted(who["sent"], reverse=True)
    if weekly == 0:
        return Finding({"n": len(sent)})
    free = [
        sent[cap - 1] + timedelta(days=days)
        for days, cap in ((1, daily), (7, weekly))
        if cap <= len(sent) and sent[cap - 1] + timedelta(days=days) > facts["now"]
    ]
    return Finding({"n": len(sent), "until": max(free).isoformat()}) if free else False


def _least(most: int, *others: int | None) -> int:
    return min([most, *(other for other in others if other is not None)])


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
