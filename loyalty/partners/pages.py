"""The counter's door: partners' clerks sign in and out."""

from typing import Any

from flask import Blueprint, g, render_template, request
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit
from loyalty.database import transaction
from loyalty.partners.staffing import normal_login, verify_password
from loyalty.web import Access, Caller, Kind, Refused, cookies, sessions
from loyalty.web.attempts import Door, admits, forget
from loyalty.web.fields import Text
from loyalty.web.screens import local, screen, see

blueprint = Blueprint("partner_pages", __name__, template_folder="templates")

HOME = "/counter"
SIGN_IN = "/counter/sign-in"


class SignInForm(Schema):
    """A clerk's name and password."""

    login = Text(100, required=True)
    password = fields.String(required=True, validate=validate.Length(1, 200))
    next = fields.String(load_default="", validate=validate.Length(max=2000))


@screen(
    blueprint,
    "GET",
    SIGN_IN,
    access=Access.public(),
    summary=("登录核销台", "Sign in at a counter"),
)
def get_sign_in() -> str:
    """Show the form."""
    cookies.refuse_in_clear()
    return render_template("partners/sign_in.html")


@screen(
    blueprint,
    "POST",
    SIGN_IN,
    access=Access.public(),
    form=SignInForm,
    again=get_sign_in,
    summary=("登录核销台", "Sign in at a counter"),
    problems=("sign-in-failed", "too-many-tries", "insecure-connection"),
)
def post_sign_in(caller: Caller, entered: dict[str, Any]) -> Response:
    """Open a session for a clerk who may work; each try is counted first."""
    cookies.refuse_in_clear()
    door = Door(f"partner:{normal_login(entered['login'])}", request.remote_addr or "")
    with transaction() as session:
        admitted = admits(session, door)
    if not admitted:
        raise Refused("too-many-tries")
    with transaction() as session:
        clerk = verify_password(session, entered["login"], entered["password"])
        if clerk is None:
            audit.record(session, caller, "clerk.sign_in_failed", "clerk", 0)
        else:
            forget(session, door)
            device = sessions.device_of(request.user_agent.string)
            secret = sessions.start(session, Kind.PARTNER, clerk.id, device, confirmed=False)
            audit.record(session, caller, "clerk.signed_in", "clerk", clerk.id)
    if clerk is None:
        raise Refused("sign-in-failed")
    response = see(local(entered["next"], HOME))
    cookies.give(response, Kind.PARTNER, secret)
    return response


@screen(
    blueprint,
    "POST",
    "/counter/sign-out",
    access=Access.browser(Kind.PARTNER),
    summary=("退出", "Sign out"),
)
def post_sign_out(session: Session, caller: Caller) -> Response:
    """End this session."""
    sessions.end(session, Kind.PARTNER, g.signed.subject_id, g.signed.id)
    audit.record(session, caller, "clerk.signed_out", "clerk", g.signed.subject_id)
    response = see(SIGN_IN)
    cookies.take_back(response, Kind.PARTNER)
    return response
