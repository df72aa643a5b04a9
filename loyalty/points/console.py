"""Points for staff: a customer's balance with its lots and causes, adjustments, what is owed."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from flask import Blueprint, render_template
from marshmallow import Schema, fields, pre_load, validate
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

import ledger
from ledger.checkpoints import newest_checkpoints
from loyalty import audit, programmes
from loyalty.points import adjustment, queries, reversal
from loyalty.points.explaining import explain_line
from loyalty.programmes import Programme
from loyalty.web import Access, Caller, Kind, NotFound, ids
from loyalty.web.fields import Reference, TypedWhole
from loyalty.web.homes import STAFF_HOME
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu, panel
from loyalty.web.words import show_zone

blueprint = Blueprint("points_console", __name__, template_folder="templates")

LINES = 12
MOST_POINTS = 10_000_000
DAYS = 30
MOST_DIGITS = 16
_READERS = Access.browser(Kind.STAFF, "support", "branch", "head_office")
_MAKERS = Access.browser(Kind.STAFF, "support", "head_office")
_LEDGER = Access.browser(Kind.STAFF, "auditor", "head_office", "finance")


class ReversalForm(Schema):
    """How much of a line is undone (nothing: all that is left), and why."""

    points = TypedWhole(1, MOST_POINTS, load_default=None)
    reason = fields.String(required=True, validate=validate.OneOf(tuple(adjustment.REASONS)))
    case = Reference(required=True)

    @pre_load
    def _leave_out(self, entered: dict[str, str], **_: Any) -> dict[str, str]:
        return {name: value for name, value in entered.items() if value.strip()}


class AdjustmentForm(Schema):
    """Points to give or take, and why."""

    direction = fields.String(required=True, validate=validate.OneOf(("give", "take")))
    points = TypedWhole(1, MOST_POINTS, required=True)
    reason = fields.String(required=True, validate=validate.OneOf(tuple(adjustment.REASONS)))
    case = Reference(required=True)


@panel("console-customer", 10, "points/console_panel.html", _READERS)
def read_panel(session: Session, caller: Caller, customer_id: int) -> dict[str, Any] | None:
    """Return balance, lots and last lines; None for who is in no programme."""
    found = programmes.find_membership(session, customer_id)
    if found is None:
        return None
    programme, member = found
    show_zone(programme.zone_name)
    return {
        "balance": ledger.read_balance(session, member.points_wallet),
        "lines": queries.read_lines(session, member, before=None, limit=LINES),
        "number": ids.encode("cus", customer_id),
        "may_adjust": bool(_MAKERS.roles & caller.roles),
    }


@screen(
    blueprint,
    "GET",
    "/console/customers/{customer_id}/lines/{line}",
    access=_READERS,
    summary=("一笔积分的来由", "Why a line stands there"),
)
def get_line(session: Session, caller: Caller, customer_id: int, line: str) -> str:
    """Show one line of a customer's log with its cause."""
    found = programmes.find_membership(session, customer_id)
    if found is None:
        raise NotFound
    programme, member = found
    show_zone(programme.zone_name)
    why = explain_line(session, programme, member, _position(line))
    if why is None:
        raise NotFound
    may_undo = why.line.kind in reversal.REVERSIBLE and bool(_MAKERS.roles & caller.roles)
    number = ids.encode("cus", customer_id)
    return render_template("points/console_line.html", why=why, number=number, may_undo=may_undo)


@screen(
    blueprint,
    "GET",
    "/console/customers/{customer_id}/lines/{line}/reversal",
    access=_MAKERS,
    summary=("提议冲正一笔积分", "Propose to undo a line"),
)
def get_reversal(session: Session, customer_id: int, line: str) -> str:
    """Show the form."""
    _, member = _find_member(session, customer_id)
    return render_template(
        "points/reversal.html",
        line=reversal.find_reversible(session, member, _position(line)),
        reasons=adjustment.REASONS,
        number=ids.encode("cus", customer_id),
    )


@screen(
    blueprint,
    "POST",
    "/console/customers/{customer_id}/lines/{line}/reversal",
    access=_MAKERS,
    form=ReversalForm,
    idempotent=True,
    confirmed=True,
    again=get_reversal,
    summary=("提议冲正一笔积分", "Propose to undo a line"),
)
def post_reversal(
    session: Session, caller: Caller, customer_id: int, line: str, entered: dict[str, Any]
) -> Response:
    """Propose to undo a line; nothing moves until somebody else agrees."""
    found = _find_member(session, customer_id)
    content = {**entered, "line": _position(line)}
    proposal = reversal.propose_reversal(session, caller, *found, content)
    audit.record(session, caller, "reversal.proposed_on_page", "proposal", proposal.id)
    return see(f"/console/proposals/{ids.encode('prp', proposal.id)}")


def _find_member(session: Session, customer_id: int) -> tuple[Programme, programmes.Member]:
    found = programmes.find_membership(session, customer_id)
    if found is None:
        raise NotFound
    return found


def _position(line: str) -> int:
    if not (line.isascii() and line.isdigit() and len(line) < MOST_DIGITS):
        raise NotFound
    return int(line)


@screen(
    blueprint,
    "GET",
    "/console/customers/{customer_id}/adjustment",
    access=_MAKERS,
    summary=("提议调整积分", "Propose an adjustment"),
)
def get_adjustment(session: Session, customer_id: int) -> str:
    """Show the form."""
    found = _find_member(session, customer_id)
    return render_template(
        "points/adjustment.html",
        balance=ledger.read_balance(session, found[1].points_wallet),
        reasons=adjustment.REASONS,
        number=ids.encode("cus", customer_id),
    )


@screen(
    blueprint,
    "POST",
    "/console/customers/{customer_id}/adjustment",
    access=_MAKERS,
    form=AdjustmentForm,
    idempotent=True,
    confirmed=True,
    again=get_adjustment,
    summary=("提议调整积分", "Propose an adjustment"),
)
def post_adjustment(
    session: Session, caller: Caller, customer_id: int, entered: dict[str, Any]
) -> Response:
    """Propose to give or take points; nothing moves until somebody else agrees."""
    found = _find_member(session, customer_id)
    content = {**entered, "expires_at": None}
    proposal = adjustment.propose_adjustment(session, caller, *found, content)
    audit.record(session, caller, "adjustment.proposed_on_page", "proposal", proposal.id)
    return see(f"/console/proposals/{ids.encode('prp', proposal.id)}")


@panel(STAFF_HOME, 20, "points/movement_panel.html", _LEDGER)
def read_movement(session: Session) -> dict[str, Any] | None:
    """Return how the points outstanding moved in the last month."""
    found = programmes.list_programmes(session)
    return None if not found else {"programme": found[0], "moved": _movement(session, found[0])}


@screen(
    blueprint,
    "GET",
    "/console/ledger",
    access=_LEDGER,
    menu=Menu(60, "ledger", key="l", group="3-records"),
    summary=("账本与负债", "Ledger and liability"),
)
def get_ledger(session: Session) -> str:
    """Show what is owed in points, when it lapses, and the signed checkpoints."""
    found = programmes.list_programmes(session)
    if not found:
        raise NotFound
    programme = found[0]
    show_zone(programme.zone_name)
    outstanding = ledger.read_outstanding(session, programme.points_unit_id, programme.zone_name)
    return render_template(
        "points/ledger.html",
        programme=programme,
        moved=_movement(session, programme),
        months=[(month, points) for month, points in outstanding.items() if month is not None],
        never=outstanding.get(None, 0),
        total=sum(outstanding.values()),
        checkpoints=newest_checkpoints(session, "ledger", below=None, limit=10),
    )


def _movement(session: Session, programme: Programme) -> ledger.Movement:
    """Return the movement of the last month, today included."""
    today = datetime.now(UTC).astimezone(programme.zone).date()
    until = datetime.combine(today + timedelta(days=1), time(), programme.zone)
    return ledger.read_movement(
        session, programme.points_unit_id, until - timedelta(days=DAYS), until
    )
