"""Tiers for apps and the bank's systems; applications for branches and head office."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, customers, programmes
from loyalty.tiers import agreement, assignment, standing
from loyalty.tiers.ladders import ladder_in_force
from loyalty.tiers.schemas import (
    ApplicationPageSchema,
    ApplicationQuery,
    ApplicationSchema,
    DecisionSchema,
    LadderSchema,
    NewApplicationSchema,
    ProgrammeQuery,
    StandingSchema,
    dump_application,
    dump_ladder,
    dump_standing,
)
from loyalty.web import Access, Answer, Caller, Refused, cursors, endpoint, ids

blueprint = Blueprint("tiers", __name__)

_LIST = "tier-applications"
_NOBODY = ("没有这位客户", "is no customer of ours")


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/tier",
    access=Access.customer("tiers:read"),
    query=ProgrammeQuery,
    answer=StandingSchema,
    summary=("查看客户的等级", "See a customer's tier"),
    problems=("not-a-member", "programme-needed"),
)
def get_tier(session: Session, customer_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """Answer where a customer stands; one who is no member is not found."""
    programme = programmes.choose_programme(session, query["programme"])
    member = programmes.find_member(session, programme, customer_id)
    found = standing.read_standing(session, programme, member)
    return dump_standing(programme, found)


@endpoint(
    blueprint,
    "GET",
    "/v1/programmes/{code}/tiers",
    access=Access.token(),
    answer=LadderSchema,
    summary=("查看计划的等级方案", "See a programme's tiers"),
    tagged=True,
)
def get_tiers(session: Session, code: str) -> dict[str, Any]:
    """Answer the ladder in force now."""
    programme = programmes.find_programme(session, code)
    return dump_ladder(programme, ladder_in_force(session, programme))


@endpoint(
    blueprint,
    "POST",
    "/v1/tier-applications",
    access=Access.staff("branch"),
    body=NewApplicationSchema,
    answer=ApplicationSchema,
    status=201,
    idempotent=True,
    summary=("申请授予等级", "Apply for a tier"),
    problems=(
        "unknown-tier",
        "tier-below-earned",
        "end-out-of-range",
        "customer-erased",
        "programme-needed",
        "not-found",
    ),
)
def post_application(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Keep an application for head office to decide within three days."""
    programme = programmes.choose_programme(session, body.pop("programme"), programmes.IN_BODY)
    if not customers.customers_by_id(session, [body["customer_id"]]):
        unknown = {"pointer": "/customer_id", "code": "unknown", "detail": _NOBODY}
        raise Refused("invalid-content", errors=[unknown])
    made = assignment.apply(session, programme, applied_by=_staff_id(caller), **body)
    detail = {
        "customer": ids.encode("cus", made.customer_id),
        "tier": made.tier,
        "digest": made.digest,
    }
    audit.record(session, caller, "tier.applied", "application", made.id, detail)
    agreement.propose(session, caller, made)
    return dump_application(made)


@endpoint(
    blueprint,
    "GET",
    "/v1/tier-applications",
    access=Access.staff("branch", "head_office"),
    query=ApplicationQuery,
    answer=ApplicationPageSchema,
    summary=("查看等级申请", "List applications for tiers"),
    problems=("invalid-cursor",),
)
def get_applications(session: Session, caller: Caller, query: dict[str, Any]) -> Answer:
    """Answer one page, newest first: head office sees all, a branch what that person applied for.

    Their reasons tell of people, so who looked is kept.
    """
    limit = query["limit"]
    position = cursors.read(_LIST, query["cursor"])
    found = assignment.list_applications(
        session,
        before=position[0] if position else None,
        limit=limit + 1,
        state=query["state"],
        applied_by=None if "head_office" in caller.roles else _staff_id(caller),
    )
    shown = [ids.encode("tap", application.id) for application in found[:limit]]
    detail = {"found": len(shown), "first": shown[0], "last": shown[-1]} if shown else {"found": 0}
    audit.record(session, caller, "tier.applications_read", "applications", "list", detail)
    return cursors.page_of(
        _LIST, found, limit, position=lambda application: [application.id], dump=dump_application
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/tier-applications/{application_id}/decision",
    access=Access.staff("head_office"),
    body=DecisionSchema,
    answer=ApplicationSchema,
    idempotent=True,
    summary=("审批等级申请", "Decide an application for a tier"),
    problems=(
        "own-application",
        "application-decided",
        "application-expired",
        "application-stale",
        "digest-differs",
        "customer-erased",
    ),
)
def post_decision(
    session: Session, caller: Caller, application_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Approve, which assigns the tier at once, or reject."""
    decision = {"approve": assignment.APPROVED, "reject": assignment.REJECTED}[body["decision"]]
    decided = agreement.decide(
        session, caller, application_id, decision, body["digest"], body["comment"]
    )
    detail = {"customer": ids.encode("cus", decided.customer_id), "digest": decided.digest}
    audit.record(session, caller, f"tier.{decision}", "application", application_id, detail)
    return dump_application(decided)


def _staff_id(caller: Caller) -> int:
    return ids.decode("stf", caller.id)
