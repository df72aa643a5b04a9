"""Campaigns for marketing staff: drafting, trying, submitting, launching, stopping, results."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from campaigns import drafting, products, queries
from campaigns.dumps import dump_campaign
from campaigns.queries import Campaign
from campaigns.schemas import (
    CampaignDocumentSchema,
    CampaignSchema,
    CampaignsPageSchema,
    CampaignsQuery,
    NewCampaignSchema,
    NewProductSchema,
    NewVersionSchema,
)
from loyalty import audit, programmes, proposals
from loyalty.proposals import ProposalSchema
from loyalty.web import Access, Answer, Caller, cursors, endpoint

blueprint = Blueprint("campaigns", __name__)

MAKER = Access.staff("marketing_maker")
READERS = Access.staff(
    *("marketing_maker", "marketing_checker", "consumer_protection", "publicity"),
    *("compliance", "budget_approver", "analyst", "auditor"),
)
_LIST = "campaigns"
_SAVING = ("promo.deposit-reward", "invalid-content")
_DOCUMENT = CampaignDocumentSchema()


@endpoint(
    blueprint,
    "POST",
    "/v1/campaigns",
    access=MAKER,
    body=NewCampaignSchema,
    answer=CampaignSchema,
    status=201,
    idempotent=True,
    summary=("新建营销活动", "Open a campaign"),
    problems=("campaign-exists", "programme-needed", "not-found", *_SAVING),
)
def post_campaign(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Keep a draft with what was found wrong with it; findings refuse its submission only."""
    programme = programmes.choose_programme(session, body["programme"], programmes.IN_BODY)
    document = _DOCUMENT.dump(body["document"])
    saved = drafting.open_campaign(session, caller, programme, body["code"], body["type"], document)
    return _record_saved(session, caller, saved)


@endpoint(
    blueprint,
    "GET",
    "/v1/campaigns",
    access=READERS,
    query=CampaignsQuery,
    answer=CampaignsPageSchema,
    summary=("查看营销活动", "List campaigns"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_campaigns(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of campaigns in their newest versions, newest first."""
    position = cursors.read(_LIST, query["cursor"])
    found = queries.list_campaigns(
        session,
        before=position[0] if position else None,
        limit=query["limit"] + 1,
        state=query["state"],
    )
    return cursors.page_of(
        _LIST, found, query["limit"], position=lambda one: [one.id], dump=dump_campaign
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}",
    access=READERS,
    answer=CampaignSchema,
    summary=("查看一个营销活动", "Read a campaign"),
    reading=True,
)
def get_campaign(session: Session, campaign_id: int) -> dict[str, Any]:
    """Answer a campaign in its newest version, with what is wrong with it."""
    return dump_campaign(queries.read_campaign(session, campaign_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/campaigns/{campaign_id}/versions",
    access=MAKER,
    body=NewVersionSchema,
    answer=CampaignSchema,
    status=201,
    idempotent=True,
    summary=("修改营销活动", "Edit a campaign"),
    problems=("version-moved", "campaign-launched", *_SAVING),
)
def post_version(
    session: Session, caller: Caller, campaign_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Keep the next version of a campaign; whatever was approved before is void."""
    campaign = queries.read_campaign(session, campaign_id)
    document = _DOCUMENT.dump(body["document"])
    saved = drafting.save_version(session, caller, campaign, body["version"], document)
    return _record_saved(session, caller, saved)


def _record_saved(session: Session, caller: Caller, saved: Campaign) -> dict[str, Any]:
    detail = {"version": saved.version, "digest": saved.digest.hex()}
    audit.record(session, caller, "campaign.saved", "campaign", saved.id, detail)
    return dump_campaign(saved)


@endpoint(
    blueprint,
    "POST",
    "/v1/products",
    access=Access.staff("marketing_maker", "head_office"),
    body=NewProductSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提出产品资料", "Propose a product's facts"),
)
def post_product(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose what messages may state of a product; compliance agrees."""
    content = NewProductSchema().dump(body)
    return proposals.dump_proposal(products.propose_facts(session, caller, content))
