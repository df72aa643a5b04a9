"""The inbox: what waits for somebody's agreement, what changes by it, and deciding."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit, staff
from loyalty.proposals import deciding, proposing, queries
from loyalty.proposals.kinds import find_kind, readable_by
from loyalty.proposals.queries import OPEN, Proposal
from loyalty.web import Access, Caller, Kind, NotFound, ids
from loyalty.web.fields import Text
from loyalty.web.homes import STAFF_HOME
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu, panel, read_panels

blueprint = Blueprint("proposals_console", __name__, template_folder="templates")

_STAFF = Access.browser(Kind.STAFF)
INBOX = "/console/proposals"
ONE = "/console/proposals/{proposal_id}"
A_PAGE = 100
PROPOSAL = "console-proposal"
"""The page to which a slice brings what its proposals change, in words and pictures."""

SEATS = {
    "approval": ("审批", "Approval"),
    "budget": ("预算审批", "Budget"),
    "business": ("业务审批", "Business"),
    "checker": ("复核", "Second look"),
    "compliance": ("合规审查", "Compliance"),
    "consumer-protection": ("消费者权益保护审查", "Consumer protection"),
    "finance": ("财务审批", "Finance"),
    "head-office": ("总行审批", "Head office"),
    "publicity": ("宣传审查", "Publicity"),
    "second": ("第二人审批", "Second person"),
}


class DecisionForm(Schema):
    """What somebody decides on the content that has this digest."""

    decision = fields.String(required=True, validate=validate.OneOf(("approve", "reject")))
    digest = Text(64, required=True)
    comment = fields.String(load_default="", validate=validate.Length(max=500))


@panel(STAFF_HOME, 10, "proposals/panel.html", _STAFF)
def read_panel(session: Session, caller: Caller) -> Mapping[str, Any]:
    """Return what waits for the caller."""
    return {"waiting": _waiting(session, caller), "words": _title}


@screen(
    blueprint,
    "GET",
    INBOX,
    access=_STAFF,
    menu=Menu(5, "inbox", key="p"),
    summary=("待办审批", "Approvals"),
)
def get_inbox(session: Session, caller: Caller) -> str:
    """Show what waits for the caller, what they proposed, and what was decided lately."""
    found = queries.list_proposals(session, readable_by(caller.roles), before=None, limit=A_PAGE)
    me = proposing.staff_id(caller)
    waiting = _waiting(session, caller)
    seen = {one.id for one in waiting}
    return render_template(
        "proposals/inbox.html",
        waiting=waiting,
        mine=[one for one in found if one.proposed_by == me],
        others=[one for one in found if one.proposed_by != me and one.id not in seen],
        words=_title,
        names=_names(session, [*waiting, *found]),
    )


@screen(blueprint, "GET", ONE, access=_STAFF, summary=("一份提案", "One proposal"))
def get_one(session: Session, caller: Caller, proposal_id: int) -> str:
    """Show what would change, who has agreed, and, where it is the caller's turn, the form."""
    proposal = queries.read_proposal(session, proposal_id)
    kind = find_kind(proposal.kind)
    if not kind.readers & caller.roles:
        raise NotFound
    return render_template(
        "proposals/one.html",
        proposal=proposal,
        kind=kind,
        number=ids.encode("prp", proposal.id),
        changes=list(_changes(proposal)),
        given={approval.seat: approval for approval in proposal.approvals},
        seat_words={seat.name: name_seat(seat.name) for seat in kind.seats},
        is_mine=proposal.proposed_by == proposing.staff_id(caller) and kind.can_withdraw,
        may_decide=_may_decide(proposal, caller),
        names=_names(session, [proposal]),
        panels=read_panels(PROPOSAL, session, caller, proposal=proposal),
    )


@screen(
    blueprint,
    "POST",
    ONE,
    access=_STAFF,
    form=DecisionForm,
    idempotent=True,
    confirmed=True,
    again=get_one,
    summary=("审批提案", "Decide a proposal"),
)
def post_one(
    session: Session, caller: Caller, proposal_id: int, entered: dict[str, Any]
) -> Response:
    """Agree or reject; the page afterwards shows what came of it."""
    decide = deciding.approve if entered["decision"] == "approve" else deciding.reject
    decide(session, caller, proposal_id, entered["digest"], entered["comment"].strip() or None)
    detail = {"decision": entered["decision"]}
    audit.record(session, caller, "proposal.decided_on_page", "proposal", proposal_id, detail)
    return see(request.path)


@screen(
    blueprint,
    "POST",
    f"{ONE}/withdrawal",
    access=_STAFF,
    idempotent=True,
    summary=("撤回提案", "Withdraw a proposal"),
)
def post_withdrawal(session: Session, caller: Caller, proposal_id: int) -> Response:
    """Take back one's own proposal."""
    proposing.withdraw(session, caller, proposal_id)
    audit.record(session, caller, "proposal.withdrawn_on_page", "proposal", proposal_id)
    return see(ONE.format(proposal_id=ids.encode("prp", proposal_id)))


def _waiting(session: Session, caller: Caller) -> list[Proposal]:
    open_ones = queries.list_proposals(
        session, readable_by(caller.roles), before=None, limit=A_PAGE, state=OPEN
    )
    return [one for one in open_ones if _may_decide(one, caller)]


def _may_decide(proposal: Proposal, caller: Caller) -> bool:
    me = proposing.staff_id(caller)
    taken = {approval.seat for approval in proposal.approvals}
    if proposal.state != OPEN or proposal.proposed_by == me:
        return False
    if any(approval.by == me for approval in proposal.approvals):
        return False
    seats = find_kind(proposal.kind).seats
    return any(seat.roles & caller.roles and seat.name not in taken for seat in seats)


def _changes(proposal: Proposal) -> Any:
    """Yield name, value before and value proposed of everything that the content names."""
    before = proposal.before if isinstance(proposal.before, Mapping) else {}
    for name in dict.fromkeys([*before, *proposal.content]):
        yield name, _shown(before.get(name)), _shown(proposal.content.get(name))


def _shown(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int):
        return str(value).lower() if isinstance(value, bool) else f"{value:,}"
    return json.dumps(value, ensure_ascii=False, indent=1)


def name_seat(name: str) -> tuple[str, str]:
    """Return what a seat is called, in Chinese and English; its code where nobody named it."""
    return SEATS.get(name.replace("_", "-"), (name, name))


def _title(proposal: Proposal) -> Any:
    return find_kind(proposal.kind).title


def _names(session: Session, found: list[Proposal]) -> dict[int, str]:
    people = {one.proposed_by for one in found}
    people |= {approval.by for one in found for approval in one.approvals}
    people |= {one.ended_by for one in found if one.ended_by is not None}
    return staff.names_of(session, people)
