"""The customer's coupons: which may be used until when, each with its code, and which to claim."""

import io
import secrets
from typing import Any

import segno
from flask import Blueprint, render_template
from markupsafe import Markup
from marshmallow import Schema
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit, programmes
from loyalty.coupons import codes, issuance, queries, series
from loyalty.coupons.issuance import Order
from loyalty.coupons.queries import Coupon
from loyalty.coupons.wording import HAPPENED, STATES
from loyalty.web import Access, Caller, Kind, NotFound, ids
from loyalty.web.fields import Reference
from loyalty.web.homes import CUSTOMER_HOME
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu, panel
from loyalty.web.words import show_zone

blueprint = Blueprint("coupon_pages", __name__, template_folder="templates")

MOST = 100
USABLE = frozenset({"issued", "held", "not-yet-valid"})
_ME = Access.browser(Kind.CUSTOMER)


class ClaimForm(Schema):
    """The series to take a coupon of, under a reference of the page's."""

    series = Reference(required=True)
    reference = Reference(required=True)


@panel(CUSTOMER_HOME, 45, "coupons/panel.html", _ME)
def read_panel(session: Session, caller: Caller) -> dict[str, Any]:
    """Return the coupons that may be used, the soonest to expire first."""
    usable, _ = _read(session, caller)
    return {"coupons": usable, "states": STATES}


@screen(
    blueprint,
    "GET",
    "/my/coupons",
    access=_ME,
    menu=Menu(50, "coupon"),
    summary=("优惠券", "Coupons"),
)
def get_coupons(session: Session, caller: Caller) -> str:
    """Show the coupons that may be used, those that may be claimed, then what is over."""
    usable, over = _read(session, caller)
    return render_template(
        "coupons/coupons.html",
        usable=usable,
        over=over,
        states=STATES,
        claimable=_list_claimable(session, caller),
        reference=secrets.token_urlsafe(16),
    )


@screen(
    blueprint,
    "POST",
    "/my/coupons",
    access=_ME,
    form=ClaimForm,
    idempotent=True,
    again=get_coupons,
    summary=("领券", "Claim a coupon"),
    problems=(
        *("coupon-halted", "coupon-over", "limit-reached", "sold-out", "sold-out-today"),
        *("budget-used-up", "reference-reused", "not-a-member"),
    ),
)
def post_claim(session: Session, caller: Caller, entered: dict[str, Any]) -> Response:
    """Give the customer a coupon of a series that may be claimed."""
    customer_id = _who(caller)
    found = programmes.find_membership(session, customer_id)
    if found is None:
        raise NotFound
    wanted = series.find_series(session, found[0], entered["series"])
    if not wanted.terms.claimable:
        raise NotFound
    order = Order(f"{caller.id}:{entered['reference']}", customer_id)
    issued = issuance.issue_one(session, found[0], wanted, "claim", order)
    detail = {"customer": caller.id, "series": wanted.code}
    audit.record(session, caller, "coupon.claimed", "coupon", issued.coupon_id, detail)
    return see(f"/my/coupons/{ids.encode('cpn', issued.coupon_id)}")


@screen(
    blueprint,
    "GET",
    "/my/coupons/{coupon_id}",
    access=_ME,
    summary=("一张优惠券", "One coupon"),
)
def get_coupon(session: Session, caller: Caller, coupon_id: int) -> str:
    """Show one coupon with its code as a picture and in letters, while it may be used."""
    coupon = queries.find_owned(session, _who(caller), coupon_id)
    _show_zone(session, caller)
    is_usable = coupon.state in USABLE
    code = queries.read_code(session, coupon.id) if is_usable else ""
    return render_template(
        "coupons/coupon.html",
        coupon=coupon,
        is_usable=is_usable,
        states=STATES,
        events=queries.list_events(session, coupon.id),
        happened=HAPPENED,
        code=codes.show_code(code) if code else "",
        picture=draw(code) if code else "",
    )


def draw(code: str) -> Markup:
    """Return a code as a picture that tills' scanners and cameras read."""
    drawn = io.BytesIO()
    segno.make_qr(code, error="q").save(
        drawn, kind="svg", scale=8, border=4, xmldecl=False, svgns=False, nl=False, omitsize=True
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704 - drawn here, from our own code


def _who(caller: Caller) -> int:
    assert caller.customer_id is not None, "these pages are for customers alone"
    return caller.customer_id


def _show_zone(session: Session, caller: Caller) -> None:
    found = programmes.find_membership(session, _who(caller))
    if found is not None:
        show_zone(found[0].zone_name)


def _read(session: Session, caller: Caller) -> tuple[list[Coupon], list[Coupon]]:
    """Return the caller's coupons that may be used, the soonest to expire first, and the others."""
    found = programmes.find_membership(session, _who(caller))
    if found is None:
        return [], []
    show_zone(found[0].zone_name)
    held = queries.list_coupons(session, found[0], _who(caller), before=None, limit=MOST)
    usable = [coupon for coupon in held if coupon.state in USABLE]
    over = [coupon for coupon in held if coupon.state not in USABLE]
    return sorted(usable, key=lambda coupon: coupon.valid_until), over


def _list_claimable(session: Session, caller: Caller) -> list[series.Series]:
    found = programmes.find_membership(session, _who(caller))
    if found is None:
        return []
    listed = series.list_series(session, found[0], before=None, limit=MOST)
    return [one for one in listed if one.terms.claimable and not one.is_halted]
