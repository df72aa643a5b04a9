"""Tiers for staff: where a customer stands with each change's reason, and why a branch asks."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, programmes
from loyalty.proposals import Proposal
from loyalty.tiers.agreement import ASSIGNMENT
from loyalty.tiers.assignment import read_application
from loyalty.tiers.standing import read_standing
from loyalty.tiers.wording import explain, explain_cause
from loyalty.web import Access, Caller, Kind, ids
from loyalty.web.sites import panel
from loyalty.web.words import show_zone

blueprint = Blueprint("tiers_console", __name__, template_folder="templates")


@panel("console-customer", 20, "tiers/console_panel.html", Access.browser(Kind.STAFF))
def read_panel(session: Session, customer_id: int) -> dict[str, Any] | None:
    """Return standing and reasons; None for who is in no programme."""
    found = programmes.find_membership(session, customer_id)
    if found is None:
        return None
    programme, member = found
    show_zone(programme.zone_name)
    standing = read_standing(session, programme, member)
    reasons = [
        (change, explain(change, standing.ladder), explain_cause(change))
        for change in standing.history
    ]
    return {"standing": standing, "reasons": reasons}


@panel(
    "console-proposal",
    10,
    "tiers/console_reason.html",
    Access.browser(Kind.STAFF, *ASSIGNMENT.makers, *ASSIGNMENT.seats[0].roles),
)
def read_reason(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any] | None:
    """Return the sealed reason of an application; it tells of a person, so who looked is kept."""
    if proposal.kind != ASSIGNMENT.name:
        return None
    number = ids.decode("tap", proposal.subject_id)
    audit.record(session, caller, "tier.application_read", "application", number)
    found = read_application(session, number)
    return {"application": found, "customer": ids.encode("cus", found.customer_id)}
