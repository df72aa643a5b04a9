"""The gate: one pure function that says whether a message may leave, by the rules of a policy pack.

`decide` sees nothing but its inputs, which are stored with the decision and name the pack by
version and digest: so it can be asked again in five years. What the rules look at is made of the
inputs here; the rules themselves, their order and their texts are the pack's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from loyalty import policy
from loyalty.policy import Facts, Judgement, Pack

ALLOW, DENY, DEFER = "ALLOW", "DENY", "DEFER"
STAGE = "send"

SEPARATELY = ("financial-info-for-marketing", "sensitive-data", "partner-sharing", "cross-border")
"""What must be agreed to beside the purpose: each is what one rule of the pack looks for."""

Inputs = Mapping[str, Any]
"""Facts as JSON: texts, whole numbers, truths, null, lists and objects; instants in RFC 3339."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided: ALLOW has no primary rule, DEFER says until when."""

    verdict: str
    primary_rule: str | None
    results: Mapping[str, str]
    defer_until: datetime | None = None


def digest(inputs: Inputs) -> bytes:
    """Return the digest of `inputs`, the same before and after they were in the database."""
    return hashlib.sha256(orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)).digest()


def decide(inputs: Inputs, now: datetime, pack: Pack) -> Verdict:
    """Return whether the message of `inputs` may leave at `now`, by the rules of `pack`."""
    judged = policy.judge(pack, STAGE, facts_of(inputs, now))
    return Verdict(
        verdict=str(judged.verdict),
        primary_rule=None if judged.primary is None else judged.primary.rule,
        results={result.rule: str(result.outcome) for result in judged.results},
        defer_until=_until(judged) if judged.verdict == DEFER else None,
    )


def _until(judged: Judgement) -> datetime:
    """Return the first instant at which nothing that was found stands in the way any more."""
    waits = (one.detail["until"] for one in judged.results if "until" in one.detail)
    return max(datetime.fromisoformat(until) for until in waits)


def facts_of(inputs: Inputs, now: datetime) -> Facts:
    """Return what the rules of the pack look at, made of nothing but `inputs`."""
    release = inputs["release"]
    terms: Mapping[str, Any] = {} if release is None else release["terms"]
    sells = inputs["template"]["class"] == "marketing"
    separately = terms.get("separately", ())
    is_stopped = bool(inputs["stops"])
    return {
        "now": now,
        "gate": {
            "is_up": not is_stopped,
            "blackout": is_stopped,
            "optout_ok": inputs["optout"]["is_ok"],
            "optout_checked_at": _instant(inputs["optout"]["checked_at"]),
        },
        "message": _message(inputs, terms, sells),
        "recipient": _recipient(inputs),
        "request": {
            "asked_at": datetime.fromisoformat(inputs["request"]["requested_at"]),
            "expires_at": datetime.fromisoformat(inputs["request"]["expires_at"]),
            "is_composed": inputs["content"]["is_composed"],
            "topics": terms.get("topics", ()),
            "quiet": _hours(*terms.get("quiet") or (None, None)),
            "caps": terms.get("caps") or {},
        },
        "permit": None,
        "content": _content(inputs, terms),
        "product": _product(terms),
        "offer": _offer(inputs, separately, sells),
        "campaign": _campaign(inputs, separately) if sells or release is not None else None,
        "vendor": _vendor(separately),
        "form": None,
    }


def _message(inputs: Inputs, terms: Mapping[str, Any], sells: bool) -> policy.Message:
    request, content = inputs["request"], inputs["content"]
    kind = "MARKETING" if sells else "SERVICE"
    return {
        "kind": kind,
        "purpose": inputs["template"]["purpose"],
        "channel": request["channel"].upper(),
        "template_registered": True,  # by a foreign key
        "signature": content["signature"],
        "registered_name": inputs["sender"]["name"],
        "contact_line": content["contact_line"],
        "has_optout": content["has_optout"],
        "port_kind": kind if kind in inputs["sender"]["ports"] else "OTHER",
        "automated": terms.get("automated", True),
        "off_switch": content["has_optout"],
    }


def _recipient(inputs: Inputs) -> policy.Recipient:
    will, wish, fit = inputs["consent"], inputs["preference"], inputs["eligibility"]
    contact = inputs["contact"]
    return {
        "status": will["status"],
        "mechanism": will["mechanism"],
        "refused_at": _instant(will["refused_at"]),
        "last_withdrawal_at": _instant(will["refused_at"]),
        "proved": will["since_seq"] > 0,  # nothing is recorded without its proof
        "notice_version": will["notice_version"],
        "required_version": will["required_version"],
        "guardian": will["guardian"],
        "channel_refused": will["channel_refused"],
        "separately": frozenset((code, partner) for code, partner in will["separately"]),
        "suppressions": [(stop["scope"], stop["reason"]) for stop in inputs["suppressions"]],
        "contact_needed": inputs["request"]["channel"] != "in_app",
        "contact_dead": contact["digest"] is None,
        "contact_verified_at": _instant(contact["verified_at"]),
        "contact_checked_at": _instant(contact["checked_at"]),
        "age_band": fit["age_band"],
        "capacity": fit["capacity"],
        "risk_grade": fit["risk_grade"],
        "assessed_at": _instant(fit["risk_assessed_at"]),
        "open_complaints": fit["open_complaints"],
        "restricted": fit["restricted"] or not inputs["customer"]["is_active"],
        "deceased": fit["deceased"],
        "distress": fit["distress"],
        "personalisation_off": wish["personalisation_off"],
        "topics_off": frozenset(wish["topics_off"]),
        "hours": _hours(wish["hours_from"], wish["hours_until"]),
        "weekly_cap": wish["weekly_cap"],
        "sent": [datetime.fromisoformat(at) for at in inputs["frequency"]["taken"]],
        "zone": _zone(inputs["request"]["zone"]),
    }


def _content(inputs: Inputs, terms: Mapping[str, Any]) -> policy.Content:
    said = inputs["content"]
    discloses = frozenset(word.upper() for word in terms.get("discloses", ()))
    return {
        "subject": said["subject"],
        "texts": said["texts"],
        "blocks": discloses,
        "risk_prominent": "RISK" in discloses,
        "facts": {},
        "shared_by_staff": False,
    }


def _product(terms: Mapping[str, Any]) -> policy.Product | None:
    kind, grade = terms.get("product"), terms.get("risk_grade")
    if kind is None and grade is None:
        return None
    return {
        "kind": (kind or "wealth").upper(),
        "facts": {},
        "risk_grade": RISKIEST if grade is None else grade,
        "needs_assessment": grade is not None,
        "has_return": bool(terms.get("has_return")),
        "is_private": False,
    }


RISKIEST = 99
"""The grade of a product that has none, for who may only be offered what is safe."""


def _offer(inputs: Inputs, separately: Sequence[Sequence[Any]], sells: bool) -> policy.Offer | None:
    """Return whose partner it is; of several one without agreement, since one is enough."""
    given = inputs["consent"]["separately"]
    partners = [partner for code, partner in separately if code == "partner-sharing"]
    lacking = [partner for partner in partners if ["partner-sharing", partner] not in given]
    if (sells and not partners) or (not sells and not inputs["template"]["offers"]):
        return None
    partner = (lacking or partners or [None])[0]
    return {"partner_id": partner, "partner_gets_personal_data": bool(partners)}


def _campaign(inputs: Inputs, separately: Sequence[Sequence[Any]]) -> policy.Campaign:
    """Return what was approved, and whether it is what was asked for, by the rules of today."""
    release, request = inputs["release"], inputs["request"]
    wanted = {code for code, _ in separately}
    fields = [
        {"financial": SEPARATELY[0] in wanted, "sensitive": SEPARATELY[1] in wanted},
    ]
    if release is None:
        return {
            "fields": fields,
            "maker": request["origin"],
            "approvers": [],
            "hashes_match": False,
            "approved_from": None,
            "approved_until": None,
            "pack_matches": False,
            "open_audience": True,
        }
    is_approved = inputs["template"]["digest"] in release["terms"].get("templates", ())
    return {
        "fields": fields,
        "maker": request["origin"],
        "approvers": [release["approval"]],
        "hashes_match": is_approved and request["origin_digest"] == release["digest"],
        "approved_from": _instant(release["starts_at"]),
        "approved_until": _instant(release["expires_at"]),
        "pack_matches": release["terms"].get("pack") == inputs["policy"]["version"],
        "open_audience": True,
    }


def _vendor(separately: Sequence[Sequence[Any]]) -> policy.Vendor | None:
    """Return who abroad gets the message, where what was approved says that somebody does."""
    if all(code != "cross-border" for code, _ in separately):
        return None
    return {"region": "ABROAD", "lawful_route": True}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _hours(since: str | None, until: str | None) -> tuple[time, time] | None:
    if since is None or until is None:
        return None
    return time.fromisoformat(since), time.fromisoformat(until)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
