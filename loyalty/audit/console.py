"""The audit trail for those who may read it."""

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session

from loyalty.audit.queries import list_events
from loyalty.web import Access, Kind, cursors
from loyalty.web.screens import screen
from loyalty.web.sites import Menu

blueprint = Blueprint("audit_console", __name__, template_folder="templates")

A_PAGE = 50
_LIST = "console-audit"


@screen(
    blueprint,
    "GET",
    "/console/audit",
    access=Access.browser(Kind.STAFF, "auditor", "security_admin"),
    menu=Menu(70, "audit", key="a", group="3-records"),
    summary=("审计记录", "Audit trail"),
)
def get_trail(session: Session) -> str:
    """Show who did what, newest first, for one actor or one subject if asked."""
    position = cursors.read(_LIST, request.args.get("cursor"))
    actor, subject = (request.args.get(name, "").strip()[:80] for name in ("actor", "subject"))
    events = list_events(
        session,
        before=position[0] if position else None,
        limit=A_PAGE,
        actor_id=actor or None,
        subject_id=subject or None,
    )
    older = cursors.sign(_LIST, [events[-1].id]) if len(events) == A_PAGE else None
    return render_template(
        "audit/trail.html", events=events, older=older, actor=actor, subject=subject
    )
