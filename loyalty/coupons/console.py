"""A customer's coupons for staff, without their codes."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import programmes
from loyalty.coupons.queries import list_coupons
from loyalty.coupons.wording import STATES
from loyalty.web import Access, Kind
from loyalty.web.sites import panel

blueprint = Blueprint("coupons_console", __name__, template_folder="templates")

SHOWN = 10


@panel("console-customer", 30, "coupons/console_panel.html", Access.browser(Kind.STAFF))
def read_panel(session: Session, customer_id: int) -> dict[str, Any] | None:
    """Return the newest coupons; None for who is in no programme."""
    found = programmes.find_membership(session, customer_id)
    if found is None:
        return None
    coupons = list_coupons(session, found[0], customer_id, before=None, limit=SHOWN)
    return {"coupons": coupons, "states": STATES}
