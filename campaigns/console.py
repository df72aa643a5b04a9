"""Campaigns for marketing staff: the list and the guided form, checked while it is filled in."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from campaigns import (
    describing,
    drafting,
    form_words,
    linting,
    products,
    queries,
)
from campaigns.audience import CATALOGUE
from campaigns.form_filling import fill_in
from campaigns.form_places import place
from campaigns.forms import KEPT, PRIZES, ROWS, Form, load, load_what_can_be
from campaigns.models import STATES
from campaigns.queries import Campaign
from campaigns.rules import CHANNELS, LANGUAGES
from loyalty import audit, benefits, consent, coupons, programmes, tiers
from loyalty.programmes import Programme
from loyalty.web import Access, Bilingual, Caller, Kind, Refused, cursors, ids, words
from loyalty.web.fields import PublicId
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu

blueprint = Blueprint("campaigns_console", __name__, template_folder="templates")

LIST = "/console/campaigns"
ONE = "/console/campaigns/{campaign_id}"
A_PAGE = 50
MOST = 200
MAKER = Access.browser(Kind.STAFF, "marketing_maker")
READERS = Access.browser(
    Kind.STAFF,
    *("marketing_maker", "marketing_checker", "consumer_protection", "publicity"),
    *("compliance", "budget_approver", "analyst", "auditor"),
)
_CURSOR = "console-campaigns"


class LookForm(Form):  # type: ignore[valid-type,misc]  # made from a list of names
    """The form as it stands, with the campaign that it edits."""

    campaign = PublicId("cmp", load_default=None)


@screen(
    blueprint,
    "GET",
    LIST,
    access=READERS,
    menu=Menu(20, "message", key="m", group="2-programme"),
    summary=("营销活动", "Campaigns"),
)
def get_campaigns(session: Session, caller: Caller) -> str:
    """List campaigns, newest first, all or those in a state."""
    wanted = request.args.get("state")
    state = wanted if wanted in STATES else None
    position = cursors.read(_CURSOR, request.args.get("cursor"))
    before = position[0] if position else None
    found = queries.list_campaigns(session, before=before, limit=A_PAGE, state=state)
    return render_template(
        "campaigns/list.html",
        campaigns=found,
        state=state,
        older=cursors.sign(_CURSOR, [found[-1].id]) if len(found) == A_PAGE else None,
        may_make=bool(MAKER.roles & caller.roles),
        words=form_words,
    )


@screen(blueprint, "GET", f"{LIST}/new", access=MAKER, summary=("新建活动", "A new campaign"))
def get_new(session: Session) -> str:
    """Show the empty form."""
    return _show_form(session, None, {"join": "all", "channel_in_app": "1", "control": "10"})


@screen(
    blueprint,
    "POST",
    LIST,
    access=MAKER,
    form=Form,
    idempotent=True,
    again=get_new,
    summary=("新建活动", "A new campaign"),
)
def post_new(session: Session, caller: Caller, entered: dict[str, str]) -> Response:
    """Keep a draft; what is wrong with it stands on its page and keeps it from being proposed."""
    programme = _programme(session, entered.get("programme"))
    document = load(entered, programme.zone)
    saved = drafting.open_campaign(
        session, caller, programme, _code(entered["code"]), entered["type"], document
    )
    return _record_saved(session, caller, saved)


@screen(blueprint, "GET", f"{ONE}/edit", access=MAKER, summary=("修改活动", "Edit a campaign"))
def get_edit(session: Session, campaign_id: int) -> str:
    """Show the form with the newest version in it."""
    campaign = queries.read_campaign(session, campaign_id)
    programme = programmes.find_programme(session, campaign.programme)
    shown = fill_in(campaign.document, programme.zone)
    return _show_form(session, campaign, {**shown, "type": campaign.type})


@screen(
    blueprint,
    "POST",
    f"{ONE}/edit",
    access=MAKER,
    form=Form,
    idempotent=True,
    again=get_edit,
    summary=("修改活动", "Edit a campaign"),
)
def post_edit(
    session: Session, caller: Caller, campaign_id: int, entered: dict[str, str]
) -> Response:
    """Keep the next version; whatever was approved before is void."""
    campaign = queries.read_campaign(session, campaign_id)
    programme = programmes.find_programme(session, campaign.programme)
    entered = {**entered, "type": campaign.type}
    document = load(entered, programme.zone, campaign.document)
    seen = int(entered["version"]) if entered["version"].isdecimal() else 0
    return _record_saved(
        session, caller, drafting.save_version(session, caller, campaign, seen, document)
    )


@screen(
    blueprint,
    "POST",
    f"{LIST}/look",
    access=MAKER,
    form=LookForm,
    summary=("检查与预览", "Check and preview"),
    not_idempotent="reads what stands in the form and writes nothing",
)
def post_look(session: Session, entered: dict[str, Any]) -> str:
    """Show what is wrong with the form as it stands, and each message as it would arrive."""
    number = entered.pop("campaign")
    campaign = None if number is None else queries.read_campaign(session, number)
    kind = entered["type"] if campaign is None else campaign.type
    kept = None if campaign is None else campaign.document
    programme = _programme(session, entered.get("programme"))
    document, faults = load_what_can_be({**entered, "type": kind}, programme.zone, kept)
    frozen = drafting.freeze(session, kind, document)
    findings = [one.dump() for one in linting.lint(session, programme, kind, frozen)]
    wrong = {place(fault["pointer"]) for fault in faults}
    said = [one for one in findings if place(one["pointer"]) not in wrong]
    return render_template(
        "campaigns/look.html",
        found=[*map(_fault, faults), *map(show_finding, said)],
        shown=describing.show_messages(kind, frozen, programme.zone),
        audience=describing.describe_audience(frozen),
        offer=describing.describe_offer(frozen),
        words=form_words,
    )


def _record_saved(session: Session, caller: Caller, saved: Campaign) -> Response:
    detail = {"version": saved.version, "digest": saved.digest.hex()}
    audit.record(session, caller, "campaign.saved", "campaign", saved.id, detail)
    return see(path_of(saved.id))


def path_of(campaign_id: int) -> str:
    return ONE.format(campaign_id=ids.encode("cmp", campaign_id))


def _code(text: str) -> str:
    """Return a campaign's code. Raises `Refused` naming the field."""
    is_code = 1 <= len(text) <= 60 and text.isascii() and text[0].islower()
    if not (is_code and text.replace("-", "").replace("_", "").isalnum() and text == text.lower()):
        raise Refused(
            "invalid-content",
            errors=[{"pointer": "/code", "code": "code", "detail": _CODE_WORDS}],
        )
    return text


_CODE_WORDS = (
    "须以小写字母开头,只含小写字母、数字、- 和 _",
    "takes lower-case letters, digits, - and _, a letter first",
)


def _programme(session: Session, code: str | None) -> Programme:
    return programmes.choose_programme(session, code or None, programmes.IN_BODY)


def _show_form(session: Session, campaign: Campaign | None, shown: Mapping[str, str]) -> str:
    programme = _programme(session, campaign.programme if campaign else None)
    words.show_zone(programme.zone_name)
    return render_template(
        "campaigns/form.html",
        campaign=campaign,
        shown=shown,
        words=form_words,
        kept=KEPT,
        rows=ROWS,
        prizes=PRIZES,
        channels=CHANNELS,
        languages=LANGUAGES,
        catalogue=[field for field in CATALOGUE if field.marketing],
        **_choices(session, programme),
    )


def _choices(session: Session, programme: Programme) -> dict[str, Any]:
    """Return what the form lets one choose among."""
    purposes = consent.read_purposes(session).values()
    return {
        "purposes": [purpose for purpose in purposes if purpose.is_marketing],
        "series": coupons.list_series(session, programme, before=None, limit=MOST),
        "benefits": benefits.list_offers(session, programme),
        "products": products.list_products(session),
        "tiers": tiers.ladder_in_force(session, programme).tiers,
    }


def _fault(fault: Mapping[str, Any]) -> dict[str, Any]:
    field = place(fault["pointer"])
    detail = Bilingual(*fault["detail"])
    return {"field": field, "label": form_words.name_field(field), "detail": detail, "bad": True}


def show_finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    field = place(finding["pointer"])
    return {
        "field": field,
        "label": form_words.name_field(field),
        "detail": (finding["detail"]["zh"], finding["detail"]["en"]),
        "bad": finding["severity"] == linting.BLOCK,
    }
