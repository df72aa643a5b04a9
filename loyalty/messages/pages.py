"""Refusing by a link: looking changes nothing, and only sending the form (RFC 8058) refuses.

No login and no cookie: whoever got the message holds the token. Programs that look at links in
mail only look.
"""

from flask import Blueprint, render_template, request

from loyalty import audit
from loyalty.database import transaction
from loyalty.messages import inbound
from loyalty.messages.contacts import read_unsubscribe_token
from loyalty.web import Access, Caller, NotFound, page
from loyalty.web.errors import request_id

blueprint = Blueprint("unsubscribe", __name__, template_folder="templates")

_SUMMARY = ("退订营销信息", "Refuse marketing messages")


@page(
    blueprint,
    "GET",
    "/v1/unsubscribe/{token}",
    access=Access.public(),
    summary=("查看退订页面", "See the page on which to refuse"),
)
def get_unsubscribe(token: str) -> str:
    """Show what would be refused, with a button; nothing changes by looking."""
    _request_of(token)
    return _show(is_done=False)


@page(
    blueprint,
    "POST",
    "/v1/unsubscribe/{token}",
    access=Access.public(),
    summary=_SUMMARY,
    not_idempotent="refusing twice is refusing once; mail programs send no key",
)
def post_unsubscribe(token: str) -> str:
    """Take back consent for messages of this kind, at once; sent again it changes nothing."""
    number = _request_of(token)
    caller = Caller.public(request_id())
    with transaction() as session:
        inbound.unsubscribe(session, caller, number)
        audit.record(session, caller, "consent.unsubscribed", "request", number)
    return _show(is_done=True)


def _request_of(token: str) -> int:
    number = read_unsubscribe_token(token)
    if number is None:
        raise NotFound
    return number


def _show(*, is_done: bool) -> str:
    return render_template("messages/unsubscribe.html", path=request.path, is_done=is_done)
