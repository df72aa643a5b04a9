"""Proposals for those who make and decide them; each kind's own slice has the route to make one."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty.proposals import deciding, proposing, queries
from loyalty.proposals.kinds import find_kind, readable_by
from loyalty.proposals.schemas import (
    ProposalDecisionSchema,
    ProposalSchema,
    ProposalsPageSchema,
    ProposalsQuery,
    dump_proposal,
)
from loyalty.staff.models import ROLES
from loyalty.web import Access, Answer, Caller, NotFound, cursors, endpoint

blueprint = Blueprint("proposals", __name__)

_STAFF = Access.staff(*ROLES)
_LIST = "proposals"
_DECIDED = ("proposal-decided", "proposal-expired")


@endpoint(
    blueprint,
    "GET",
    "/v1/proposals",
    access=_STAFF,
    query=ProposalsQuery,
    answer=ProposalsPageSchema,
    summary=("查看提案", "List proposals"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_proposals(session: Session, caller: Caller, query: dict[str, Any]) -> Answer:
    """Answer one page, newest first, of the kinds that the caller makes, decides or audits."""
    position = cursors.read(_LIST, query["cursor"])
    kinds = [name for name in readable_by(caller.roles) if query["kind"] in (None, name)]
    found = queries.list_proposals(
        session,
        kinds,
        before=position[0] if position else None,
        limit=query["limit"] + 1,
        state=query["state"],
        proposed_by=proposing.staff_id(caller) if query["mine"] == "true" else None,
        subject_type=query["subject_type"],
        subject_id=query["subject_id"],
    )
    return cursors.page_of(
        _LIST, found, query["limit"], position=lambda one: [one.id], dump=dump_proposal
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/proposals/{proposal_id}",
    access=_STAFF,
    answer=ProposalSchema,
    summary=("查看一份提案", "Read one proposal"),
    reading=True,
    tagged=True,
)
def get_proposal(session: Session, caller: Caller, proposal_id: int) -> dict[str, Any]:
    """Answer a proposal; one of a kind that the caller has nothing to do with is not found."""
    proposal = queries.read_proposal(session, proposal_id)
    if not find_kind(proposal.kind).readers & caller.roles:
        raise NotFound
    return dump_proposal(proposal)


@endpoint(
    blueprint,
    "POST",
    "/v1/proposals/{proposal_id}/decisions",
    access=_STAFF,
    body=ProposalDecisionSchema,
    answer=ProposalSchema,
    idempotent=True,
    summary=("审批提案", "Decide a proposal"),
    problems=("own-proposal", "proposal-differs", "proposal-stale", "seat-taken", *_DECIDED),
)
def post_proposal_decision(
    session: Session, caller: Caller, proposal_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Agree in one seat, or reject; the last agreement makes the proposed act happen at once."""
    decide = deciding.approve if body["decision"] == "approve" else deciding.reject
    return dump_proposal(decide(session, caller, proposal_id, body["digest"], body["comment"]))


@endpoint(
    blueprint,
    "POST",
    "/v1/proposals/{proposal_id}/withdrawal",
    access=_STAFF,
    answer=ProposalSchema,
    idempotent=True,
    summary=("撤回提案", "Withdraw a proposal"),
    problems=_DECIDED,
)
def post_proposal_withdrawal(session: Session, caller: Caller, proposal_id: int) -> dict[str, Any]:
    """Take back one's own proposal while it is open."""
    return dump_proposal(proposing.withdraw(session, caller, proposal_id))
