"""Reversals by people: a line of a statement undone, which one proposes and another agrees to.

Earned points are taken back by a refund, which knows the purchase; this is for what was spent or
adjusted by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

import ledger
from loyalty import programmes, proposals
from loyalty.points.redress import post_agreed
from loyalty.programmes import Member, Programme
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, NotFound, ids

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
    line, points = proposal.content["line"], proposal.content["points"]
    return post_agreed(
        session,
        caller,
        proposal,
        lambda _, member: ledger.Reverse(member.points_wallet, line, points),
        source=SOURCE,
        kind="reverse",
        done="points.reversed",
        detail={"line": line},
    )


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
