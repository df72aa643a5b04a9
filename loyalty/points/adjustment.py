"""Adjustments: points given or taken by people, one of whom proposes and another agrees.

For what no rule and no refund can say: goodwill, a mistake, an event that was reported too late.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import proposals
from loyalty.points.redress import post_agreed
from loyalty.programmes import Member, Programme
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, ids

SOURCE = "adjustment"
NAME = "points.adjustment"
GIVE, TAKE = "give", "take"

REASONS: Mapping[str, Bilingual] = {
    "goodwill": Bilingual("客户关怀", "goodwill"),
    "complaint": Bilingual("投诉补偿", "redress for a complaint"),
    "mistake": Bilingual("差错更正", "correction of a mistake"),
    "late-event": Bilingual("事件迟报", "an event that was reported too late"),
    "abuse": Bilingual("违规所得收回", "taking back what was got by abuse"),
}

_LATEST = text("""
SELECT p.id FROM loyalty.proposals p JOIN loyalty.proposal_states s ON s.proposal_id = p.id
WHERE p.subject_type = 'customer' AND p.subject_id = :customer AND p.kind = :kind
    AND s.state = 'applied' AND p.content->>'programme' = :programme
ORDER BY p.id DESC LIMIT 1
""")


def propose_adjustment(
    session: Session, caller: Caller, programme: Programme, member: Member, content: dict[str, Any]
) -> Proposal:
    """Propose to give or take points of a member; they move when a second person agrees.

    `content` has `direction`, `points`, `reason`, `case` (a reference or None) and `expires_at`
    (an instant or None: what is given never lapses). Raises `Refused` with `forbidden`.
    """
    kept = {**content, "programme": programme.code}
    if kept["expires_at"] is not None:
        kept["expires_at"] = kept["expires_at"].isoformat()
    return proposals.propose(session, caller, ADJUSTMENT, "customer", member.customer_id, kept)


def _look(session: Session, customer: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the last adjustment: two people who redress the same thing must not both succeed."""
    latest = session.execute(
        _LATEST, {"customer": customer, "kind": NAME, "programme": content["programme"]}
    ).scalar_one_or_none()
    return {"latest": None if latest is None else ids.encode("prp", latest)}


def _apply(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    content = proposal.content
    return post_agreed(
        session,
        caller,
        proposal,
        lambda programme, member: _act(session, programme, member, content),
        source=SOURCE,
        kind="adjust",
        done="points.adjusted",
        detail={name: content[name] for name in ("points", "direction", "reason")},
    )


def _act(
    session: Session, programme: Programme, member: Member, content: Mapping[str, Any]
) -> ledger.Act:
    if content["direction"] == TAKE:
        return ledger.Move(member.points_wallet, programme.points.adjusted, content["points"])
    terms = {"programme": programme.code, "adjustment": content["reason"]}
    terms["expires_at"] = content["expires_at"]
    expires_at = ledger.NEVER
    if content["expires_at"] is not None:
        expires_at = datetime.fromisoformat(content["expires_at"])
    return ledger.Move(
        programme.points.adjusted,
        member.points_wallet,
        content["points"],
        ledger.Terms(ledger.AT_ONCE, expires_at, ledger.keep_terms(session, terms)),
    )


ADJUSTMENT = proposals.register(
    Kind(
        name=NAME,
        title=Bilingual("调整客户积分", "Adjust a customer's points"),
        makers=frozenset({"support", "head_office"}),
        seats=(Seat.of("head_office", "head_office"),),
        apply=_apply,
        look=_look,
    )
)
