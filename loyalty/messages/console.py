"""A customer's contact history for staff: what was sent, what was not, and why."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty.messages.history import read_history
from loyalty.web import Access, Bilingual, Kind
from loyalty.web.sites import panel

blueprint = Blueprint("messages_console", __name__, template_folder="templates")

SHOWN = 12
CHANNEL_WORDS = {
    "in_app": Bilingual("站内消息", "in the app"),
    "email": Bilingual("邮件", "e-mail"),
    "sms": Bilingual("短信", "text message"),
}


@panel("console-customer", 50, "messages/console_panel.html", Access.browser(Kind.STAFF))
def read_panel(session: Session, customer_id: int) -> dict[str, Any]:
    """Return the newest messages with why or why not."""
    return {"told": read_history(session, customer_id, SHOWN), "channels": CHANNEL_WORDS}
