"""Purchases and refunds for the bank's systems; points, statement and reasons for customers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

import ledger
from loyalty import audit, programmes, tiers
from loyalty.points import earning, queries, redemption, refunds, waiting
from loyalty.points.schemas import (
    EntrySchema,
    HoldSchema,
    NewPurchasesSchema,
    NewRefundSchema,
    OverviewSchema,
    PartSchema,
    PointsSchema,
    ProgrammeQuery,
    PurchasesSchema,
    RedemptionSchema,
    RefundedSchema,
    StatementQuery,
    StatementSchema,
    WhySchema,
    dump_line,
    dump_outcome,
    dump_points,
    dump_posted,
    dump_refund,
    dump_why,
    load_purchase,
    load_refund,
)
from loyalty.programmes import Member, Programme
from loyalty.web import Access, Answer, Call, Caller, NotFound, Refused, cursors, endpoint

blueprint = Blueprint("points", __name__)

OLDEST = timedelta(days=400)
LAST_LINES = 3
FEW = 10  # purchases of a request that may share a transaction with others
_LIST = "statement"
_WHOSE = ("not-a-member", "programme-needed")


@endpoint(
    blueprint,
    "POST",
    "/v1/purchases",
    access=Access.system("purchases:write"),
    body=NewPurchasesSchema,
    answer=PurchasesSchema,
    status=201,
    idempotent=True,
    summary=("上报消费", "Report purchases"),
    problems=(
        "unknown-customer",
        "reference-reused",
        "future-dated",
        "back-dated",
        "lines-differ",
        "overflow",
        "programme-needed",
        "not-found",
    ),
    together=lambda caller, body: (
        (caller.id, body["programme"]) if len(body["purchases"]) <= FEW else None
    ),
)
def post_purchases(session: Session, calls: Sequence[Call]) -> list[dict[str, Any] | Refused]:
    """Record purchases with what they earn; a refused one does not stop the others.

    The calls are one client's, for one programme.
    """
    programme = programmes.choose_programme(session, calls[0].body["programme"], programmes.IN_BODY)
    oldest = datetime.now(UTC) - OLDEST
    sent = [[load_purchase(content) for content in call.body["purchases"]] for call in calls]
    taken = [
        purchases if all(purchase.purchased_at >= oldest for purchase in purchases) else []
        for purchases in sent
    ]
    outcomes = iter(
        earning.record_purchases(
            session, programme, calls[0].caller.id, [one for some in taken for one in some]
        )
    )
    answers: list[dict[str, Any] | Refused] = []
    acts = []
    for call, purchases in zip(calls, taken, strict=True):
        mine = [next(outcomes) for _ in purchases]
        if not mine:
            answers.append(Refused("back-dated"))
        elif len(mine) == 1 and isinstance(mine[0], earning.Refused):
            answers.append(Refused(mine[0].code))
        else:
            answers.append({"purchases": [dump_outcome(outcome) for outcome in mine]})
            acts.append(_reported(call.caller, programme, mine))
    audit.record_many(session, acts)
    return answers


def _reported(
    caller: Caller, programme: Programme, outcomes: Sequence[earning.Outcome]
) -> audit.Act:
    recorded = [outcome for outcome in outcomes if isinstance(outcome, earning.Recorded)]
    detail = {
        "programme": programme.code,
        "recorded": len(recorded),
        "points": sum(outcome.points for outcome in recorded),
    }
    subject = recorded[0].purchase_id if recorded else 0
    return audit.Act(caller, "purchases.reported", "purchase", subject, detail)


@endpoint(
    blueprint,
    "POST",
    "/v1/refunds",
    access=Access.system("purchases:write"),
    body=NewRefundSchema,
    answer=RefundedSchema,
    status=201,
    idempotent=True,
    summary=("上报退款", "Report a refund"),
    problems=(
        "over-refund",
        "unknown-line",
        "reference-reused",
        "points-spent",
        "lines-differ",
        "programme-needed",
        "not-found",
    ),
)
def post_refund(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Record a refund and take back what the purchase would not have earned without it."""
    programme = programmes.choose_programme(session, body["programme"], programmes.IN_BODY)
    refunded = refunds.record_refund(session, programme, caller.id, load_refund(body))
    detail = {"points": refunded.points, "amount": refunded.amount}
    audit.record(session, caller, "purchase.refunded", "purchase", refunded.purchase_id, detail)
    return dump_refund(refunded)


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/points",
    access=Access.customer("points:read"),
    query=ProgrammeQuery,
    answer=PointsSchema,
    reading=True,
    summary=("查询积分", "Read a customer's points"),
    problems=_WHOSE,
)
def get_points(session: Session, customer_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """Answer what may be spent, what is pending or held, and when what lapses."""
    programme, member = _find(session, customer_id, query["programme"])
    return _points(session, programme, member)


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/statement",
    access=Access.customer("points:read"),
    query=StatementQuery,
    answer=StatementSchema,
    reading=True,
    summary=("积分明细", "Read a customer's statement"),
    problems=(*_WHOSE, "invalid-cursor"),
)
def get_statement(session: Session, customer_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of the log, newest first."""
    _, member = _find(session, customer_id, query["programme"])
    position = cursors.read(_LIST, query["cursor"])
    lines = queries.read_lines(
        session, member, before=position[0] if position else None, limit=query["limit"] + 1
    )
    return cursors.page_of(
        _LIST,
        lines,
        query["limit"],
        position=lambda line: [line.position],
        dump=lambda line: dump_line(customer_id, line),
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/statement/{line}",
    access=Access.customer("points:read"),
    query=ProgrammeQuery,
    answer=WhySchema,
    reading=True,
    summary=("为什么有这一笔", "Why a line of the statement stands there"),
    problems=_WHOSE,
)
def get_why(session: Session, customer_id: int, line: str, query: dict[str, Any]) -> dict[str, Any]:
    """Answer one line with its cause: the rules and the arithmetic, run again now."""
    programme, member = _find(session, customer_id, query["programme"])
    if not (line.isascii() and line.isdigit() and len(line) < 16):
        raise NotFound
    found = ledger.read_line(session, member.points_wallet, int(line))
    if found is None:
        raise NotFound
    return _explain(session, programme, member, found)


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/overview",
    access=Access.customer("points:read"),
    query=ProgrammeQuery,
    answer=OverviewSchema,
    reading=True,
    summary=("积分、等级与最近明细", "Points, tier and the last lines, in one answer"),
    problems=_WHOSE,
)
def get_overview(session: Session, customer_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """Answer what an app's first page shows: points, tier, and why the last lines are there."""
    programme, member = _find(session, customer_id, query["programme"])
    lines = queries.read_lines(session, member, before=None, limit=LAST_LINES)
    standing = tiers.read_standing(session, programme, member)
    return {
        "points": _points(session, programme, member),
        "tier": tiers.dump_standing(programme, standing),
        "last": [_explain(session, programme, member, line) for line in lines],
    }


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/redemptions",
    access=Access.customer("points:spend"),
    body=RedemptionSchema,
    answer=EntrySchema,
    status=201,
    idempotent=True,
    summary=("使用积分", "Spend points"),
    problems=("insufficient", "reference-reused", *_WHOSE, "customer-erased"),
)
def post_redemption(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Spend points, soonest to expire first."""
    programme, member = _find_in_body(session, customer_id, body, active=True)
    reference = body["reference"]
    posted = redemption.redeem(session, programme, member, caller.id, reference, body["points"])
    return _keep(session, caller, "points.redeemed", customer_id, reference, posted)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/redemptions/{redemption}/reversals",
    access=Access.system("points:spend"),
    body=PartSchema,
    answer=EntrySchema,
    status=201,
    idempotent=True,
    summary=("撤销使用", "Give spent points back"),
    problems=("over-reversal", "reference-reused", *_WHOSE),
)
def post_reversal(
    session: Session, caller: Caller, customer_id: int, redemption: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Give points back to the lots that they came from."""
    programme, member = _find_in_body(session, customer_id, body, active=False)
    posted = reverse(session, programme, member, caller, redemption, body)
    return _keep(session, caller, "points.given_back", customer_id, body["reference"], posted)


def reverse(
    session: Session,
    programme: Programme,
    member: Member,
    caller: Caller,
    spent: str,
    body: dict[str, Any],
) -> ledger.Posted:
    """Reverse the caller's own redemption called `spent`."""
    return redemption.reverse_redemption(
        session,
        programme,
        member,
        caller.id,
        body["reference"],
        redemption=spent,
        points=body["points"],
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/holds",
    access=Access.system("points:spend"),
    body=HoldSchema,
    answer=EntrySchema,
    status=201,
    idempotent=True,
    summary=("预留积分", "Hold points"),
    problems=("insufficient", "lapsed", "reference-reused", *_WHOSE, "customer-erased"),
)
def post_hold(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Reserve points until an instant; the answer's `entry_id` names the hold."""
    _, member = _find_in_body(session, customer_id, body, active=True)
    reference = body["reference"]
    posted = redemption.hold(
        session, member, caller.id, reference, body["points"], body["lapses_at"]
    )
    answer = _keep(session, caller, "points.held", customer_id, reference, posted)
    return {**answer, "points": body["points"]}


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/holds/{entry_id}/captures",
    access=Access.system("points:spend"),
    body=RedemptionSchema,
    answer=EntrySchema,
    status=201,
    idempotent=True,
    summary=("使用预留的积分", "Spend held points"),
    problems=("over-hold", "hold-closed", "reference-reused", *_WHOSE),
)
def post_capture(
    session: Session, caller: Caller, customer_id: int, entry_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Spend a part of a hold, or all of it; what is left stays held."""
    programme, member = _find_in_body(session, customer_id, body, active=False)
    reference, points = body["reference"], body["points"]
    posted = redemption.capture(
        session, programme, member, caller.id, reference, hold_id=entry_id, points=points
    )
    return _keep(session, caller, "points.captured", customer_id, reference, posted)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/holds/{entry_id}/releases",
    access=Access.system("points:spend"),
    body=PartSchema,
    answer=EntrySchema,
    status=201,
    idempotent=True,
    summary=("释放预留", "Release held points"),
    problems=("over-hold", "hold-closed", "reference-reused", *_WHOSE),
)
def post_release(
    session: Session, caller: Caller, customer_id: int, entry_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Free a part of a hold, or all that is left of it."""
    _, member = _find_in_body(session, customer_id, body, active=False)
    reference = body["reference"]
    posted = redemption.release(
        session, member, caller.id, reference, hold_id=entry_id, points=body["points"]
    )
    return _keep(session, caller, "points.released", customer_id, reference, posted)


def _find(
    session: Session, customer_id: int, programme_code: str | None
) -> tuple[Programme, Member]:
    """Return the programme that a query names, and the customer in it."""
    programme = programmes.choose_programme(session, programme_code)
    return programme, programmes.find_member(session, programme, customer_id)


def _find_in_body(
    session: Session, customer_id: int, body: dict[str, Any], *, active: bool
) -> tuple[Programme, Member]:
    """Return the programme that a body names, and the customer in it.

    What was begun is ended for an erased customer too; nothing new is begun (`active`).
    """
    programme = programmes.choose_programme(session, body["programme"], programmes.IN_BODY)
    find = programmes.find_active_member if active else programmes.find_member
    return programme, find(session, programme, customer_id)


def _points(session: Session, programme: Programme, member: Member) -> dict[str, Any]:
    balance = ledger.read_balance(session, member.points_wallet)
    waits = waiting.read_waiting(session, member.points_wallet) if balance.pending else []
    return dump_points(member.customer_id, programme, balance, waits)


def _explain(
    session: Session, programme: Programme, member: Member, line: ledger.StatementLine
) -> dict[str, Any]:
    customer_id = member.customer_id
    number = (line.cause or {}).get("purchase")
    award = None
    if isinstance(number, int):
        award = queries.read_award(session, programme, customer_id, number)
    terms = None if line.terms is None else ledger.read_terms(session, line.terms)
    waited = waiting.read_waited(session, member.points_wallet, line.position)
    return dump_why(customer_id, line, award, terms, waited)


def _keep(
    session: Session,
    caller: Caller,
    action: str,
    customer_id: int,
    reference: str,
    posted: ledger.Posted,
) -> dict[str, Any]:
    answer = dump_posted(reference, posted)
    detail = {"entry": answer["entry_id"], "points": answer["points"]}
    audit.record(session, caller, action, "customer", customer_id, detail)
    return answer
