"""2.1 Consent and refusal: may this person be contacted for this, this way."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from loyalty.policy.facts import Facts, Recipient
from loyalty.policy.judging import About, Answer, Finding, rule

Given = Mapping[str, Any]
AGAINST = frozenset({"REFUSED", "WITHDRAWN"})
MINORS = frozenset({"UNDER_14", "UNDER_18"})


def marketed(facts: Facts) -> Recipient | None:
    """Return who receives marketing; None where there is nobody, or it is no marketing."""
    return facts["recipient"] if facts["message"]["kind"] == "MARKETING" else None


def _to(facts: Facts) -> dict[str, str]:
    return {"channel": facts["message"]["channel"], "purpose": facts["message"]["purpose"]}


@rule("consent.marketing.required", About.RECIPIENT)
def _marketing_required(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None:
        return None
    return Finding(_to(facts)) if who["status"] != "GRANTED" else False


@rule("consent.refused.hard", About.RECIPIENT)
def _refused(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    return None if who is None else who["status"] in AGAINST


@rule("consent.withdraw.immediate", About.RECIPIENT)
def _withdrawn_since(facts: Facts, given: Given) -> Answer:
    """At the gate it is the request that is older than a refusal, at the hand-over the permit."""
    who, permit = marketed(facts), facts["permit"]
    if who is None:
        return None
    at, since = who["last_withdrawal_at"], facts["request"]["asked_at"]
    if permit is not None:
        since = permit["issued_at"]
        if facts["now"] - since > timedelta(seconds=given["permit_seconds"]):
            return True
    return at is not None and at >= since


@rule("consent.no-rename", About.RECIPIENT)
def _no_rename(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None:
        return None
    return any(scope == "CONTACT_POINT" for scope, _reason in who["suppressions"])


@rule("consent.bank-optout-mode", About.RECIPIENT)
def _channel_refused(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None:
        return None
    return Finding(_to(facts)) if who["channel_refused"] else False


@rule("consent.no-default-no-bundle")
def _no_default_no_bundle(facts: Facts, _: Given) -> Answer:
    form = facts["form"]
    return None if form is None else form["default_checked"] or form["bundled_purposes"] > 1


@rule("consent.no-service-tie")
def _no_service_tie(facts: Facts, _: Given) -> Answer:
    form = facts["form"]
    if form is None:
        return None
    return (form["required_for_service"] and form["is_marketing"]) or form["reads_consent"]


@rule("notice.complete")
def _notice_complete(facts: Facts, _: Given) -> Answer:
    form = facts["form"]
    if form is None:
        return None
    told = form["notice_fields"]
    empty = [name for name in form["wanted_fields"] if not told.get(name, "").strip()]
    return Finding({"field": empty[0], "fields": empty}) if empty else False


@rule("notice.version-current", About.RECIPIENT)
def _notice_current(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None or who["status"] != "GRANTED":
        return None
    return who["notice_version"] < who["required_version"]


@rule("consent.no-nagging", About.RECIPIENT)
def _no_nagging(facts: Facts, given: Given) -> Answer:
    who = facts["recipient"]
    if who is None or facts["message"]["kind"] != "CONSENT_PROMPT":
        return None
    refused_at = who["refused_at"]
    if refused_at is None or who["status"] not in AGAINST:
        return False
    too_soon = facts["now"] < refused_at + timedelta(days=given["reask_days"])
    return too_soon or who["prompts_since_refusal"] >= given["times"]


def _uses(facts: Facts, word: str) -> bool:
    """Return whether the audience is chosen by a field that is marked so."""
    campaign = facts["campaign"]
    return campaign is not None and any(field.get(word) for field in campaign["fields"])


@rule("consent.fin-info-for-marketing", About.RECIPIENT)
def _financial_info(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None or not _uses(facts, "financial"):
        return None
    return ("financial-info-for-marketing", 0) not in who["separately"]


@rule("consent.separate.sensitive", About.RECIPIENT)
def _sensitive(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None or not _uses(facts, "sensitive"):
        return None
    return ("sensitive-data", 0) not in who["separately"]


@rule("consent.separate.third-party", About.RECIPIENT)
def _third_party(facts: Facts, _: Given) -> Answer:
    who, offer = facts["recipient"], facts["offer"]
    if who is None or offer is None or not offer["partner_gets_personal_data"]:
        return None
    partner = offer["partner_id"]
    if ("partner-sharing", partner) in who["separately"]:
        return False
    return Finding({"partner": partner})


@rule("processor.contract")
def _processor_contract(facts: Facts, _: Given) -> Answer:
    vendor = facts["vendor"]
    if vendor is None:
        return None
    until = vendor["contract_until"]
    in_scope = facts["message"]["purpose"] in vendor["purposes"]
    return until is None or until <= facts["now"] or not in_scope


@rule("data.cross-border", About.RECIPIENT)
def _cross_border(facts: Facts, _: Given) -> Answer:
    vendor, who = facts["vendor"], facts["recipient"]
    if vendor is None or vendor["region"] == "CN":
        return None
    if who is None or not vendor["lawful_route"]:
        return not vendor["lawful_route"]
    return ("cross-border", 0) not in who["separately"]


@rule("minor.under14", About.RECIPIENT)
def _under_14(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None or who["age_band"] != "UNDER_14":
        return None
    return not who["guardian"]


@rule("minor.no-automated-marketing", About.RECIPIENT)
def _no_automated_marketing(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None or who["age_band"] not in MINORS:
        return None
    return facts["message"]["automated"]


@rule("contact.verified", About.RECIPIENT)
def _contact_verified(facts: Facts, given: Given) -> Answer:
    """A service message needs an address that works; marketing one that is still their own."""
    who = facts["recipient"]
    if who is None:
        return None
    if who["contact_dead"]:
        return True
    if not who["contact_needed"]:
        return None
    if marketed(facts) is None:
        return False
    checked_at = who["contact_checked_at"]
    if who["contact_verified_at"] is None or checked_at is None:
        return True
    return facts["now"] - checked_at > timedelta(days=given["ownership_days"])


@rule("consent.import-provenance", About.RECIPIENT)
def _import_provenance(facts: Facts, _: Given) -> Answer:
    form = facts["form"]
    if form is not None:
        return form["source"] == "IMPORT" and not form["proof_complete"]
    who = marketed(facts)
    if who is None or who["mechanism"] != "IMPORT":
        return None
    return not who["proved"]


@rule("consent.proof-kept", About.RECIPIENT)
def _proof_kept(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None or facts["message"]["channel"] != "SMS":
        return None
    return not who["proved"]


@rule("consent.double-opt-in", About.RECIPIENT)
def _double_opt_in(facts: Facts, _: Given) -> Answer:
    who = marketed(facts)
    if who is None or facts["message"]["channel"] != "EMAIL" or who["mechanism"] != "SELF_FORM":
        return None
    return who["status"] == "PENDING"


@rule("consent.receipt")
def _receipt(facts: Facts, _: Given) -> Answer:
    form = facts["form"]
    return None if form is None else not form["receipt_issued"]


@rule("referral.no-cold-contact")
def _no_cold_contact(facts: Facts, _: Given) -> Answer:
    form = facts["form"]
    return None if form is None else form["source"] == "REFERRAL_UPLOAD"


@rule("erasure.stop-processing", About.RECIPIENT)
def _stop_processing(facts: Facts, _: Given) -> Answer:
    who = facts["recipient"]
    return None if who is None else who["restricted"]


@rule("suppress.deceased-or-legal", About.RECIPIENT)
def _suppressed(facts: Facts, given: Given) -> Answer:
    """What somebody wished away is marketing; the other stops hold for every message."""
    who = facts["recipient"]
    if who is None:
        return None
    if who["deceased"]:
        return Finding({"scope": "ALL", "reason": "deceased"})
    sells = marketed(facts) is not None
    for scope, reason in who["suppressions"]:
        if (scope != "CONTACT_POINT") if sells else (reason not in given["marketing_only"]):
            return Finding({"scope": scope, "reason": reason})
    return False
