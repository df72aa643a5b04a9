"""Consent for customers, for the bank's systems, and for staff with a reason to look."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, customers
from loyalty.consent import (
    contacts,
    eligibility,
    notices,
    preferences,
    queries,
    receipts,
    recording,
    subjects,
    suppression,
)
from loyalty.consent.schemas import (
    ConsentFileSchema,
    ConsentOutcomesSchema,
    ConsentReceiptSchema,
    ConsentReceiptsSchema,
    ConsentRecordedSchema,
    ConsentStatesSchema,
    ConsentWhySchema,
    ContactPointSchema,
    FactsSchema,
    NewConsentEventsSchema,
    NewConsentSchema,
    NewContactPointSchema,
    NewEndSchema,
    NewFactsSchema,
    NewPresentationSchema,
    NewSuppressionSchema,
    NewWithdrawalSchema,
    PreferenceSchema,
    PreferencesSchema,
    PresentationSchema,
    PurposesSchema,
    SuppressionSchema,
    WithdrawnSchema,
    dump_outcome,
    dump_preference,
    dump_purpose,
    dump_recorded,
    dump_state,
)
from loyalty.consent.snapshot import Preference
from loyalty.web import Access, Answer, Caller, NotFound, cursors, endpoint, ids
from loyalty.web.cursors import PageQuery

blueprint = Blueprint("consent", __name__)

READ, WRITE = "consents:read", "consents:write"
STOPPERS = ("compliance", "consumer_protection", "complaint_officer")
_RECEIPTS = "receipts"
_FILE_RECEIPTS = 200
_JUDGED = (
    *("unknown-purpose", "wrong-channel", "not-yet-happened", "proof-not-opaque"),
    *("consent-unproved", "notice-not-in-force", "notice-not-shown", "separate-needed"),
    *("guardian-needed", "reference-reused", "customer-erased"),
)


@endpoint(
    blueprint,
    "GET",
    "/v1/purposes",
    access=Access.token(),
    answer=PurposesSchema,
    summary=("查看处理目的与告知书", "See purposes and their notices"),
    reading=True,
    tagged=True,
)
def get_purposes(session: Session) -> dict[str, Any]:
    """Answer what data is used for, and what customers are told of it."""
    return {"purposes": [dump_purpose(*pair) for pair in queries.list_purposes(session)]}


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/consents",
    access=Access.customer(READ),
    answer=ConsentStatesSchema,
    summary=("查看我的授权", "See what the customer agreed to"),
    reading=True,
)
def get_consents(session: Session, customer_id: int) -> dict[str, Any]:
    """Answer all that the customer ever said something about; nothing said means no."""
    _find(session, customer_id)
    return _dump_states(session, customer_id)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/presentations",
    access=Access.customer(WRITE),
    body=NewPresentationSchema,
    answer=PresentationSchema,
    status=201,
    idempotent=True,
    summary=("记录已展示的告知书", "Keep that a notice was shown"),
    problems=("ticked-before", "asked-too-often"),
)
def post_presentation(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Keep what the customer is being shown; before they agree, and with nothing ticked."""
    lang = body.pop("language")
    shown = notices.Shown(customer_id=customer_id, lang=lang, **body)
    (number,) = notices.present(session, [shown])
    answer = {
        "presentation_id": ids.encode("prs", number),
        "notice_id": ids.encode("ntc", body["notice_id"]),
    }
    audit.record(session, caller, "notice.shown", "customer", customer_id, answer)
    return answer


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/consents",
    access=Access.customer(WRITE),
    body=NewConsentSchema,
    answer=ConsentRecordedSchema,
    status=201,
    idempotent=True,
    summary=("同意、拒绝、确认或重新考虑", "Agree, refuse, confirm, or open the question again"),
    problems=_JUDGED,
)
def post_consent(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Record what the customer does on a screen of ours."""
    event = recording.NewEvent(
        customer_id=customer_id,
        mechanism="APP",
        source=caller.id,
        reference=caller.request_id,
        proof={"request": caller.request_id, "token": caller.token_fingerprint},
        **body,
    )
    (recorded,) = recording.record(session, caller, [event])
    if recorded.refusal is not None:
        raise recorded.refusal
    detail = {name: body[name] for name in ("purpose", "channel", "action")}
    audit.record(session, caller, "consent.recorded", "customer", customer_id, detail)
    return dump_recorded(recorded)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/withdrawals",
    access=Access.customer(WRITE),
    body=NewWithdrawalSchema,
    answer=WithdrawnSchema,
    status=201,
    idempotent=True,
    summary=("撤回同意", "Take consent back"),
    problems=("unknown-purpose", "customer-erased"),
)
def post_withdrawal(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Take back a purpose, a channel, or with an empty body all marketing; in force at once."""
    _find(session, customer_id)
    done = recording.withdraw(
        session,
        caller,
        [customer_id],
        mechanism="APP",
        source=caller.id,
        reference=caller.request_id,
        proof={"request": caller.request_id, "token": caller.token_fingerprint},
        **body,
    )
    for recorded in done:
        if recorded.refusal is not None:
            raise recorded.refusal
    audit.record(session, caller, "consent.withdrawn", "customer", customer_id, dict(body))
    return {"withdrawn": [dump_recorded(recorded) for recorded in done]}


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/receipts",
    access=Access.customer(READ),
    query=PageQuery,
    answer=ConsentReceiptsSchema,
    summary=("查看同意回执", "See the receipts"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_receipts(session: Session, customer_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of receipts, newest first, in the fields of ISO/IEC TS 27560."""
    _find(session, customer_id)
    position = cursors.read(_RECEIPTS, query["cursor"])
    before = position[0] if position else None
    limit = query["limit"]
    rows = receipts.list_receipts(session, customer_id, before=before, limit=limit + 1)
    return cursors.page_of(_RECEIPTS, rows, limit, position=_place, dump=dict)


def _place(receipt: dict[str, Any]) -> list[int]:
    return [ids.decode("cst", receipt["record"]["record_id"])]


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/receipts/{consent_id}",
    access=Access.customer(READ),
    answer=ConsentReceiptSchema,
    summary=("查看一份同意回执", "See one receipt"),
    reading=True,
)
def get_receipt(session: Session, customer_id: int, consent_id: int) -> dict[str, Any]:
    """Answer the receipt of one act of the customer's."""
    return receipts.read_receipt(session, customer_id, consent_id)


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/preferences",
    access=Access.customer(READ),
    answer=PreferencesSchema,
    summary=("查看联系偏好", "See the customer's wishes"),
    reading=True,
    tagged=True,
)
def get_preferences(session: Session, customer_id: int) -> dict[str, Any]:
    """Answer how often, on what and when the customer wishes to be contacted."""
    _find(session, customer_id)
    return dump_preference(preferences.read_preference(session, customer_id))


def _hold_preferences(session: Session, customer_id: int) -> dict[str, Any]:
    if customer_id not in subjects.lock(session, [customer_id]):
        raise NotFound
    return dump_preference(preferences.read_preference(session, customer_id))


@endpoint(
    blueprint,
    "PUT",
    "/v1/customers/{customer_id}/preferences",
    access=Access.customer(WRITE),
    body=PreferenceSchema,
    answer=PreferencesSchema,
    idempotent=True,
    edits=_hold_preferences,
    needs_match=False,
    summary=("设置联系偏好", "Set the customer's wishes"),
)
def put_preferences(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Put these wishes in the place of those before; what is left out is no wish."""
    wishes = Preference(**{**body, "topics_off": tuple(body["topics_off"])})
    kept = preferences.set_preference(session, caller, customer_id, wishes)
    detail = {"version": kept.version}
    audit.record(session, caller, "preferences.set", "customer", customer_id, detail)
    return dump_preference(kept)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/consents/view",
    access=Access.staff("support", "branch", *STOPPERS, "customer_manager"),
    body=ConsentWhySchema,
    answer=ConsentFileSchema,
    not_idempotent="it changes nothing, and each look leaves a row of its own",
    summary=("查阅客户授权档案", "Look into what a customer agreed to"),
)
def post_view(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Answer a customer's consents, receipts and wishes, and keep who looked and why."""
    _find(session, customer_id)
    audit.record(session, caller, "consent.viewed", "customer", customer_id, dict(body))
    wishes = preferences.read_preference(session, customer_id)
    return {
        **_dump_states(session, customer_id),
        "receipts": receipts.list_receipts(session, customer_id, before=None, limit=_FILE_RECEIPTS),
        "preferences": dump_preference(wishes),
    }


@endpoint(
    blueprint,
    "POST",
    "/v1/consents",
    access=Access.system("consents:report"),
    body=NewConsentEventsSchema,
    answer=ConsentOutcomesSchema,
    status=201,
    idempotent=True,
    summary=("报送客户授权", "Report what customers agreed to or took back"),
)
def post_consents(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Record events with their proof; a refused one does not stop the others."""
    events = [recording.NewEvent(source=caller.id, **event) for event in body["events"]]
    results = recording.record(session, caller, events)
    audit.record_many(
        session,
        [
            audit.Act(caller, "consent.recorded", "customer", event.customer_id, _about(event))
            for event, result in zip(events, results, strict=True)
            if result.refusal is None and not result.is_repeat
        ],
    )
    pairs = zip(events, results, strict=True)
    return {"events": [dump_outcome(event.reference, result) for event, result in pairs]}


def _about(event: recording.NewEvent) -> dict[str, str]:
    return {"purpose": event.purpose, "channel": event.channel, "action": event.action}


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/contact-points",
    access=Access.system("contacts:write"),
    body=NewContactPointSchema,
    answer=ContactPointSchema,
    status=201,
    idempotent=True,
    summary=("登记联系方式", "Keep a contact point"),
    problems=("not-a-contact",),
)
def post_contact_point(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Seal a number or address of the customer's; a known one is brought up to date."""
    new = contacts.NewContact(customer_id=customer_id, **body)
    (number,) = contacts.add_contacts(session, [new])
    answer = {"contact_point_id": ids.encode("cpt", number)}
    audit.record(session, caller, "contact.kept", "customer", customer_id, answer)
    return answer


@endpoint(
    blueprint,
    "POST",
    "/v1/eligibility",
    access=Access.system("eligibility:report"),
    body=NewFactsSchema,
    answer=FactsSchema,
    status=201,
    idempotent=True,
    summary=("报送适当性与资格信息", "Report what customers may be offered"),
    problems=("not-a-fact",),
)
def post_facts(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Keep facts, all or none; the newest of a kind counts."""
    facts = [eligibility.NewFact(source=caller.id, **fact) for fact in body["facts"]]
    eligibility.add_facts(session, caller, facts)
    audit.record_many(
        session,
        [
            audit.Act(caller, "fact.kept", "customer", fact.customer_id, {"kind": fact.kind})
            for fact in facts
        ],
    )
    return {"facts": len(facts)}


@endpoint(
    blueprint,
    "POST",
    "/v1/suppressions",
    access=Access.staff(*STOPPERS, or_system="suppressions:write"),
    body=NewSuppressionSchema,
    answer=SuppressionSchema,
    status=201,
    idempotent=True,
    summary=("登记禁止联系", "Stop contact with a customer"),
)
def post_suppression(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Write a stop for one customer, in force at once."""
    (number,) = suppression.suppress(
        session, caller, [suppression.NewSuppression(source=caller.id, **body)]
    )
    detail = {name: body[name] for name in ("scope", "scope_value", "reason")}
    audit.record(session, caller, "contact.suppressed", "customer", body["customer_id"], detail)
    return {"suppression_id": ids.encode("sup", number)}


@endpoint(
    blueprint,
    "POST",
    "/v1/suppressions/{suppression_id}/ends",
    access=Access.staff(*STOPPERS),
    body=NewEndSchema,
    answer=SuppressionSchema,
    idempotent=True,
    summary=("解除禁止联系", "End a stop"),
)
def post_suppression_end(
    session: Session, caller: Caller, suppression_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """End a stop now; that it was there stays on record."""
    suppression.end_suppression(session, caller, suppression_id, body["reason"])
    audit.record(session, caller, "suppression.ended", "suppression", suppression_id, dict(body))
    return {"suppression_id": ids.encode("sup", suppression_id)}


def _find(session: Session, customer_id: int) -> None:
    if customer_id not in customers.customers_by_id(session, [customer_id]):
        raise NotFound


def _dump_states(session: Session, customer_id: int) -> dict[str, Any]:
    states = [dump_state(state) for state in queries.list_states(session, customer_id)]
    return {"customer_id": ids.encode("cus", customer_id), "consents": states}
