"""A customer's benefits for staff."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import programmes
from loyalty.benefits.usage import read_benefits
from loyalty.web import Access, Kind
from loyalty.web.sites import panel

blueprint = Blueprint("benefits_console", __name__, template_folder="templates")


@panel("console-customer", 40, "benefits/console_panel.html", Access.browser(Kind.STAFF))
def read_panel(session: Session, customer_id: int) -> dict[str, Any] | None:
    """Return what the customer has by tier or grants; None for who is in no programme."""
    found = programmes.find_membership(session, customer_id)
    return None if found is None else {"benefits": read_benefits(session, found[0], customer_id)}
