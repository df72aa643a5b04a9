"""Templates by proposal; stopping by one person, and going on by more; evidence."""

from typing import Any

from flask import Blueprint
from marshmallow import Schema
from sqlalchemy.orm import Session

from loyalty import audit, proposals
from loyalty.messages import evidence, releasing
from loyalty.messages.proposals import RESUME, TEMPLATE, new_template
from loyalty.messages.registration import check_template
from loyalty.messages.schemas import NewStopSchema, NewTemplateSchema, StopSchema
from loyalty.proposals import ProposalSchema, dump_proposal
from loyalty.web import Access, Caller, endpoint

blueprint = Blueprint("messages", __name__)


class EvidenceSchema(Schema):
    """Everything that stands behind a message; its form is named inside."""

    class Meta:
        """What is inside depends on what happened."""

        unknown = "include"


@endpoint(
    blueprint,
    "POST",
    "/v1/message-templates",
    access=Access.staff(*sorted(TEMPLATE.makers)),
    body=NewTemplateSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议登记信息模板", "Propose a version of a message template"),
)
def post_template(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose words for a template; a service that advertises is refused here and at approval."""
    content = {("class" if name == "class_" else name): value for name, value in body.items()}
    check_template(session, new_template(content))
    made = proposals.propose(session, caller, TEMPLATE, "template", body["code"], content)
    audit.record(session, caller, "template.proposed", "template", body["code"])
    return dump_proposal(made)


@endpoint(
    blueprint,
    "POST",
    "/v1/sending-stops",
    access=Access.staff("marketing_checker", "compliance", "consumer_protection", "operations"),
    body=NewStopSchema,
    answer=StopSchema,
    status=201,
    idempotent=True,
    summary=("紧急停止发送", "Stop sending at once"),
)
def post_stop(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Stop all sending, a channel or a release; one person suffices."""
    releasing.stop(session, caller, body["scope"], body["name"], body["reason"])
    audit.record(session, caller, "sending.stopped", "sending", body["scope"], body)
    return {"scope": body["scope"], "name": body["name"], "state": "stopped"}


@endpoint(
    blueprint,
    "POST",
    "/v1/sending-resumptions",
    access=Access.staff(*sorted(RESUME.makers)),
    body=NewStopSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议恢复发送", "Propose to send again"),
)
def post_resumption(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose to lift a stop; two others have to agree."""
    subject = f"{body['scope']}:{body['name']}"
    made = proposals.propose(session, caller, RESUME, "sending", subject, body)
    audit.record(session, caller, "sending.resumption_proposed", "sending", subject)
    return dump_proposal(made)


@endpoint(
    blueprint,
    "GET",
    "/v1/send-requests/{request_id}/evidence",
    access=Access.staff("auditor", "compliance", "complaint_officer"),
    answer=EvidenceSchema,
    summary=("查看一条信息的证据", "Read what stands behind a message"),
)
def get_evidence(session: Session, caller: Caller, request_id: int) -> dict[str, Any]:
    """Answer everything that stands behind one message; who read it is on record."""
    pack = evidence.evidence_of_message(session, request_id)
    audit.record(session, caller, "evidence.read", "request", request_id)
    return pack
