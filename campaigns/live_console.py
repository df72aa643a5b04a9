"""One campaign for staff: whom it reaches, proposing and launching it, how it goes, stopping it."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, render_template
from marshmallow import Schema
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

import ledger
from campaigns import (
    approval,
    describing,
    form_words,
    launching,
    previewing,
    queries,
    results,
    stopping,
)
from campaigns.console import MAKER, ONE, READERS, path_of, show_finding
from campaigns.fields import Plain
from campaigns.queries import Campaign, Launch
from campaigns.rules import CONTROL
from loyalty import audit, outbox, programmes, proposals, staff
from loyalty.proposals import Proposal
from loyalty.web import Access, Bilingual, Caller, Kind, Refused, ids, words
from loyalty.web.screens import screen, see
from loyalty.web.sites import panel

blueprint = Blueprint("campaign_console", __name__, template_folder="templates")

STOPPERS = Access.browser(
    Kind.STAFF,
    *("marketing_maker", "marketing_checker", "consumer_protection", "compliance"),
    *("publicity", "operations", "head_office"),
)
RESTARTERS = Access.browser(Kind.STAFF, "marketing_maker", "marketing_checker")
KINDS = ("campaign.launch", "campaign.launch-public", "campaign.restart")


class ReasonForm(Schema):
    """Why, in words that name no customer."""

    reason = Plain(500, lines=True, required=True)


@screen(blueprint, "GET", ONE, access=READERS, summary=("一个营销活动", "One campaign"))
def get_campaign(session: Session, caller: Caller, campaign_id: int) -> str:
    """Show a campaign in its newest version, and what its reader may do with it now."""
    campaign = queries.read_campaign(session, campaign_id)
    zone = programmes.find_programme(session, campaign.programme).zone
    words.show_zone(zone.key)
    preview = previewing.newest_preview(session, campaign)
    return render_template(
        "campaigns/one.html",
        campaign=campaign,
        number=ids.encode("cmp", campaign_id),
        lines=describing.describe(campaign.document, words.moment),
        shown=describing.show_messages(campaign.type, campaign.document, zone),
        findings_found=[show_finding(one) for one in campaign.findings],
        preview=preview,
        run=None
        if preview is None
        else outbox.find_run(session, previewing.RUN, "preview", preview.id),
        counts=_count(session, campaign, preview),
        asked=_asked(session, campaign_id),
        may_make=bool(MAKER.roles & caller.roles),
        may_stop=bool(STOPPERS.roles & caller.roles),
        may_restart=bool(RESTARTERS.roles & caller.roles),
        words=form_words,
        **_read_live(session, campaign),
    )


def _asked(session: Session, campaign_id: int) -> list[Proposal]:
    subject = ids.encode("cmp", campaign_id)
    return proposals.list_proposals(
        session, KINDS, before=None, limit=10, subject_type="campaign", subject_id=subject
    )


def _count(
    session: Session, campaign: Campaign, preview: previewing.Preview | None
) -> list[tuple[Bilingual, int, str]]:
    """Return the parts of a preview's total, each with its number: they add up to it."""
    if preview is None or preview.total is None:
        return []
    reasons = sorted((preview.excluded or {}).items(), key=lambda one: -one[1])
    said = _say(session, campaign, preview.excluded or {})
    return [
        (form_words.OUTCOME_WORDS["sendable"], preview.sendable or 0, "good"),
        (form_words.OUTCOME_WORDS["deferred"], preview.deferred or 0, ""),
        (form_words.OUTCOME_WORDS["control"], preview.control or 0, ""),
        *((said[rule], people, "out") for rule, people in reasons),
    ]


def _say(session: Session, campaign: Campaign, rules: Iterable[str]) -> dict[str, Bilingual]:
    """Return what each rule gives as its reason, in the words of the pack in force."""
    pack = previewing.find_pack(session)
    document = campaign.document
    ways = [form_words.CHANNEL_WORDS[name] for name in document["channels"]]
    told = {
        language: {
            "purpose": document["purpose"] or "",
            "channel": "/".join(getattr(way, language) for way in ways),
        }
        for language in ("zh", "en")
    }
    return {rule: Bilingual(*(pack.say(rule, told[name])[name] for name in told)) for rule in rules}


def _read_live(session: Session, campaign: Campaign) -> dict[str, Any]:
    launch = queries.find_launch(session, campaign.id)
    if launch is None:
        return {"launch": None, "reach": None, "budget": None, "stops": [], "names": {}}
    stops = stopping.list_stops(session, campaign.id)
    return {
        "launch": launch,
        "reach": outbox.find_run(session, launching.RUN, "launch", launch.id),
        "budget": _read_budget(session, campaign, launch),
        "stops": stops,
        "names": staff.names_of(session, {launch.launched_by, *(stop.done_by for stop in stops)}),
    }


def _read_budget(session: Session, campaign: Campaign, launch: Launch) -> dict[str, Any] | None:
    """Return what was approved and what of it is left, in the budget's unit."""
    budget, funded = campaign.document.get("budget"), launch.means.get("budget")
    if budget is None or funded is None:
        return None
    left = ledger.read_balance(session, funded["wallet"]).available
    return {"unit": budget["unit"], "amount": budget["amount"], "left": left}


@screen(
    blueprint,
    "POST",
    f"{ONE}/previews",
    access=MAKER,
    idempotent=True,
    again=get_campaign,
    summary=("统计人群", "Count the audience"),
)
def post_preview(session: Session, caller: Caller, campaign_id: int) -> Response:
    """Begin to ask the gate about everybody in the audience; nothing is sent."""
    campaign = queries.read_campaign(session, campaign_id)
    preview_id = previewing.start(session, campaign, proposals.staff_id(caller), caller.id)
    detail = {"campaign": ids.encode("cmp", campaign_id), "version": campaign.version}
    audit.record(session, caller, "campaign.previewed", "preview", preview_id, detail)
    return see(path_of(campaign_id))


@screen(
    blueprint,
    "POST",
    f"{ONE}/submission",
    access=MAKER,
    idempotent=True,
    again=get_campaign,
    confirmed=True,
    summary=("提交审批", "Put up for approval"),
)
def post_submission(session: Session, caller: Caller, campaign_id: int) -> Response:
    """Put the newest version with its newest preview before those who approve."""
    campaign = queries.read_campaign(session, campaign_id)
    proposal = approval.submit(session, caller, campaign, _preview(session, campaign))
    audit.record(session, caller, "campaign.submitted_on_page", "campaign", campaign_id)
    return see(f"/console/proposals/{ids.encode('prp', proposal.id)}")


@screen(
    blueprint,
    "POST",
    f"{ONE}/launch",
    access=MAKER,
    idempotent=True,
    again=get_campaign,
    confirmed=True,
    summary=("发布活动", "Launch a campaign"),
)
def post_launch(session: Session, caller: Caller, campaign_id: int) -> Response:
    """Let what was approved go; people are reached in a run behind it."""
    campaign = queries.read_campaign(session, campaign_id)
    launch_id = launching.launch(session, caller, campaign, _preview(session, campaign))
    detail = {"version": campaign.version, "launch": ids.encode("lch", launch_id)}
    audit.record(session, caller, "campaign.launched", "campaign", campaign_id, detail)
    return see(path_of(campaign_id))


def _preview(session: Session, campaign: Campaign) -> int:
    found = previewing.newest_preview(session, campaign)
    if found is None:
        raise Refused("preview-needed")
    return found.id


@screen(
    blueprint,
    "POST",
    f"{ONE}/stop",
    access=STOPPERS,
    form=ReasonForm,
    idempotent=True,
    again=get_campaign,
    summary=("紧急停止活动", "Stop a campaign at once"),
)
def post_stop(
    session: Session, caller: Caller, campaign_id: int, entered: dict[str, str]
) -> Response:
    """Hold back everything that has not left; one person suffices."""
    stopping.stop(session, caller, campaign_id, entered["reason"])
    audit.record(session, caller, "campaign.stopped", "campaign", campaign_id, {})
    return see(path_of(campaign_id) if READERS.roles & caller.roles else "/console")


@screen(
    blueprint,
    "POST",
    f"{ONE}/restart",
    access=RESTARTERS,
    form=ReasonForm,
    idempotent=True,
    confirmed=True,
    again=get_campaign,
    summary=("提议重启活动", "Propose to restart a campaign"),
)
def post_restart(
    session: Session, caller: Caller, campaign_id: int, entered: dict[str, str]
) -> Response:
    """Propose that a stopped campaign goes on; somebody else agrees."""
    proposal = stopping.propose_restart(session, caller, campaign_id, entered["reason"])
    audit.record(session, caller, "campaign.restart_proposed_on_page", "campaign", campaign_id)
    return see(f"/console/proposals/{ids.encode('prp', proposal.id)}")


@screen(blueprint, "GET", f"{ONE}/results", access=READERS, summary=("活动效果", "Results"))
def get_results(session: Session, campaign_id: int) -> str:
    """Show what came of each arm, and how its buyers compare with the control group's."""
    campaign = queries.read_campaign(session, campaign_id)
    launch = queries.find_launch(session, campaign_id)
    if launch is None:
        raise Refused("campaign-not-launched")
    return render_template(
        "campaigns/results.html",
        campaign=campaign,
        number=ids.encode("cmp", campaign_id),
        arms=results.read_results(session, campaign, launch),
        control=CONTROL,
    )


@panel("console-proposal", 10, "campaigns/proposal_panel.html", READERS)
def read_proposal_panel(session: Session, proposal: Proposal) -> Mapping[str, Any] | None:
    """Return what a proposed campaign changes against what was approved before it."""
    if proposal.subject_type != "campaign" or "version" not in proposal.content:
        return None
    number = ids.decode("cmp", proposal.subject_id)
    campaign = queries.read_campaign(session, number, proposal.content["version"])
    zone = programmes.find_programme(session, campaign.programme).zone
    words.show_zone(zone.key)
    earlier = approval.approved_before(session, campaign)
    preview = previewing.read_preview(session, proposal.content["preview"])
    return {
        "campaign": campaign,
        "earlier": earlier,
        "number": proposal.subject_id,
        "lines": _compare(campaign, earlier),
        "shown": describing.show_messages(campaign.type, campaign.document, zone),
        "counts": _count(session, campaign, preview),
        "total": preview.total,
        "words": form_words,
    }


def _compare(campaign: Campaign, earlier: Campaign | None) -> list[tuple[Any, Any, Any]]:
    """Return each line of a campaign: its label, what it was, what it is."""
    now = describing.describe(campaign.document, words.moment)
    was = {} if earlier is None else dict(describing.describe(earlier.document, words.moment))
    return [(label, was.get(label), text) for label, text in now]
