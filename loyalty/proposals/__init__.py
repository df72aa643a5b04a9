"""Proposals: what one person sets out and others agree to before it happens.

A later slice declares what can be proposed once, at import, with `register(Kind(...))`; its own
route makes a proposal of content that its own schema has checked. Reading and deciding are the
same for every kind, under `/v1/proposals`.
"""

from loyalty.proposals import problems as problems
from loyalty.proposals.deciding import approve, reject
from loyalty.proposals.kinds import Kind, Seat, find_kind, register
from loyalty.proposals.proposing import (
    DECIDED_WITHIN,
    hold_open,
    propose,
    staff_id,
    withdraw,
)
from loyalty.proposals.queries import Proposal, list_proposals, read_proposal
from loyalty.proposals.schemas import ProposalSchema, dump_proposal

__all__ = [
    "DECIDED_WITHIN",
    "Kind",
    "Proposal",
    "ProposalSchema",
    "Seat",
    "approve",
    "dump_proposal",
    "find_kind",
    "hold_open",
    "list_proposals",
    "propose",
    "read_proposal",
    "register",
    "reject",
    "staff_id",
    "withdraw",
]
