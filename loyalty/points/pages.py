"""The customer's points: what there is, when it lapses, each line and why it stands there."""

from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session

import ledger
from loyalty import programmes
from loyalty.points import queries
from loyalty.points.explaining import Why, explain_line
from loyalty.programmes import Member, Programme
from loyalty.web import Access, Caller, Kind, NotFound, cursors
from loyalty.web.homes import CUSTOMER_HOME
from loyalty.web.screens import screen
from loyalty.web.sites import Menu, panel
from loyalty.web.words import show_zone

blueprint = Blueprint("points_pages", __name__, template_folder="templates")

LAST = 4
A_PAGE = 30
_LIST = "my-statement"
_ME = Access.browser(Kind.CUSTOMER)


@panel(CUSTOMER_HOME, 20, "points/panel.html", _ME)
def read_panel(session: Session, caller: Caller) -> dict[str, Any] | None:
    """Return balance, expiries and the last lines; None for who is in no programme."""
    found = _find(session, caller)
    if found is None:
        return None
    _, member = found
    lines = queries.read_lines(session, member, before=None, limit=LAST)
    return {"balance": ledger.read_balance(session, member.points_wallet), "lines": lines}


@screen(
    blueprint,
    "GET",
    "/my/points",
    access=_ME,
    menu=Menu(10, "points"),
    summary=("积分", "Points"),
)
def get_points(session: Session, caller: Caller) -> str:
    """Show what may be spent, what is to come or held, and every day on which points lapse."""
    return render_template("points/points.html", shown=read_panel(session, caller))


@screen(
    blueprint,
    "GET",
    "/my/statement",
    access=_ME,
    menu=Menu(20, "list"),
    summary=("明细", "Statement"),
)
def get_statement(session: Session, caller: Caller) -> str:
    """Show one page of the log, newest first."""
    found = _find(session, caller)
    position = cursors.read(_LIST, request.args.get("cursor"))
    before = position[0] if position else None
    lines = (
        [] if found is None else queries.read_lines(session, found[1], before=before, limit=A_PAGE)
    )
    older = cursors.sign(_LIST, [lines[-1].position]) if len(lines) == A_PAGE else None
    return render_template(
        "points/statement.html", lines=lines, older=older, is_first=before is None
    )


@screen(
    blueprint,
    "GET",
    "/my/statement/{line}",
    access=_ME,
    summary=("为什么有这一笔", "Why a line stands there"),
)
def get_line(session: Session, caller: Caller, line: str) -> str:
    """Show one line with its cause: the rules and the arithmetic, run again now."""
    return render_template("points/line.html", why=_find_line(session, caller, line))


def _find_line(session: Session, caller: Caller, line: str) -> Why:
    found = _find(session, caller)
    if found is None or not (line.isascii() and line.isdigit() and len(line) < 16):
        raise NotFound
    programme, member = found
    why = explain_line(session, programme, member, int(line))
    if why is None:
        raise NotFound
    return why


def _find(session: Session, caller: Caller) -> tuple[Programme, Member] | None:
    assert caller.customer_id is not None
    found = programmes.find_membership(session, caller.customer_id)
    if found is not None:
        show_zone(found[0].zone_name)
    return found
