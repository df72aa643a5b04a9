"""The home pages of the sites, and the choice of language: what no slice owns alone."""

from flask import Blueprint, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from loyalty.web import cookies, words
from loyalty.web.access import Access, Caller, Kind
from loyalty.web.endpoints import page
from loyalty.web.screens import local, screen
from loyalty.web.sites import Menu, read_panels

blueprint = Blueprint("homes", __name__, template_folder="templates")

A_YEAR = 366 * 24 * 60 * 60
CUSTOMER_HOME = "customer-home"
STAFF_HOME = "staff-home"


@page(
    blueprint,
    "GET",
    "/",
    access=Access.public(),
    summary=(
        "入口：客户、员工、商户、开发者",
        "Where everybody begins",
    ),
)
def get_start() -> str:
    """Lead everybody to their pages."""
    return render_template("web/start.html")


@page(
    blueprint,
    "GET",
    "/language/{code}",
    access=Access.public(),
    summary=("切换页面语言", "Change the language of the pages"),
)
def get_language(code: str) -> Response:
    """Remember the language, and go back to where the reader was."""
    if code not in (*words.LANGUAGES, words.PSEUDO):
        raise NotFound
    response = redirect(local(request.args.get("next"), "/"), 303)
    response.set_cookie(
        words.COOKIE, code, max_age=A_YEAR, secure=cookies.is_https(), httponly=True, samesite="Lax"
    )
    return response


@screen(
    blueprint,
    "GET",
    "/my",
    access=Access.browser(Kind.CUSTOMER),
    menu=Menu(0, "home"),
    summary=("首页", "Home"),
)
def get_my_home(session: Session, caller: Caller) -> str:
    """Show a customer card, points, benefits and what else they have, at a glance."""
    panels = read_panels(CUSTOMER_HOME, session, caller)
    return render_template("web/home.html", panels=panels)


@screen(
    blueprint,
    "GET",
    "/console",
    access=Access.browser(Kind.STAFF),
    menu=Menu(0, "home", key="h"),
    summary=("首页", "Home"),
)
def get_console_home(session: Session, caller: Caller) -> str:
    """Show a member of staff what waits for them, and the programme's day."""
    panels = read_panels(STAFF_HOME, session, caller)
    return render_template("web/home.html", panels=panels)
