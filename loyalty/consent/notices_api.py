"""Purposes and notices by proposal: what customers will be told is agreed to by two others."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, proposals
from loyalty.consent.notices import refuse_incomplete
from loyalty.consent.proposals import NOTICE, PURPOSE, find_purpose, refuse_known
from loyalty.consent.schemas import NewNoticeSchema, NewPurposeSchema
from loyalty.proposals import ProposalSchema, dump_proposal
from loyalty.web import Access, Caller, endpoint

blueprint = Blueprint("notices", __name__)


@endpoint(
    blueprint,
    "POST",
    "/v1/purposes",
    access=Access.staff(*sorted(PURPOSE.makers)),
    body=NewPurposeSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议开立处理目的", "Propose a purpose of use"),
    problems=("purpose-exists",),
)
def post_purpose(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose what data may be used for; nothing of a purpose changes once it is open."""
    refuse_known(session, body["code"])
    made = proposals.propose(session, caller, PURPOSE, "purpose", body["code"], body)
    audit.record(session, caller, "purpose.proposed", "purpose", body["code"])
    return dump_proposal(made)


@endpoint(
    blueprint,
    "POST",
    "/v1/notices",
    access=Access.staff(*sorted(NOTICE.makers)),
    body=NewNoticeSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议发布告知书", "Propose a version of a notice"),
    problems=("unknown-purpose", "notice-incomplete"),
)
def post_notice(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose what customers are told of a purpose; an empty part is refused here already."""
    refuse_incomplete(find_purpose(session, body["purpose"]), body["fields"])
    since = body["effective_from"]
    content = {**body, "effective_from": None if since is None else since.isoformat()}
    made = proposals.propose(session, caller, NOTICE, "notices", body["purpose"], content)
    audit.record(session, caller, "notice.proposed", "purpose", body["purpose"])
    return dump_proposal(made)
