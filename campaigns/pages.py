"""Where the link of a campaign's message leads by way of us."""

from flask import Blueprint, Response, redirect, request

from campaigns import clicking
from loyalty.database import transaction
from loyalty.web import Access, page

blueprint = Blueprint("campaign_links", __name__)


@page(
    blueprint,
    "GET",
    "/v1/go/{token}",
    access=Access.public(),
    summary=("打开活动链接", "Follow a campaign's link"),
)
def get_link(token: str) -> Response:
    """Count the click, of somebody only where they agreed to it, and lead on to our own page."""
    with transaction() as session:
        target = clicking.follow(session, token, is_counted=request.method == "GET")
    answer = redirect(target, code=302)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer  # type: ignore[return-value]  # Flask's redirect is one of ours
