"""The gate: one pure function that says whether a message may leave, and by which rules.

`decide` sees nothing but its inputs, which are stored with the decision: so it can be asked again
in five years. The order of `RULES` is the order of reasons: the first that fires is the primary
one; all are stored. A question that has no answer counts as a reason not to send.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

ALLOW, DENY, DEFER = "ALLOW", "DENY", "DEFER"
PASS, FIRE, NOT_ASKED = "pass", "fire", "n.a."

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
    return bool(inputs["customer"]["state"] != "active")


def _was_withdrawn_since(inputs: Inputs, _: datetime) -> Outcome:
    """A request is older than a refusal: it was taken out of the queue by it."""
    if not _sells(inputs):
        return None
    return bool(inputs["consent"]["refused_seq"] > inputs["request"]["consent_seq"])


def _is_suppressed(inputs: Inputs, _: datetime) -> Outcome:
    return bool(inputs["consent"]["suppressions"])


def _refused(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["consent"]["status"] == "REFUSED" if _sells(inputs) else None


def _never_agreed(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["consent"]["status"] != "GRANTED" if _sells(inputs) else None


def _cannot_be_reached(inputs: Inputs, _: datetime) -> Outcome:
    return inputs["contact"]["digest"] is None


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
    is_approved = inputs["template"]["digest"] in release["templates"]
    return not is_approved or request["origin_digest"] != release["digest"]


def _is_quiet(inputs: Inputs, now: datetime) -> Outcome:
    """Quiet hours are the recipient's, and may lie over midnight."""
    if not _sells(inputs):
        return None
    quiet = inputs["quiet"]
    local = now.astimezone(ZoneInfo(inputs["request"]["zone"]))
    first, last = quiet["from"], quiet["until"]
    inside = (
        first <= local.hour < last if first < last else local.hour >= first or local.hour < last
    )
    if first == last or not inside:
        return False
    end = local.replace(hour=last, minute=0, second=0, microsecond=0)
    return (end if end > local else end + timedelta(days=1)).astimezone(now.tzinfo)


def _had_enough(inputs: Inputs, now: datetime) -> Outcome:
    """A person gets so many a day and so many a week; the next place is free at an instant."""
    if not _sells(inputs):
        return None
    frequency = inputs["frequency"]
    taken = sorted((_instant(at) for at in frequency["taken"]), reverse=True)
    free = [
        taken[cap - 1] + timedelta(days=days)
        for days, cap in ((1, frequency["day"]), (7, frequency["week"]))
        if 0 < cap <= len(taken) and taken[cap - 1] + timedelta(days=days) > now
    ]
    if frequency["day"] == 0 or frequency["week"] == 0:
        return True
    return max(free) if free else False


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
    ("suppress.active", _is_suppressed),
    ("consent.withdraw.immediate", _was_withdrawn_since),
    ("consent.refused.hard", _refused),
    ("consent.marketing.required", _never_agreed),
    ("contact.known", _cannot_be_reached),
    ("release.approved", _lacks_release),
    ("release.in-force", _release_is_over),
    ("release.unchanged", _differs_from_release),
    ("time.quiet-hours", _is_quiet),
    ("freq.cap", _had_enough),
)
