"""The gate: one pure function that says whether a message may leave, and by which rules.

`decide` sees nothing but its inputs, which are stored with the decision: so it can be asked again
in five years. The order of `RULES` is the order of reasons: the first that fires is the primary
one; all are stored. A question that has no answer counts as a reason not to send.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

ALLOW, DENY, DEFER = "ALLOW", "DENY", "DEFER"
PASS, FIRE, NOT_ASKED = "pass", "fire", "n.a."

FOR_MARKETING = frozenset({"opt-out", "complaint", "customer-wish"})
ASSESSMENT_LIFE = timedelta(days=365)
QUIET_STEPS = 8

Inputs = Mapping[str, Any]
"""Facts as JSON: texts, whole numbers, truths, null, lists and objects; instants in RFC 3339."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided: ALLOW has no primary rule, DEFER says until when."""

    verdict: str
    primary_rule: str | None
    results: Mapping[str, str]
    defer_until: datetime | None = None


Outcome = bool | None | datetime
"""A rule passes (False), fires (True), is not asked (None), or fires until an instant."""


def digest(inputs: Inputs) -> bytes:
    """Return the digest of `inputs`, the same before and after they were in the database."""
    return hashlib.sha256(orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)).digest()


def decide(inputs: Inputs, now: datetime) -> Verdict:
    """Return whether the message of `inputs` may leave at `now`."""
    results: dict[str, str] = {}
    primary: str | None = None
    until: datetime | None = None
    denied = False
    for rule, ask in RULES:
        outcome = ask(inputs, now)
        results[rule] = NOT_ASKED if outcome is None else FIRE if outcome else PASS
        if not outcome:
            continue
        if isinstance(outcome, datetime):
            until = outcome if until is None else max(until, outcome)
            primary = primary or rule
        elif not denied:
            denied, primary = True, rule
    if denied:
        return Verdict(DENY, primary, results)
    if until is not None:
        return Verdict(DEFER, primary, results, until)
    return Verdict(ALLOW, None, results)


def _is_stopped(inputs: Inputs, _: datetime) -> Outcome:
    return bool(inputs["stops"])


def _is_late(inputs: Inputs, now: datetime) -> Outcome:
    return now >= _instant(inputs["request"]["expires_at"])


def _has_no_words(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["content"]["digest"] is None and inputs["contact"]["digest"] is not None


def _advertises_in_service(inputs: Inputs, _: datetime) -> Outcome:
    return None if _sells(inputs) else bool(inputs["template"]["offers"])


def _is_gone(inputs: Inputs, _: datetime) -> Outcome:
    return not inputs["customer"]["is_active"] or inputs["eligibility"]["restricted"]


def _is_dead(inputs: Inputs, _: datetime) -> Outcome:
    return bool(inputs["eligibility"]["deceased"])


def _is_child(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["eligibility"]["age_band"] == "UNDER_14" if _sells(inputs) else None


def _is_minor(inputs: Inputs, _: datetime) -> Outcome:
    minor = inputs["eligibility"]["age_band"] in ("UNDER_14", "UNDER_18")
    return minor and _terms(inputs).get("automated", True) if _sells(inputs) else None


def _is_suppressed(inputs: Inputs, _: datetime) -> Outcome:
    """What somebody wished away is marketing; the other stops hold for every message."""
    reasons = {stop["reason"] for stop in inputs["suppressions"]}
    return bool(reasons if _sells(inputs) else reasons - FOR_MARKETING)


def _was_refused_since(inputs: Inputs, _: datetime) -> Outcome:
    """A request that is older than a refusal was taken out of the queue by it."""
    if not _sells(inputs):
        return None
    refused = inputs["consent"]["refused_at"]
    return refused is not None and _instant(refused) >= _instant(inputs["request"]["requested_at"])


def _refused(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["consent"]["status"] in ("REFUSED", "WITHDRAWN") if _sells(inputs) else None


def _refused_channel(inputs: Inputs, _: datetime) -> Outcome:
    return bool(inputs["consent"]["channel_refused"]) if _sells(inputs) else None


def _never_agreed(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["consent"]["status"] != "GRANTED" if _sells(inputs) else None


def _agreed_to_old_notice(inputs: Inputs, _: datetime) -> Outcome:
    will = inputs["consent"]
    if not _sells(inputs) or will["status"] != "GRANTED":
        return None
    return bool(will["notice_version"] < will["required_version"])


def _lacks_separate(inputs: Inputs, _: datetime) -> Outcome:
    wanted = _terms(inputs).get("separately", [])
    if not _sells(inputs) or not wanted:
        return None
    return any(agreement not in inputs["consent"]["separately"] for agreement in wanted)


def _cannot_be_reached(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["contact"]["digest"] is None


def _is_unverified(inputs: Inputs, _: datetime) -> Outcome:
    if not _sells(inputs) or inputs["request"]["channel"] == "in_app":
        return None
    return not inputs["contact"]["is_verified"]


def _lacks_release(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["release"] is None if _sells(inputs) else None


def _release_is_over(inputs: Inputs, now: datetime) -> Outcome:
    release = inputs["release"]
    if release is None:
        return None
    return not _instant(release["starts_at"]) <= now < _instant(release["expires_at"])


def _differs_from_release(inputs: Inputs, _: datetime) -> Outcome:
    release, request = inputs["release"], inputs["request"]
    if release is None:
        return None
    is_approved = inputs["template"]["digest"] in release["terms"].get("templates", [])
    return not is_approved or request["origin_digest"] != release["digest"]


def _is_too_risky(inputs: Inputs, _: datetime) -> Outcome:
    risk = _terms(inputs).get("risk_grade")
    if not _sells(inputs) or risk is None:
        return None
    own = inputs["eligibility"]["risk_grade"]
    return own is None or risk > own


def _assessment_is_old(inputs: Inputs, now: datetime) -> Outcome:
    if not _sells(inputs) or _terms(inputs).get("risk_grade") is None:
        return None
    assessed = inputs["eligibility"]["risk_assessed_at"]
    return assessed is None or _instant(assessed) < now - ASSESSMENT_LIFE


def _is_old_for_risk(inputs: Inputs, _: datetime) -> Outcome:
    risk = _terms(inputs).get("risk_grade")
    if not _sells(inputs) or risk is None:
        return None
    return bool(inputs["eligibility"]["age_band"] == "FROM_65" and risk >= 4)


def _lacks_capacity(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["eligibility"]["capacity"] in ("NONE", "LIMITED") if _sells(inputs) else None


def _wants_no_automation(inputs: Inputs, _: datetime) -> Outcome:
    if not _sells(inputs) or not _terms(inputs).get("automated", True):
        return None
    return bool(inputs["preference"]["personalisation_off"])


def _wants_not_this_topic(inputs: Inputs, _: datetime) -> Outcome:
    topics = set(_terms(inputs).get("topics", []))
    return bool(topics & set(inputs["preference"]["topics_off"])) if _sells(inputs) else None


def _complains(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["eligibility"]["open_complaints"] > 0 if _sells(inputs) else None


def _is_in_distress(inputs: Inputs, _: datetime) -> Outcome:
    if not _sells(inputs) or _terms(inputs).get("product") != "credit":
        return None
    return bool(inputs["eligibility"]["distress"])


def _is_quiet(inputs: Inputs, now: datetime) -> Outcome:
    """Quiet hours are the recipient's, and may lie over midnight; others only add to them."""
    if not _sells(inputs):
        return None
    wish, zone = inputs["preference"], ZoneInfo(inputs["request"]["zone"])
    quiet = [(inputs["quiet"]["from"], inputs["quiet"]["until"])]
    if _terms(inputs).get("quiet") is not None:
        quiet.append(tuple(_terms(inputs)["quiet"]))
    if wish["hours_from"] is not None:
        quiet.append((wish["hours_until"], wish["hours_from"]))
    at = now
    for _ in range(QUIET_STEPS):
        ends = [end for span in quiet if (end := _end_of_quiet(at, zone, *span)) is not None]
        if not ends:
            return False if at == now else at
        at = max(ends)
    return True  # there is no hour at which this customer may be written to


def _end_of_quiet(at: datetime, zone: ZoneInfo, first: str, last: str) -> datetime | None:
    """Return when quiet hours that hold `at` end; None where it is in none."""
    if first == last:
        return None
    local = at.astimezone(zone)
    clock = local.strftime("%H:%M")
    inside = first <= clock < last if first < last else clock >= first or clock < last
    if not inside:
        return None
    end = datetime.combine(local.date(), time.fromisoformat(last), zone)
    if end <= local:
        end = datetime.combine(local.date() + timedelta(days=1), time.fromisoformat(last), zone)
    return end.astimezone(at.tzinfo)


def _had_enough(inputs: Inputs, now: datetime) -> Outcome:
    """A person gets so many a day and so many a week; the next place is free at an instant."""
    if not _sells(inputs):
        return None
    frequency, caps = inputs["frequency"], _terms(inputs).get("caps", {})
    day = _least(frequency["day"], caps.get("day"))
    week = _least(frequency["week"], caps.get("week"), inputs["preference"]["weekly_cap"])
    if week == 0:
        return True
    taken = sorted((_instant(at) for at in frequency["taken"]), reverse=True)
    free = [
        taken[cap - 1] + timedelta(days=days)
        for days, cap in ((1, day), (7, week))
        if cap <= len(taken) and taken[cap - 1] + timedelta(days=days) > now
    ]
    return max(free) if free else False


def _least(most: int, *others: int | None) -> int:
    return min([most, *(other for other in others if other is not None)])


def _terms(inputs: Inputs) -> Mapping[str, Any]:
    release = inputs["release"]
    terms: Mapping[str, Any] = {} if release is None else release["terms"]
    return terms


def _sells(inputs: Inputs) -> bool:
    return bool(inputs["template"]["class"] == "marketing")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


Rule = tuple[str, Callable[[Inputs, datetime], Outcome]]

RULES: tuple[Rule, ...] = (
    ("gate.stopped", _is_stopped),
    ("request.expired", _is_late),
    ("msg.composed", _has_no_words),
    ("msg.service.no-promo", _advertises_in_service),
    ("erasure.stop-processing", _is_gone),
    ("suppress.deceased-or-legal", _is_dead),
    ("minor.under14", _is_child),
    ("minor.no-automated-marketing", _is_minor),
    ("suppress.active", _is_suppressed),
    ("consent.withdraw.immediate", _was_refused_since),
    ("consent.refused.hard", _refused),
    ("consent.bank-optout-mode", _refused_channel),
    ("consent.marketing.required", _never_agreed),
    ("notice.version-current", _agreed_to_old_notice),
    ("consent.separate", _lacks_separate),
    ("contact.known", _cannot_be_reached),
    ("contact.verified", _is_unverified),
    ("release.approved", _lacks_release),
    ("release.in-force", _release_is_over),
    ("release.unchanged", _differs_from_release),
    ("suit.risk-match", _is_too_risky),
    ("suit.assessment-valid", _assessment_is_old),
    ("suit.age65", _is_old_for_risk),
    ("suit.capacity", _lacks_capacity),
    ("auto.off-switch", _wants_no_automation),
    ("preference.topic", _wants_not_this_topic),
    ("situation.complaint-open", _complains),
    ("situation.distress", _is_in_distress),
    ("time.quiet-hours", _is_quiet),
    ("freq.cap", _had_enough),
)
