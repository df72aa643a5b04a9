"""Series of coupons for those who run them, and single coupons as staff see them."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

import ledger
from loyalty import audit, programmes, proposals
from loyalty.coupons import agreeing, ending, issuance, queries, series
from loyalty.coupons.issuance import Issued, Order
from loyalty.coupons.schemas import (
    CouponFileSchema,
    CouponPageQuery,
    CouponWithdrawalSchema,
    IssuedListSchema,
    NewCouponsSchema,
    NewSeriesSchema,
    ProgrammeQuery,
    SeriesHaltedSchema,
    SeriesHaltSchema,
    SeriesPageSchema,
    SeriesSchema,
    dump_file,
    dump_series,
    write_document,
)
from loyalty.programmes import IN_BODY
from loyalty.proposals import ProposalSchema, dump_proposal
from loyalty.web import Access, Answer, Caller, cursors, endpoint, ids
from loyalty.web.fields import dump_instant

blueprint = Blueprint("coupon_series", __name__)

MAKERS = tuple(sorted(agreeing.MAKERS))
LOOKING = (*MAKERS, "support", "head_office", "budget_approver", "auditor", "analyst")
_LIST = "coupon-series"


@endpoint(
    blueprint,
    "POST",
    "/v1/coupon-series",
    access=Access.staff(*MAKERS),
    body=NewSeriesSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提出券系列条款", "Propose the terms of a coupon series"),
    problems=("programme-needed", "not-found"),
)
def post_series(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose a series or its next version; it is in force once the budget is agreed to."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    since = body["effective_from"]
    content = {
        "programme": programme.code,
        "code": body["code"],
        "effective_from": None if since is None else dump_instant(since),
        "terms": write_document(body["terms"]),
    }
    return dump_proposal(
        proposals.propose(session, caller, agreeing.TERMS, "coupon_series", body["code"], content)
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/coupon-series",
    access=Access.staff(*LOOKING),
    query=CouponPageQuery,
    answer=SeriesPageSchema,
    summary=("查看券系列", "List coupon series"),
    problems=("invalid-cursor", "programme-needed"),
    reading=True,
)
def get_all_series(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of the series with the terms in force, the newest first."""
    programme = programmes.choose_programme(session, query["programme"])
    position = cursors.read(_LIST, query["cursor"])
    found = series.list_series(
        session, programme, before=position[0] if position else None, limit=query["limit"] + 1
    )
    balances = ledger.read_balances(session, [one.budget for one in found]) if found else {}
    return cursors.page_of(
        _LIST,
        found,
        query["limit"],
        position=lambda one: [one.id],
        dump=lambda one: dump_series(one, balances[one.budget].available),
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/coupon-series/{code}",
    access=Access.staff(*LOOKING),
    query=ProgrammeQuery,
    answer=SeriesSchema,
    summary=("查看一个券系列", "See one coupon series"),
    problems=("programme-needed",),
    reading=True,
    tagged=True,
)
def get_series(session: Session, code: str, query: dict[str, Any]) -> dict[str, Any]:
    """Answer a series with the terms in force and what its budget has left."""
    programme = programmes.choose_programme(session, query["programme"])
    found = series.find_series(session, programme, code)
    return dump_series(found, ledger.read_balance(session, found.budget).available)


@endpoint(
    blueprint,
    "POST",
    "/v1/coupon-series/{code}/halt",
    access=Access.staff(*LOOKING[:3], "head_office", "operations"),
    body=SeriesHaltSchema,
    answer=SeriesHaltedSchema,
    idempotent=True,
    summary=("暂停券系列", "Halt a coupon series"),
    problems=("programme-needed",),
)
def post_halt(session: Session, caller: Caller, code: str, body: dict[str, Any]) -> dict[str, Any]:
    """Stop a series at once: one person may, because waiting for a second costs money."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    found = series.find_series(session, programme, code)
    series.halt_series(session, found, body["reason"], caller.id)
    detail = {"reason": body["reason"], "programme": programme.code}
    audit.record(session, caller, "coupon_series.halted", "coupon_series", code, detail)
    return {"code": code, "halted": True}


@endpoint(
    blueprint,
    "POST",
    "/v1/coupon-series/{code}/resumption",
    access=Access.staff(*MAKERS),
    body=SeriesHaltSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议恢复券系列", "Propose to let a halted series go on"),
    problems=("programme-needed",),
)
def post_resumption(
    session: Session, caller: Caller, code: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose that a halted series goes on; somebody else must agree."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    series.find_series(session, programme, code)
    content = {"programme": programme.code, "code": code, "reason": body["reason"]}
    return dump_proposal(
        proposals.propose(session, caller, agreeing.RESUMPTION, "coupon_series", code, content)
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/coupon-series/{code}/coupons",
    access=Access.staff("coupon_operations", or_system="coupons:issue"),
    body=NewCouponsSchema,
    answer=IssuedListSchema,
    status=201,
    idempotent=True,
    summary=("发券", "Issue coupons"),
    problems=("programme-needed",),
)
def post_coupons(
    session: Session, caller: Caller, code: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Issue a coupon for each order; a refused one says why and does not stop the others."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    found = series.find_series(session, programme, code)
    orders = [Order(one["reference"], one["customer_id"]) for one in body["coupons"]]
    outcomes = issuance.issue(session, programme, found, caller.id, orders)
    issued = sum(isinstance(one, Issued) and not one.replayed for one in outcomes)
    detail = {"programme": programme.code, "version": found.version, "issued": issued}
    audit.record(session, caller, "coupons.issued", "coupon_series", code, detail)
    return {
        "coupons": [
            _dump_outcome(order, outcome) for order, outcome in zip(orders, outcomes, strict=True)
        ]
    }


def _dump_outcome(order: Order, outcome: issuance.Outcome) -> dict[str, Any]:
    if isinstance(outcome, Issued):
        coupon, problem = ids.encode("cpn", outcome.coupon_id), None
    else:
        coupon, problem = None, outcome.code
    return {
        "reference": order.reference,
        "coupon_id": coupon,
        "replayed": isinstance(outcome, Issued) and outcome.replayed,
        "problem": problem,
    }


@endpoint(
    blueprint,
    "GET",
    "/v1/coupons/{coupon_id}",
    access=Access.staff(*LOOKING),
    query=ProgrammeQuery,
    answer=CouponFileSchema,
    summary=("查看一张券(券码掩码)", "See one coupon, its code all but hidden"),
    problems=("programme-needed",),
)
def get_coupon_file(
    session: Session, caller: Caller, coupon_id: int, query: dict[str, Any]
) -> dict[str, Any]:
    """Answer a coupon with everything that happened to it; looking leaves a row in the trail."""
    programme = programmes.choose_programme(session, query["programme"])
    found = queries.find_coupon(session, programme, coupon_id)
    audit.record(session, caller, "coupon.read", "coupon", coupon_id)
    code = queries.read_code(session, coupon_id)
    return dump_file(found, code, queries.list_events(session, coupon_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/coupons/{coupon_id}/withdrawal",
    access=Access.staff("coupon_operations"),
    body=CouponWithdrawalSchema,
    answer=CouponFileSchema,
    idempotent=True,
    summary=("收回一张券", "Withdraw a coupon"),
    problems=("coupon-used", "programme-needed"),
)
def post_withdrawal(
    session: Session, caller: Caller, coupon_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Withdraw a coupon that nobody used; what it could have cost goes back to the budget."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    ending.withdraw(session, programme, coupon_id, body["reason"])
    detail = {"reason": body["reason"]}
    audit.record(session, caller, "coupon.withdrawn", "coupon", coupon_id, detail)
    code = queries.read_code(session, coupon_id)
    found = queries.find_coupon(session, programme, coupon_id)
    return dump_file(found, code, queries.list_events(session, coupon_id))
