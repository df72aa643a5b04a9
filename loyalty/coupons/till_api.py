"""Coupons at the till, for partners: check, hold, redeem, void, reverse, reconcile.

Whoever may take a coupon hears why it cannot be used. To everybody else an unknown, a used and a
foreign code look the same, and unknown codes are counted and bounded.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, partners, programmes, staff
from loyalty.coupons import acts, checking, guessing, offline, redemption, reversal, sandbox
from loyalty.coupons.checking import Desk, Verdict
from loyalty.coupons.till_schemas import (
    CouponActSchema,
    CouponCheckedSchema,
    CouponCheckSchema,
    KeysSchema,
    NewCouponRedemptionSchema,
    NewCouponReversalSchema,
    NewHoldOfCouponsSchema,
    NewOfflineRedemptionsSchema,
    ReconciledListSchema,
    ReferenceSchema,
    dump_act,
    dump_checked,
    dump_reason,
    list_faults,
    load_basket,
    load_ticket,
)
from loyalty.programmes import IN_BODY, Programme
from loyalty.web import Access, Call, Caller, NotFound, Refused, endpoint, ids

blueprint = Blueprint("coupon_tills", __name__)

_CHECK = Access.partner("coupons:check", sandbox=True)
_REDEEM = Access.partner("coupons:redeem", sandbox=True)
_UNDO = Access.partner("coupons:redeem")
_AT_A_COUNTER = (
    "not-found",
    "outlet-closed",
    "partner-not-active",
    "programme-needed",
    "too-many-requests",
)
_REFUSALS = ("coupon-unknown", "coupon-refused", "reference-reused", *_AT_A_COUNTER)


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/check",
    access=_CHECK,
    body=CouponCheckSchema,
    answer=CouponCheckedSchema,
    not_idempotent="nothing is changed by asking",
    summary=("查验券", "Check coupons"),
    problems=_AT_A_COUNTER,
)
def post_check(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Answer for each coupon why it may be redeemed or why not, and what it would take off."""
    ticket = load_ticket(body)
    if caller.sandbox:
        return dump_checked(ticket, sandbox.check(caller, ticket))
    programme, desk = _stand(session, caller, body)
    guessing.refuse_guessers(session, desk.partner_id)
    verdicts = checking.check(session, programme, desk, ticket)
    _count(session, caller, desk, verdicts)
    return dump_checked(ticket, verdicts)


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/holds",
    access=_UNDO,
    body=NewHoldOfCouponsSchema,
    answer=CouponActSchema,
    status=201,
    idempotent=True,
    signed=partners.SIGNED,
    summary=("占用券", "Hold coupons"),
    problems=_REFUSALS,
    together=lambda caller, body: (
        caller.id,
        body["programme"],
        body["outlet_id"],
        body["minutes"],
    ),
)
def post_hold(session: Session, calls: Sequence[Call]) -> list[dict[str, Any] | Refused]:
    """Keep coupons for this till; the hold lapses by itself."""
    lasting = timedelta(minutes=calls[0].body["minutes"])
    programme, desk = _stand(session, calls[0].caller, calls[0].body)
    guessing.refuse_guessers(session, desk.partner_id)
    tickets = [load_ticket(call.body) for call in calls]
    outcomes = redemption.hold(session, programme, desk, tickets, lasting)
    return _answer(session, desk, calls, outcomes, "coupon.held")


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/redemptions",
    access=_REDEEM,
    body=NewCouponRedemptionSchema,
    answer=CouponActSchema,
    status=201,
    idempotent=True,
    signed=partners.SIGNED,
    summary=("核销券", "Redeem coupons"),
    problems=("hold-gone", "currency-not-settled", *_REFUSALS),
    together=lambda caller, body: (
        None if caller.sandbox else (caller.id, body["programme"], body["outlet_id"])
    ),
)
def post_redemption(session: Session, calls: Sequence[Call]) -> list[dict[str, Any] | Refused]:
    """Redeem all coupons of a basket or none; what the partner is owed is posted with it."""
    if calls[0].caller.sandbox:
        return [sandbox.redeem(call.caller, load_ticket(call.body)) for call in calls]
    programme, desk = _stand(session, calls[0].caller, calls[0].body)
    guessing.refuse_guessers(session, desk.partner_id)
    tickets = [load_ticket(call.body) for call in calls]
    outcomes = redemption.redeem(session, programme, desk, tickets)
    return _answer(session, desk, calls, outcomes, "coupon.redeemed")


@endpoint(
    blueprint,
    "GET",
    "/v1/coupons/redemptions/{redemption_id}",
    access=_UNDO,
    answer=CouponActSchema,
    summary=("查看一次核销", "See a redemption"),
    reading=True,
)
def get_redemption(session: Session, caller: Caller, redemption_id: int) -> dict[str, Any]:
    """Answer what one of the partner's tills did."""
    found = acts.read_acts(session, [redemption_id]).get(redemption_id)
    if found is None or found.partner_id != caller.partner_id or found.kind == acts.HOLD:
        raise NotFound
    return dump_act(found)


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/holds/{hold_id}/release",
    access=_UNDO,
    body=ReferenceSchema,
    answer=CouponActSchema,
    status=201,
    idempotent=True,
    signed=partners.SIGNED,
    summary=("释放占用", "Let go of a hold"),
    problems=("hold-gone", "reference-reused", "programme-needed"),
)
def post_release(
    session: Session, caller: Caller, hold_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Free the coupons of a hold before it lapses."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    desk = _desk_of(session, caller, hold_id)
    done = reversal.release(session, programme, desk, hold_id, body["reference"])
    audit.record(session, caller, "coupon.released", "redemption", done.id)
    return dump_act(done)


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/redemptions/{redemption_id}/void",
    access=_UNDO,
    body=ReferenceSchema,
    answer=CouponActSchema,
    status=201,
    idempotent=True,
    signed=partners.SIGNED,
    summary=("当日作废核销", "Void a redemption of today"),
    problems=("too-late-to-void", "already-reversed", "reference-reused", "programme-needed"),
)
def post_void(
    session: Session, caller: Caller, redemption_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Undo a mistake at the till on its own day; everything is as before."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    desk = _desk_of(session, caller, redemption_id)
    done = reversal.void(session, programme, desk, redemption_id, body["reference"])
    audit.record(session, caller, "coupon.redemption_voided", "redemption", done.id)
    return dump_act(done)


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/redemptions/{redemption_id}/reversals",
    access=_UNDO,
    body=NewCouponReversalSchema,
    answer=CouponActSchema,
    status=201,
    idempotent=True,
    signed=partners.SIGNED,
    summary=("撤销核销", "Reverse a redemption"),
    problems=("already-reversed", "reference-reused", "programme-needed"),
)
def post_coupon_reversal(
    session: Session, caller: Caller, redemption_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Undo a redemption at any time; coupons of refundable series come back."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    desk = _desk_of(session, caller, redemption_id)
    done = reversal.reverse(
        session, programme, desk, redemption_id, body["reference"], body["reason"]
    )
    detail = {"reason": body["reason"], "worth": done.worth}
    audit.record(session, caller, "coupon.redemption_reversed", "redemption", done.id, detail)
    return dump_act(done)


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/offline-redemptions",
    access=_UNDO,
    body=NewOfflineRedemptionsSchema,
    answer=ReconciledListSchema,
    status=201,
    idempotent=True,
    signed=partners.SIGNED,
    summary=("补报离线核销", "Report what was redeemed without a network"),
    problems=("currency-not-settled", *_AT_A_COUNTER),
)
def post_offline(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Redeem what was accepted by token, each by itself; a second use is kept and told."""
    done: list[offline.Reconciled] = []
    for one in body["redemptions"]:
        asked = {"programme": body["programme"], "outlet_id": one["outlet_id"]}
        programme, desk = _stand(session, caller, asked)
        report = offline.Report(
            one["token"],
            one["reference"],
            one["outlet_id"],
            one["redeemed_at"],
            load_basket(one["basket"]),
        )
        done += offline.reconcile(session, programme, desk, [report])
    audit.record_many(
        session,
        [
            audit.Act(caller, "coupon.reconciled", "redemption", one.act or 0, {"as": one.outcome})
            for one in done
        ],
    )
    return {"redemptions": [_dump_reconciled(one) for one in done]}


def _dump_reconciled(one: offline.Reconciled) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "outcome": one.outcome,
        "redemption_id": None if one.act is None else ids.encode("rdm", one.act),
        "reasons": [dump_reason(reason) for reason in one.reasons],
    }


@endpoint(
    blueprint,
    "GET",
    "/v1/coupons/keys",
    access=Access.partner("coupons:check"),
    answer=KeysSchema,
    summary=("校验离线令牌的公钥", "The keys that tokens are checked with"),
    tagged=True,
)
def get_keys() -> dict[str, Any]:
    """Answer our public keys as a JWK set; the newest signs, those before it are still valid."""
    return {"keys": staff.public_keys()}


def _stand(session: Session, caller: Caller, body: dict[str, Any]) -> tuple[Programme, Desk]:
    """Return the programme and the desk at which the caller stands."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    counter = partners.admit(session, caller, body["outlet_id"])
    return programme, Desk(counter.partner_id, caller.id, counter.currency, counter.series)


def _desk_of(session: Session, caller: Caller, number: int) -> Desk:
    """Return the desk at the outlet where an act was done. Raises `NotFound` for others' acts."""
    found = acts.read_acts(session, [number]).get(number)
    if found is None or found.partner_id != caller.partner_id:
        raise NotFound
    counter = partners.admit(session, caller, found.outlet_id)
    return Desk(counter.partner_id, caller.id, counter.currency, counter.series)


def _answer(
    session: Session,
    desk: Desk,
    calls: Sequence[Call],
    outcomes: Sequence[redemption.Outcome],
    action: str,
) -> list[dict[str, Any] | Refused]:
    """Return each call's answer or refusal, with the trail of what was done."""
    answers: list[dict[str, Any] | Refused] = []
    trail: list[audit.Act] = []
    for call, outcome in zip(calls, outcomes, strict=True):
        if isinstance(outcome, redemption.Rejected):
            _count(session, call.caller, desk, outcome.verdicts)
            answers.append(Refused(outcome.code, errors=list_faults(outcome.verdicts)))
            continue
        answers.append(dump_act(outcome))
        detail = {
            "coupons": [ids.encode("cpn", taken.coupon_id) for taken in outcome.taken],
            "worth": outcome.worth,
        }
        trail.append(audit.Act(call.caller, action, "redemption", outcome.id, detail))
    audit.record_many(session, trail)
    return answers


def _count(session: Session, caller: Caller, desk: Desk, verdicts: Sequence[Verdict]) -> None:
    """Count what was unknown to this desk; the moment the cap is reached goes to the trail."""
    unknown = sum(verdict.coupon_id is None for verdict in verdicts)
    if guessing.count_guesses(session, desk.partner_id, unknown):
        partner = ids.encode("prt", desk.partner_id)
        audit.record(session, caller, "coupon.guessing_stopped", "partner", partner)
