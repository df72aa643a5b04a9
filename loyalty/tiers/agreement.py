"""Agreeing to tiers in the inbox: each application that a branch makes is a proposal too.

The application and its decision stay where they are, sealed where they tell of a person. The
proposal brings them to head office under `/v1/proposals`, without the reason; a decision on
either side is a decision on both.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from loyalty import audit, proposals
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.tiers import assignment
from loyalty.tiers.assignment import APPROVED, REJECTED, Application
from loyalty.web import Bilingual, Caller, ids


def propose(session: Session, caller: Caller, application: Application) -> Proposal:
    """Put an application that was just made before head office."""
    content = {
        "customer": ids.encode("cus", application.customer_id),
        "programme": application.programme,
        "tier": application.tier,
        "ends_on": application.ends_on.isoformat(),
        "application_digest": application.digest,
    }
    return proposals.propose(session, caller, ASSIGNMENT, "application", application.id, content)


def decide(
    session: Session, caller: Caller, application_id: int, decision: str, digest: str, comment: str
) -> Application:
    """Decide an application and settle its proposal. Raises as `assignment.decide` does.

    The comment may tell of the customer, so it stays with the application, where it is sealed.
    """
    held = proposals.hold_open(session, ASSIGNMENT, "application", application_id)
    decided = assignment.decide(
        session,
        application_id,
        decision=decision,
        comment=comment,
        content_digest=digest,
        decided_by=proposals.staff_id(caller),
    )
    if held is not None:
        settle = proposals.approve if decision == APPROVED else proposals.reject
        settle(session, caller, held.id, held.digest)
    return decided


def _apply(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    agreed = proposals.read_proposal(session, proposal.id).approvals[-1]
    _record(session, caller, proposal, APPROVED, agreed.comment)
    return {"application": proposal.subject_id}


def _refuse(session: Session, caller: Caller, proposal: Proposal, comment: str | None) -> None:
    _record(session, caller, proposal, REJECTED, comment)


def _record(
    session: Session, caller: Caller, proposal: Proposal, decision: str, comment: str | None
) -> None:
    """Write the decision, unless the applications' own route did so in this transaction."""
    number = ids.decode("tap", proposal.subject_id)
    found = assignment.read_application(session, number)
    if (found.state, found.decided_by) == (decision, proposals.staff_id(caller)):
        return
    assignment.decide(
        session,
        number,
        decision=decision,
        comment=comment or "",
        content_digest=proposal.content["application_digest"],
        decided_by=proposals.staff_id(caller),
    )
    detail = {"customer": proposal.content["customer"], "digest": found.digest}
    audit.record(session, caller, f"tier.{decision}", "application", number, detail)


ASSIGNMENT = proposals.register(
    Kind(
        name="tiers.assignment",
        title=Bilingual("授予客户等级", "Assign a tier to a customer"),
        makers=frozenset({"branch"}),
        seats=(Seat.of("head_office", "head_office"),),
        apply=_apply,
        refuse=_refuse,
        can_withdraw=False,
    )
)
