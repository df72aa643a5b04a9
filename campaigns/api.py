"""Campaigns for marketing staff: drafting, trying, submitting, launching, stopping, results."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from campaigns import (
    approval,
    drafting,
    launching,
    previewing,
    products,
    queries,
    results,
    stopping,
)
from campaigns.dumps import (
    dump_answer,
    dump_campaign,
    dump_launch,
    dump_member,
    dump_preview,
    dump_results,
    dump_row,
)
from campaigns.queries import Campaign, Launch
from campaigns.schemas import (
    AudiencePageSchema,
    CampaignAnswerSchema,
    CampaignDocumentSchema,
    CampaignSchema,
    CampaignsPageSchema,
    CampaignsQuery,
    LaunchSchema,
    MembersQuery,
    NewCampaignSchema,
    NewLaunchSchema,
    NewPreviewSchema,
    NewProductSchema,
    NewSubmissionSchema,
    NewVersionSchema,
    PreviewSchema,
    ReasonSchema,
    ResultRowsPageSchema,
    ResultRowsQuery,
    ResultsSchema,
)
from loyalty import audit, customers, programmes, proposals
from loyalty.proposals import ProposalSchema
from loyalty.web import Access, Answer, Caller, NotFound, Refused, cursors, endpoint, ids

blueprint = Blueprint("campaigns", __name__)

MAKER = Access.staff("marketing_maker")
READERS = Access.staff(
    *("marketing_maker", "marketing_checker", "consumer_protection", "publicity"),
    *("compliance", "budget_approver", "analyst", "auditor"),
)
SEE_PERSONS = Access.staff("compliance", "consumer_protection", "auditor")
"""Who may see which customers an audience holds; all others see how many."""
_LIST = "campaigns"
_MEMBERS, _ROWS = "preview-members", "result-members"
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

    def find(before: int | None, limit: int) -> list[Campaign]:
        return queries.list_campaigns(session, before=before, limit=limit, state=query["state"])

    return cursors.newest(_LIST, query, find, dump_campaign)


@endpoint(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}",
    access=READERS,
    answer=CampaignSchema,
    summary=("查看一个营销活动", "Read a campaign"),
    reading=True,
    tagged=True,
)
def get_campaign(session: Session, campaign_id: int) -> dict[str, Any]:
    """Answer a campaign in its newest version, with what is wrong with it."""
    return dump_campaign(queries.read_campaign(session, campaign_id))


def _hold_campaign(session: Session, campaign_id: int) -> dict[str, Any]:
    drafting.lock(session, campaign_id)
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
    edits=_hold_campaign,
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
    "/v1/campaigns/{campaign_id}/previews",
    access=MAKER,
    body=NewPreviewSchema,
    answer=PreviewSchema,
    status=202,
    idempotent=True,
    summary=("预览活动人群", "Preview a campaign's audience"),
    problems=("version-moved", "campaign-blocked"),
)
def post_preview(
    session: Session, caller: Caller, campaign_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Begin to ask the gate about everybody in the audience; nothing is sent."""
    campaign = queries.read_campaign(session, campaign_id)
    if campaign.version != body["version"]:
        raise Refused("version-moved")
    preview_id = previewing.start(session, campaign, proposals.staff_id(caller), caller.id)
    detail = {"campaign": ids.encode("cmp", campaign_id), "version": campaign.version}
    audit.record(session, caller, "campaign.previewed", "preview", preview_id, detail)
    return dump_preview(previewing.read_preview(session, preview_id))


@endpoint(
    blueprint,
    "GET",
    "/v1/campaign-previews/{preview_id}",
    access=READERS,
    answer=PreviewSchema,
    summary=("查看人群预览", "Read a preview"),
    reading=True,
)
def get_preview(session: Session, preview_id: int) -> dict[str, Any]:
    """Answer how far a preview is, and what it comes to: its parts add up to its total."""
    return dump_preview(previewing.read_preview(session, preview_id))


@endpoint(
    blueprint,
    "GET",
    "/v1/campaign-previews/{preview_id}/members",
    access=SEE_PERSONS,
    query=MembersQuery,
    answer=AudiencePageSchema,
    summary=("查看预览中的客户", "See the people in a preview"),
    problems=("invalid-cursor",),
)
def get_preview_members(
    session: Session, caller: Caller, preview_id: int, query: dict[str, Any]
) -> Answer:
    """Answer one page of the customers behind a number, each with its reasons; it is recorded."""
    previewing.read_preview(session, preview_id)
    position = cursors.read(_MEMBERS, query["cursor"])
    found = previewing.list_members(
        session,
        preview_id,
        after=position[0] if position else 0,
        limit=query["limit"] + 1,
        outcome=query["outcome"],
        rule=query["rule"],
    )
    detail = {"outcome": query["outcome"], "rule": query["rule"], "shown": len(found)}
    audit.record(session, caller, "campaign.members_seen", "preview", preview_id, detail)
    return cursors.page_of(
        _MEMBERS,
        found,
        query["limit"],
        position=lambda one: [one.customer_id],
        dump=dump_member,
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/customers/{reference}",
    access=SEE_PERSONS,
    answer=CampaignAnswerSchema,
    summary=("查询为何(不)联系某客户", "Ask why a customer is, or is not, written to"),
)
def get_reasons(
    session: Session, caller: Caller, campaign_id: int, reference: str
) -> dict[str, Any]:
    """Answer what the gate says of one customer now, each rule that fires in words."""
    campaign = queries.read_campaign(session, campaign_id)
    previewing.refuse_incomplete(campaign)
    number = customers.find_by_reference(session, [reference]).get(reference)
    judged = None if number is None else previewing.ask_one(session, campaign, number)
    if judged is None:
        raise NotFound
    detail = {"customer": ids.encode("cus", judged.customer_id)}
    audit.record(session, caller, "campaign.customer_asked", "campaign", campaign_id, detail)
    return dump_answer(judged, previewing.find_pack(session), campaign.document["purpose"])


@endpoint(
    blueprint,
    "POST",
    "/v1/campaigns/{campaign_id}/submissions",
    access=MAKER,
    body=NewSubmissionSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提交活动审批", "Submit a campaign for approval"),
    problems=(
        "version-moved",
        "campaign-launched",
        "campaign-blocked",
        "preview-needed",
        "nobody-to-reach",
    ),
)
def post_submission(
    session: Session, caller: Caller, campaign_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Put exactly this version and preview before those who approve; any edit makes it stale."""
    campaign = _newest(session, campaign_id, body["version"])
    return proposals.dump_proposal(approval.submit(session, caller, campaign, body["preview_id"]))


def _newest(session: Session, campaign_id: int, seen: int) -> Campaign:
    campaign = queries.read_campaign(session, campaign_id)
    if campaign.version != seen:
        raise Refused("version-moved")
    return campaign


@endpoint(
    blueprint,
    "POST",
    "/v1/campaigns/{campaign_id}/launch",
    access=MAKER,
    body=NewLaunchSchema,
    answer=LaunchSchema,
    status=201,
    idempotent=True,
    summary=("发布营销活动", "Launch a campaign"),
    problems=(
        "version-moved",
        "campaign-launched",
        "approval-needed",
        "preview-needed",
        "campaign-blocked",
    ),
)
def post_launch(
    session: Session, caller: Caller, campaign_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Let what was approved go, on a fresh preview; people are reached in a run behind it."""
    campaign = _newest(session, campaign_id, body["version"])
    launch_id = launching.launch(session, caller, campaign, body["preview_id"])
    detail = {"version": campaign.version, "launch": ids.encode("lch", launch_id)}
    audit.record(session, caller, "campaign.launched", "campaign", campaign_id, detail)
    running = queries.read_campaign(session, campaign_id)
    return dump_launch(running, queries.read_launch(session, launch_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/campaigns/{campaign_id}/stop",
    access=Access.staff(
        *("marketing_maker", "marketing_checker", "consumer_protection", "compliance"),
        *("publicity", "operations", "head_office"),
    ),
    body=ReasonSchema,
    answer=LaunchSchema,
    idempotent=True,
    summary=("紧急停止营销活动", "Stop a campaign at once"),
    problems=("campaign-not-launched", "campaign-stopped", "campaign-not-stopped"),
)
def post_stop(
    session: Session, caller: Caller, campaign_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Hold back everything that has not left; one person suffices, and needs no agreement."""
    stopping.stop(session, caller, campaign_id, body["reason"])
    audit.record(session, caller, "campaign.stopped", "campaign", campaign_id, {})
    return dump_launch(*launched(session, campaign_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/campaigns/{campaign_id}/restart",
    access=Access.staff("marketing_maker", "marketing_checker"),
    body=ReasonSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提出重启营销活动", "Propose to restart a campaign"),
    problems=("campaign-not-launched", "campaign-not-stopped"),
)
def post_restart(
    session: Session, caller: Caller, campaign_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose that a stopped campaign goes on; consumer protection or compliance agrees."""
    return proposals.dump_proposal(
        stopping.propose_restart(session, caller, campaign_id, body["reason"])
    )


def launched(session: Session, campaign_id: int) -> tuple[Campaign, Launch]:
    """Return a campaign with its launch. Raises `Refused` with `campaign-not-launched`."""
    campaign = queries.read_campaign(session, campaign_id)
    launch = queries.find_launch(session, campaign_id)
    if launch is None:
        raise Refused("campaign-not-launched")
    return campaign, launch


@endpoint(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/results",
    access=READERS,
    answer=ResultsSchema,
    summary=("查看活动效果", "See what came of a campaign"),
    problems=("campaign-not-launched",),
    reading=True,
)
def get_results(session: Session, campaign_id: int) -> dict[str, Any]:
    """Answer what came of each arm, and how its buyers compare with the control group's."""
    campaign, launch = launched(session, campaign_id)
    return dump_results(campaign, launch, results.read_results(session, campaign, launch))


@endpoint(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/results/members",
    access=SEE_PERSONS,
    query=ResultRowsQuery,
    answer=ResultRowsPageSchema,
    summary=("查看效果数字背后的客户", "See the members behind a result"),
    problems=("invalid-cursor", "campaign-not-launched"),
)
def get_result_rows(
    session: Session, caller: Caller, campaign_id: int, query: dict[str, Any]
) -> Answer:
    """Answer one page of the members that a number counts; it is recorded."""
    campaign, launch = launched(session, campaign_id)
    position = cursors.read(_ROWS, query["cursor"])
    found = results.list_rows(
        session,
        campaign,
        launch,
        arm=query["arm"],
        flag=query["what"],
        after=position[0] if position else 0,
        limit=query["limit"] + 1,
    )
    detail = {"arm": query["arm"], "what": query["what"], "shown": len(found)}
    audit.record(session, caller, "campaign.members_seen", "campaign", campaign_id, detail)
    return cursors.page_of(
        _ROWS,
        found,
        query["limit"],
        position=lambda row: [row["customer_id"]],
        dump=dump_row,
    )


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
