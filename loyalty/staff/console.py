"""Pages of staff about themselves: signing in and out, the first time, and their sessions."""

import io
from typing import Any

import segno
from flask import Blueprint, g, render_template, request
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit
from loyalty.database import transaction
from loyalty.staff import second_factor, sign_in
from loyalty.staff.forms import InvitationForm, SignInForm
from loyalty.web import Access, Caller, Kind, NotFound, Refused, cookies, ids, sessions
from loyalty.web.app import People
from loyalty.web.attempts import Door, admits, forget
from loyalty.web.screens import local, screen, see
from loyalty.web.sites import Menu

blueprint = Blueprint("staff_console", __name__, template_folder="templates")

HOME = "/console"
SIGN_IN = "/console/sign-in"
INVITATION = "/console/invitations/{token}"
_ME = Access.browser(Kind.STAFF)


@screen(blueprint, "GET", SIGN_IN, access=Access.public(), summary=("员工登录", "Sign in as staff"))
def get_sign_in() -> str:
    """Show the form."""
    cookies.refuse_in_clear()
    return render_template("staff/sign_in.html")


@screen(
    blueprint,
    "POST",
    SIGN_IN,
    access=Access.public(),
    form=SignInForm,
    again=get_sign_in,
    summary=("员工登录", "Sign in as staff"),
    problems=("sign-in-failed", "too-many-tries", "insecure-connection"),
)
def post_sign_in(caller: Caller, entered: dict[str, Any]) -> Response:
    """Open a session for who proves to be a member of staff; each try is counted first."""
    cookies.refuse_in_clear()
    login = entered["login"].strip()
    door = Door(f"staff:{login}", request.remote_addr or "")
    with transaction() as session:
        admitted = admits(session, door)
    if not admitted:
        raise Refused("too-many-tries")
    with transaction() as session:
        code = entered["code"].strip()
        staff_id = sign_in.find_person(session, login, entered["password"], code)
        if staff_id is None:
            audit.record(session, caller, "staff.sign_in_failed", "staff", 0)
        else:
            forget(session, door)
    if staff_id is None:
        raise Refused("sign-in-failed")
    return _open_session(caller, staff_id, local(entered["next"], HOME))


def _open_session(caller: Caller, staff_id: int, path: str) -> Response:
    device = sessions.device_of(request.user_agent.string)
    with transaction() as session:
        secret = sessions.start(session, Kind.STAFF, staff_id, device, confirmed=True)
        who = Caller(Kind.STAFF, ids.encode("stf", staff_id)).on(caller.request_id)
        audit.record(session, who, "staff.signed_in", "staff", staff_id)
    response = see(path)
    cookies.give(response, Kind.STAFF, secret)
    return response


@screen(blueprint, "POST", "/console/sign-out", access=_ME, summary=("退出", "Sign out"))
def post_sign_out(session: Session, caller: Caller) -> Response:
    """End this session."""
    sessions.end(session, Kind.STAFF, g.signed.subject_id, g.signed.id)
    audit.record(session, caller, "staff.signed_out", "staff", g.signed.subject_id)
    response = see(SIGN_IN)
    cookies.take_back(response, Kind.STAFF)
    return response


@screen(
    blueprint,
    "GET",
    INVITATION,
    access=Access.public(),
    summary=("首次登录", "The first time"),
)
def get_invitation(session: Session, token: str) -> str:
    """Show who was invited the form for a password, and the secret for their authenticator."""
    cookies.refuse_in_clear()
    invited = sign_in.find_invited(session, token)
    picture = io.BytesIO()
    address = second_factor.address_of(invited.secret, invited.login)
    segno.make(address, micro=False).save(
        picture, kind="svg", scale=4, border=2, xmldecl=False, svgns=False, nl=False
    )
    return render_template(
        "staff/invitation.html",
        invited=invited,
        written=second_factor.written(invited.secret),
        picture=Markup(picture.getvalue().decode()),  # noqa: S704 - drawn here, from our own text
    )


@screen(
    blueprint,
    "POST",
    INVITATION,
    access=Access.public(),
    form=InvitationForm,
    again=get_invitation,
    summary=("首次登录", "The first time"),
    problems=("weak-password", "passwords-differ", "confirmation-failed", "too-many-tries"),
)
def post_invitation(caller: Caller, token: str, entered: dict[str, Any]) -> Response:
    """Set password and second factor, and open the first session."""
    cookies.refuse_in_clear()
    if entered["password"] != entered["repeated"]:
        raise Refused("passwords-differ")
    with transaction() as session:
        if not admits(session, Door(f"invitation:{token}", request.remote_addr or "")):
            raise Refused("too-many-tries")
    with transaction() as session:
        staff_id = sign_in.accept(session, token, entered["password"], entered["code"].strip())
        audit.record(session, caller, "staff.invitation_used", "staff", staff_id)
    return _open_session(caller, staff_id, HOME)


@screen(
    blueprint,
    "GET",
    "/console/sessions",
    access=_ME,
    menu=Menu(90, "devices", group="4-me"),
    summary=("登录的设备", "Where I am signed in"),
)
def get_sessions(session: Session) -> str:
    """List where this member of staff is signed in."""
    live = sessions.list_live(session, Kind.STAFF, g.signed.subject_id)
    return render_template("staff/sessions.html", live=live, current=g.signed.id)


@screen(
    blueprint,
    "POST",
    "/console/sessions/{number}/end",
    access=_ME,
    summary=("结束一处登录", "End one session"),
)
def post_session_end(session: Session, caller: Caller, number: str) -> Response:
    """End one of one's own sessions, or with `all` every one."""
    mine = g.signed.subject_id
    if number != "all" and not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFound
    chosen = None if number == "all" else int(number)
    if not sessions.end(session, Kind.STAFF, mine, chosen):
        raise NotFound
    audit.record(session, caller, "staff.session_ended", "staff", mine)
    return see("/console/sessions")


def admit_confirmation(session: Session, caller: Caller) -> bool:
    """Count a try at the second factor."""
    return admits(session, Door(f"confirm:{caller.id}", request.remote_addr or ""))


def confirm(session: Session, caller: Caller, code: str) -> bool:
    """Return whether `code` proves that it is `caller` who sits there."""
    if not sign_in.confirm(session, caller, code.strip()):
        return False
    forget(session, Door(f"confirm:{caller.id}", request.remote_addr or ""))
    audit.record(session, caller, "staff.confirmed", "staff", caller.id)
    return True


def people_of(**recognise: Any) -> People:
    """Return everybody who signs in by browser: staff, and whom other slices recognise."""
    known = {Kind.STAFF.value: sign_in.recognise, **recognise}
    return People(known, admit_confirmation, confirm)
