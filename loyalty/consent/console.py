"""What a customer agreed to, for staff: by purpose and channel, with the wishes beside it."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty.consent import notices, preferences, queries
from loyalty.consent.wording import CHANNEL_WORDS, STATUS_WORDS
from loyalty.web import Access, Kind
from loyalty.web.sites import panel

blueprint = Blueprint("consent_console", __name__, template_folder="templates")


@panel("console-customer", 40, "consent/console_panel.html", Access.browser(Kind.STAFF))
def read_panel(session: Session, customer_id: int) -> dict[str, Any]:
    """Return every state that events left, and the wishes; who said nothing has none."""
    return {
        "states": queries.list_states(session, customer_id),
        "purposes": notices.read_purposes(session),
        "wishes": preferences.read_preference(session, customer_id),
        "channels": CHANNEL_WORDS,
        "statuses": STATUS_WORDS,
    }
