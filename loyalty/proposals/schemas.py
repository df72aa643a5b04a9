"""Proposals as JSON."""

from typing import Any

from marshmallow import Schema, fields, validate

from loyalty.proposals.kinds import find_kind
from loyalty.proposals.queries import STATES, Approval, Proposal
from loyalty.web import ids
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Instant, PublicId, Text, dump_instant


class ProposalsQuery(PageQuery):
    """Which proposals: of a kind, in a state, about a subject, one's own, or all."""

    kind = Text(100, load_default=None)
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    subject_type = Text(100, load_default=None)
    subject_id = Text(200, load_default=None)
    mine = fields.String(load_default=None, validate=validate.OneOf(("true", "false")))


class ProposalDecisionSchema(Schema):
    """What is decided on the content that has this digest; comments name no customer."""

    decision = fields.String(required=True, validate=validate.OneOf(("approve", "reject")))
    digest = Text(64, required=True)
    comment = Text(500, lines=True, load_default=None)


class ProposalSeatSchema(Schema):
    """An agreement that is needed: by whom, and who gave it when."""

    seat = fields.String(required=True)
    roles = fields.List(fields.String(), required=True)
    by = fields.String(required=True, allow_none=True)
    at = Instant(required=True, allow_none=True)
    comment = fields.String(required=True, allow_none=True)


class ProposalTitleSchema(Schema):
    """What kind of act this is, in both languages."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class ProposalSubjectSchema(Schema):
    """What the act is about."""

    type = fields.String(required=True)
    id = fields.String(required=True)


class ProposalEndSchema(Schema):
    """Who ended it and when, with what came of it."""

    by = fields.String(required=True)
    at = Instant(required=True)
    comment = fields.String(required=True, allow_none=True)
    result = fields.Dict(required=True, allow_none=True)


class ProposalSchema(Schema):
    """A proposal. `digest` covers content, subject, maker and what it was made in view of."""

    proposal_id = PublicId("prp", required=True)
    kind = fields.String(required=True)
    title = fields.Nested(ProposalTitleSchema, required=True)
    subject = fields.Nested(ProposalSubjectSchema, required=True)
    content = fields.Dict(required=True)
    before = fields.Raw(required=True, allow_none=True)
    digest = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    proposed_by = fields.String(required=True)
    proposed_at = Instant(required=True)
    expires_at = Instant(required=True)
    seats = fields.List(fields.Nested(ProposalSeatSchema), required=True)
    end = fields.Nested(ProposalEndSchema, required=True, allow_none=True)


class ProposalsPageSchema(Schema):
    """One page of proposals, newest first."""

    items = fields.List(fields.Nested(ProposalSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def dump_proposal(proposal: Proposal) -> dict[str, Any]:
    """Return `proposal` in the shape of `ProposalSchema`."""
    kind = find_kind(proposal.kind)
    given = {approval.seat: approval for approval in proposal.approvals}
    return {
        "proposal_id": ids.encode("prp", proposal.id),
        "kind": proposal.kind,
        "title": kind.title._asdict(),
        "subject": {"type": proposal.subject_type, "id": proposal.subject_id},
        "content": dict(proposal.content),
        "before": proposal.before,
        "digest": proposal.digest,
        "state": proposal.state,
        "proposed_by": ids.encode("stf", proposal.proposed_by),
        "proposed_at": dump_instant(proposal.proposed_at),
        "expires_at": dump_instant(proposal.expires_at),
        "seats": [
            {"seat": seat.name, "roles": sorted(seat.roles), **_dump_approval(given.get(seat.name))}
            for seat in kind.seats
        ],
        "end": _dump_end(proposal),
    }


def _dump_approval(approval: Approval | None) -> dict[str, Any]:
    if approval is None:
        return {"by": None, "at": None, "comment": None}
    return {
        "by": ids.encode("stf", approval.by),
        "at": dump_instant(approval.at),
        "comment": approval.comment,
    }


def _dump_end(proposal: Proposal) -> dict[str, Any] | None:
    if proposal.ended_by is None or proposal.ended_at is None:
        return None
    return {
        "by": ids.encode("stf", proposal.ended_by),
        "at": dump_instant(proposal.ended_at),
        "comment": proposal.comment,
        "result": None if proposal.result is None else dict(proposal.result),
    }
