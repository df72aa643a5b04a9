"""The customer's benefits: what each allows, how much is left, and until when."""

from typing import Any

from flask import Blueprint, render_template
from sqlalchemy.orm import Session

from loyalty import programmes
from loyalty.benefits.usage import read_benefits
from loyalty.web import Access, Caller, Kind
from loyalty.web.homes import CUSTOMER_HOME
from loyalty.web.screens import screen
from loyalty.web.sites import Menu, panel
from loyalty.web.words import show_zone

blueprint = Blueprint("benefit_pages", __name__, template_folder="templates")

_ME = Access.browser(Kind.CUSTOMER)


@panel(CUSTOMER_HOME, 40, "benefits/panel.html", _ME)
def read_panel(session: Session, caller: Caller) -> dict[str, Any]:
    """Return the caller's benefits; of no programme, none."""
    assert caller.customer_id is not None
    found = programmes.find_membership(session, caller.customer_id)
    if found is None:
        return {"benefits": []}
    programme, _ = found
    show_zone(programme.zone_name)
    return {"benefits": read_benefits(session, programme, caller.customer_id)}


@screen(
    blueprint,
    "GET",
    "/my/benefits",
    access=_ME,
    menu=Menu(40, "benefit"),
    summary=("权益", "Benefits"),
)
def get_benefits(session: Session, caller: Caller) -> str:
    """Show each benefit with what is left of it."""
    return render_template("benefits/benefits.html", shown=read_panel(session, caller))
