"""Earning rules for marketing staff: one proposes, tries and explains, another decides."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, programmes
from loyalty.points import agreement, proposals, rulebook, trial
from loyalty.points.agreement import CHECKER, MAKER
from loyalty.points.rules_schemas import (
    NewRuleSchema,
    NewTrialSchema,
    RuleDecisionSchema,
    RuleSchema,
    RulesPageSchema,
    RulesQuery,
    TrialSchema,
    dump_rule,
    dump_trial,
    load_document,
)
from loyalty.web import Access, Answer, Caller, cursors, endpoint

blueprint = Blueprint("earning_rules", __name__)

_READERS = Access.staff("viewer", MAKER, CHECKER, "auditor")
_LIST = "earning-rules"


@endpoint(
    blueprint,
    "POST",
    "/v1/earning-rules",
    access=Access.staff(MAKER),
    body=NewRuleSchema,
    answer=RuleSchema,
    status=201,
    idempotent=True,
    summary=("提出积分规则", "Propose an earning rule"),
    problems=("promo.deposit-reward", "version-taken", "programme-needed", "not-found"),
)
def post_rule(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Write a new version of a rule; it gives nothing until a second person agrees."""
    programme = programmes.choose_programme(session, body["programme"], programmes.IN_BODY)
    rule_id = rulebook.propose_rule(
        session,
        programme,
        code=body["code"],
        document=load_document(body["document"]),
        effective_from=body["effective_from"],
        effective_until=body["effective_until"],
        proposed_by=caller.id,
    )
    proposal = proposals.read_proposal(session, rule_id)
    detail = {"code": proposal.code, "version": proposal.version, "digest": proposal.digest}
    audit.record(session, caller, "rule.proposed", "rule", rule_id, detail)
    agreement.propose(session, caller, proposal)
    return dump_rule(proposal)


@endpoint(
    blueprint,
    "GET",
    "/v1/earning-rules",
    access=_READERS,
    query=RulesQuery,
    answer=RulesPageSchema,
    summary=("查看积分规则", "List earning rules"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_rules(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of all versions of all rules, newest first."""

    def find(before: int | None, limit: int) -> list[proposals.Proposal]:
        wanted = {"programme": query["programme"], "state": query["state"]}
        return proposals.list_proposals(session, before=before, limit=limit, **wanted)

    return cursors.newest(_LIST, query, find, dump_rule)


@endpoint(
    blueprint,
    "GET",
    "/v1/earning-rules/{rule_id}",
    access=_READERS,
    answer=RuleSchema,
    summary=("查看一条积分规则", "See an earning rule"),
    reading=True,
    tagged=True,
)
def get_rule(session: Session, rule_id: int) -> dict[str, Any]:
    """Answer one version of a rule, with the digest by which it is decided."""
    return dump_rule(proposals.read_proposal(session, rule_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/earning-rules/{rule_id}/decision",
    access=Access.staff(CHECKER),
    body=RuleDecisionSchema,
    answer=RuleSchema,
    idempotent=True,
    summary=("审批积分规则", "Decide on an earning rule"),
    problems=("same-person", "digest-differs", "already-decided"),
)
def post_rule_decision(
    session: Session, caller: Caller, rule_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Approve, so that the rule counts from its date, or reject; once and for ever."""
    verdict = {"approve": proposals.APPROVED, "reject": proposals.REJECTED}[body["decision"]]
    agreement.decide(session, caller, rule_id, verdict, body["digest"], body["comment"])
    proposal = proposals.read_proposal(session, rule_id)
    detail = {"code": proposal.code, "version": proposal.version, "digest": proposal.digest}
    audit.record(session, caller, f"rule.{verdict}", "rule", rule_id, detail)
    return dump_rule(proposal)


@endpoint(
    blueprint,
    "POST",
    "/v1/earning-rules/{rule_id}/trial",
    access=Access.staff(MAKER, CHECKER),
    body=NewTrialSchema,
    answer=TrialSchema,
    not_idempotent="it changes nothing, and each answer is of its moment",
    summary=("用历史消费试算规则", "Try an earning rule on past purchases"),
)
def post_trial(
    session: Session, caller: Caller, rule_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Answer what the rule would have given to the last purchases, by tier; write no points."""
    proposal = proposals.read_proposal(session, rule_id)
    programme = programmes.find_programme(session, proposal.programme)
    rule = rulebook.make_rule(
        proposal.code, proposal.version, proposal.document, bytes(proposal.terms)
    )
    found = trial.try_rule(session, programme, rule, days=body["days"])
    detail = {"days": body["days"], "purchases": found.whole.purchases}
    audit.record(session, caller, "rule.tried", "rule", rule_id, detail)
    return dump_trial(rule_id, found)
