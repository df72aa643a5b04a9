"""Reversals by people: a line of a statement undone, which one proposes and another agrees to.

Earned points are taken back by a refund, which knows the purchase; this is for what was spent or
adjusted by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

import ledger
from loyalty import audit, outbox, programmes, proposals
from loyalty.programmes import Member, Programme
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, NotFound, Refused, ids

SOURCE = "reversal"
REVERSIBLE = frozenset({"redeem", "capture", "adjust"})
"""The kinds of lines that staff may undo."""


def propose_reversal(
    session: Session, caller: Caller, programme: Programme, member: Member, content: dict[str, Any]
) -> Proposal:
    """Propose to undo `points` (None: all that is left) of a member's line.

    `content` has `line`, `points`, `reason` and `case`. Raises `NotFound` where there is no such
    line to undo, or `Refused` with `forbidden`.
    """
    find_reversible(session, member, content["line"])
    kept = {**content, "programme": programme.code}
    return proposals.propose(session, caller, REVERSAL, "customer", member.customer_id, kept)


def find_reversible(session: Session, member: Member, position: int) -> ledger.StatementLine:
    """Return a line that may be undone. Raises `NotFound`."""
    line = ledger.read_line(session, member.points_wallet, position)
    if line is None or line.kind not in REVERSIBLE or line.reverses is not None:
        raise NotFound
    return line


def _look(session: Session, customer: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line as it stands in the log, where it stays for ever."""
    programme = programmes.find_programme(session, content["programme"])
    member = programmes.find_member(session, programme, ids.decode("cus", customer))
    line = find_reversible(session, member, content["line"])
    return {"line": line.position, "kind": line.kind, "points": line.amount}


def _apply(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    content = proposal.content
    programme = programmes.find_programme(session, content["programme"])
    customer_id = ids.decode("cus", proposal.subject_id)
    member = programmes.find_active_member(session, programme, customer_id)
    entry = ledger.Entry(
        account=member.points_wallet,
        source=SOURCE,
        reference=ids.encode("prp", proposal.id),
        kind="reverse",
        acts=(ledger.Reverse(member.points_wallet, content["line"], content["points"]),),
        cause={"proposal": proposal.id, "reason": content["reason"], "case": content["case"]},
    )
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused(outcome.code)
    detail = {"entry": ids.encode("ent", outcome.entry_id), "line": content["line"]}
    audit.record(session, caller, "points.reversed", "customer", customer_id, detail)
    outbox.publish(
        session, "points.reversed", f"programme:{programme.id}", {"entry": outcome.entry_id}
    )
    return {"entry_id": detail["entry"], "balance": outcome.lines[-1].balance_after}


REVERSAL = proposals.register(
    Kind(
        name="points.reversal",
        title=Bilingual("冲正一笔积分", "Undo a line of points"),
        makers=frozenset({"support", "head_office"}),
        seats=(Seat.of("head_office", "head_office"),),
        apply=_apply,
        look=_look,
    )
)
