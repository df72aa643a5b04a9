"""Deciding: agreeing to a proposal in one of its seats, or refusing it."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import audit
from loyalty.proposals.kinds import Kind, Seat, find_kind
from loyalty.proposals.proposing import end, lock_open, staff_id
from loyalty.proposals.queries import APPLIED, REJECTED, Proposal, read_proposal
from loyalty.web import Caller, Refused

_APPROVE = text("""
WITH approval AS (
    INSERT INTO loyalty.proposal_approvals (proposal_id, seat, proposed_by, digest, expires_at,
        approved_by, comment)
    SELECT id, :seat, proposed_by, digest, expires_at, :approved_by, :comment
    FROM loyalty.proposals WHERE id = :id
)
UPDATE loyalty.proposal_states SET approvals = approvals + 1 WHERE proposal_id = :id
""")


def approve(
    session: Session, caller: Caller, proposal_id: int, digest: str, comment: str | None = None
) -> Proposal:
    """Agree to a proposal; the last agreement that is needed makes it happen at once.

    `digest` (hex) names what the caller has read. Raises `NotFound`, `Refused` with
    `own-proposal`, `proposal-decided`, `proposal-expired`, `proposal-differs`, `proposal-stale`,
    `seat-taken` or `forbidden`, or whatever applying it refuses.
    """
    proposal = _lock_for_decision(session, caller, proposal_id, digest)
    kind = find_kind(proposal.kind)
    _refuse_stale(session, kind, proposal)
    seat = _choose_seat(kind, proposal, caller)
    session.execute(
        _APPROVE,
        {
            "id": proposal_id,
            "seat": seat.name,
            "approved_by": staff_id(caller),
            "comment": comment,
        },
    )
    detail = {"kind": kind.name, "seat": seat.name, "digest": proposal.digest}
    audit.record(session, caller, "proposal.approved", "proposal", proposal_id, detail)
    if len(proposal.approvals) + 1 == len(kind.seats):
        result = kind.apply(session, caller, proposal)
        end(session, caller, proposal, APPLIED, comment, result)
    return read_proposal(session, proposal_id)


def reject(
    session: Session, caller: Caller, proposal_id: int, digest: str, comment: str | None = None
) -> Proposal:
    """Refuse a proposal for ever, as anybody may who could agree. Raises as `approve` does."""
    proposal = _lock_for_decision(session, caller, proposal_id, digest)
    kind = find_kind(proposal.kind)
    if not any(seat.roles & caller.roles for seat in kind.seats):
        raise Refused("forbidden")
    kind.refuse(session, caller, proposal, comment)
    end(session, caller, proposal, REJECTED, comment)
    return read_proposal(session, proposal_id)


def _lock_for_decision(session: Session, caller: Caller, proposal_id: int, digest: str) -> Proposal:
    proposal = lock_open(session, caller, proposal_id)
    if proposal.proposed_by == staff_id(caller):
        raise Refused("own-proposal")
    if proposal.digest != digest:
        raise Refused("proposal-differs")
    return proposal


def _refuse_stale(session: Session, kind: Kind, proposal: Proposal) -> None:
    now = kind.look(session, proposal.subject_id, proposal.content)
    if ledger.dump_json(now) != ledger.dump_json(proposal.before):
        raise Refused("proposal-stale")


def _choose_seat(kind: Kind, proposal: Proposal, caller: Caller) -> Seat:
    """Return the first free seat that the caller's roles fit."""
    mine = [seat for seat in kind.seats if seat.roles & caller.roles]
    if not mine:
        raise Refused("forbidden")
    taken = {approval.seat for approval in proposal.approvals}
    free = [seat for seat in mine if seat.name not in taken]
    if not free or any(approval.by == staff_id(caller) for approval in proposal.approvals):
        raise Refused("seat-taken")
    return free[0]
