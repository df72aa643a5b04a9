"""The customer's card with the tier, what leads to the next one, and why it is what it is."""

from typing import Any

from flask import Blueprint, render_template
from sqlalchemy.orm import Session

import ledger
from loyalty import customers, programmes
from loyalty.tiers.standing import read_standing
from loyalty.tiers.wording import explain, explain_cause
from loyalty.web import Access, Caller, Kind
from loyalty.web.homes import CUSTOMER_HOME
from loyalty.web.screens import screen
from loyalty.web.sites import Menu, panel
from loyalty.web.words import show_zone

blueprint = Blueprint("tier_pages", __name__, template_folder="templates")

_ME = Access.browser(Kind.CUSTOMER)


@panel(CUSTOMER_HOME, 10, "tiers/card_panel.html", _ME)
def read_card(session: Session, caller: Caller) -> dict[str, Any] | None:
    """Return what the card shows; None for who is in no programme."""
    assert caller.customer_id is not None
    found = programmes.find_membership(session, caller.customer_id)
    if found is None:
        return None
    programme, member = found
    show_zone(programme.zone_name)
    person = customers.read_masked(session, [member.customer_id]).get(member.customer_id)
    number = customers.customers_by_id(session, [member.customer_id])[member.customer_id]
    return {
        "programme": programme,
        "standing": read_standing(session, programme, member),
        "balance": ledger.read_balance(session, member.points_wallet),
        "person": person,
        "reference": number.reference,
    }


@screen(
    blueprint,
    "GET",
    "/my/tier",
    access=_ME,
    menu=Menu(30, "ladder"),
    summary=("等级", "Tier"),
)
def get_tier(session: Session, caller: Caller) -> str:
    """Show the tiers, where the customer stands among them, and each change with its reason."""
    card = read_card(session, caller)
    changes = [] if card is None else card["standing"].history
    reasons = [
        (change, explain(change, card["standing"].ladder), explain_cause(change))
        for change in changes
        if card
    ]
    return render_template("tiers/tier.html", card=card, reasons=reasons)
