"""The trail for auditors, and the door through which refused calls come into it."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty.audit import queries, trail
from loyalty.audit.schemas import AuditPageSchema, AuditQuery, dump_event
from loyalty.database import transaction
from loyalty.web import Access, Answer, Caller, cursors, endpoint

blueprint = Blueprint("audit", __name__)

_LIST = "audit"
_denials = trail.DenialLimit()


@endpoint(
    blueprint,
    "GET",
    "/v1/audit",
    access=Access.staff("auditor"),
    query=AuditQuery,
    answer=AuditPageSchema,
    summary=("查阅审计记录", "Read the audit trail"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_audit(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of the trail, newest first."""
    limit = query.pop("limit")
    position = cursors.read(_LIST, query.pop("cursor"))
    before = position[0] if position else None
    events = queries.list_events(session, before=before, limit=limit + 1, **query)
    return cursors.page_of(_LIST, events, limit, position=lambda event: [event.id], dump=dump_event)


def record_denial(caller: Caller, route: str, code: str) -> None:
    """Keep that `caller` was denied what `route` does, in a transaction of its own."""
    if not _denials.admits(caller.token_fingerprint):
        return
    with transaction() as session:
        trail.record(session, caller, "access.denied", "route", route, {"problem": code})
