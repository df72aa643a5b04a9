"""Adjustments for staff: one proposes here, another decides under `/v1/proposals`."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import programmes, proposals
from loyalty.points import adjustment
from loyalty.points.adjustment_schemas import NewAdjustmentSchema
from loyalty.web import Access, Caller, endpoint

blueprint = Blueprint("adjustments", __name__)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/adjustments",
    access=Access.staff("support", "head_office"),
    body=NewAdjustmentSchema,
    answer=proposals.ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议调整客户积分", "Propose to adjust a customer's points"),
    problems=("not-a-member", "programme-needed", "customer-erased"),
)
def post_adjustment(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose to give or take points; nothing moves until somebody else agrees."""
    content = dict(body)
    programme = programmes.choose_programme(session, content.pop("programme"), programmes.IN_BODY)
    member = programmes.find_active_member(session, programme, customer_id)
    proposal = adjustment.propose_adjustment(session, caller, programme, member, content)
    return proposals.dump_proposal(proposal)
