"""A customer's tier for staff: where they stand, and each change with its reason."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import programmes
from loyalty.tiers.standing import read_standing
from loyalty.tiers.wording import explain, explain_cause
from loyalty.web import Access, Kind
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
