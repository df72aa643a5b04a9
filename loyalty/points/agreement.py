"""Agreeing to earning rules in the inbox: each version that a person proposes is a proposal too.

The version and its decision stay where awards read them. The proposal brings them to whoever
decides, under `/v1/proposals`; a decision on either side is a decision on both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit, proposals
from loyalty.points import rulebook
from loyalty.points.proposals import APPROVED, REJECTED, read_proposal
from loyalty.points.proposals import Proposal as Version
from loyalty.points.rule_wording import describe
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, ids
from loyalty.web.fields import dump_instant

MAKER, CHECKER = "marketing_maker", "marketing_checker"

_BEFORE = text("""
SELECT r.version, r.document FROM loyalty.earning_rules r
JOIN loyalty.earning_rule_decisions d ON d.rule_id = r.id AND d.verdict = 'approved'
JOIN loyalty.programmes p ON p.id = r.programme_id
WHERE p.code = :programme AND r.code = :rule AND r.version < :version
ORDER BY r.version DESC LIMIT 1
""")


def propose(session: Session, caller: Caller, version: Version) -> Proposal:
    """Put a version that was just written before those who agree to rules."""
    until = version.effective_until
    content = {
        "programme": version.programme,
        "rule": version.code,
        "version": version.version,
        "document": version.document,
        "sentence": describe(version.document)._asdict(),
        "effective_from": dump_instant(version.effective_from),
        "effective_until": None if until is None else dump_instant(until),
        "rule_digest": version.digest,
    }
    return proposals.propose(session, caller, EARNING_RULE, "rule", version.id, content)


def decide(
    session: Session, caller: Caller, rule_id: int, verdict: str, digest: str, comment: str | None
) -> None:
    """Agree to a version or not, and settle its proposal. Raises as `rulebook.decide_rule` does."""
    held = proposals.hold_open(session, EARNING_RULE, "rule", rule_id)
    rulebook.decide_rule(
        session, rule_id, verdict, digest=digest, decided_by=caller.id, comment=comment
    )
    if held is not None:
        settle = proposals.approve if verdict == APPROVED else proposals.reject
        settle(session, caller, held.id, held.digest, comment)


def _look(session: Session, _rule: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the version in whose place this one is to come."""
    asked = {name: content[name] for name in ("programme", "rule", "version")}
    before = session.execute(_BEFORE, asked).one_or_none()
    if before is None:
        return {"version": None, "document": None, "sentence": None}
    sentence = describe(before.document)._asdict()
    return {"version": before.version, "document": before.document, "sentence": sentence}


def _apply(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    agreed = proposals.read_proposal(session, proposal.id).approvals[-1]
    _record(session, caller, proposal, APPROVED, agreed.comment)
    return {"rule_id": proposal.subject_id}


def _refuse(session: Session, caller: Caller, proposal: Proposal, comment: str | None) -> None:
    _record(session, caller, proposal, REJECTED, comment)


def _record(
    session: Session, caller: Caller, proposal: Proposal, verdict: str, comment: str | None
) -> None:
    """Write the decision, unless the rules' own route did so in this transaction."""
    rule_id = ids.decode("rul", proposal.subject_id)
    version = read_proposal(session, rule_id)
    if (version.state, version.decided_by) == (verdict, caller.id):
        return
    digest = proposal.content["rule_digest"]
    rulebook.decide_rule(
        session, rule_id, verdict, digest=digest, decided_by=caller.id, comment=comment
    )
    detail = {"code": version.code, "version": version.version, "digest": digest}
    audit.record(session, caller, f"rule.{verdict}", "rule", rule_id, detail)


EARNING_RULE = proposals.register(
    Kind(
        name="points.earning-rule",
        title=Bilingual("积分规则", "Earning rule"),
        makers=frozenset({MAKER}),
        seats=(Seat.of("checker", CHECKER),),
        apply=_apply,
        look=_look,
        refuse=_refuse,
        can_withdraw=False,
    )
)
