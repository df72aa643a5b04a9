"""The policy pack as staff read it: each rule with its source, severity and texts."""

from itertools import groupby
from operator import attrgetter

from flask import Blueprint, render_template
from sqlalchemy.orm import Session

from loyalty.policy import packs
from loyalty.settings import settings
from loyalty.web import Access, Kind, Refused
from loyalty.web.screens import screen
from loyalty.web.sites import Menu

blueprint = Blueprint("policy_console", __name__, template_folder="templates")


@screen(
    blueprint,
    "GET",
    "/console/policy",
    access=Access.browser(Kind.STAFF),
    menu=Menu(50, "shield", key="y", group="2-programme"),
    summary=("合规规则", "Policy rules"),
)
def get_pack(session: Session) -> str:
    """Show the pack in force, its rules by group, in the order in which the pack has them."""
    pack = _in_force(session)
    ordered = sorted(pack.rules, key=attrgetter("group"))
    groups = [(name, list(rules)) for name, rules in groupby(ordered, key=attrgetter("group"))]
    return render_template("policy/pack.html", pack=pack, groups=groups)


def _in_force(session: Session) -> packs.Pack:
    try:
        return packs.pack_in_force(session, settings().keys)
    except packs.NoPack:
        raise Refused("no-policy-pack") from None
