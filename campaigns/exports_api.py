"""What came of a campaign as files: arms for everybody who reads results, members for few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from flask import Blueprint, Response, send_file
from marshmallow import Schema
from sqlalchemy.orm import Session

from campaigns import api, evidence, results
from campaigns.api import READERS, SEE_PERSONS
from campaigns.dumps import dump_row
from campaigns.intervals import Interval
from campaigns.queries import Campaign, Launch
from campaigns.results import CLICKS_OF_NOBODY, FLAGS, SUMS
from loyalty import audit
from loyalty.database import transaction
from loyalty.web import Access, Caller, endpoint, ids, page, sheets
from loyalty.web.sheets import XLSX, Cells

blueprint = Blueprint("campaign_exports", __name__)

COUNTS = (*FLAGS, *SUMS, CLICKS_OF_NOBODY)
SHARES = ("buyers", "effect")
BOUNDS = ("estimate", "low", "high")
ARM_COLUMNS = ("arm", "members", *COUNTS, *(f"{s}_{b}_ppm" for s in SHARES for b in BOUNDS))
ROW_COLUMNS = ("customer_id", "arm", "primary_rule", "refusal", *FLAGS, *SUMS)
MONEY = frozenset({"amount", "cost"})
_PROBLEMS = ("campaign-not-launched",)


class CampaignEvidenceSchema(Schema):
    """What a supervisor asks of a campaign; its form is named inside, and no customer is."""

    class Meta:
        """What is inside depends on what happened."""

        unknown = "include"


Rows = Callable[[Session, Campaign, Launch], Iterator[Cells]]


@page(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/results.csv",
    access=READERS,
    media_type="text/csv",
    summary=("下载活动效果(CSV)", "Download results by arm as CSV"),
    problems=_PROBLEMS,
)
def get_results_csv(caller: Caller, campaign_id: int) -> Response:
    """Answer one line for each arm, amounts as decimals, shares in parts of a million."""
    return _send(caller, campaign_id, "results", "csv", ARM_COLUMNS, _arms)


@page(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/results.xlsx",
    access=READERS,
    media_type=XLSX,
    summary=("下载活动效果(XLSX)", "Download results by arm as a workbook"),
    problems=_PROBLEMS,
)
def get_results_xlsx(caller: Caller, campaign_id: int) -> Response:
    """Answer the same as a workbook whose numbers are numbers."""
    return _send(caller, campaign_id, "results", "xlsx", ARM_COLUMNS, _arms)


@page(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/results/members.csv",
    access=SEE_PERSONS,
    media_type="text/csv",
    summary=("下载效果明细(CSV)", "Download the members behind the results as CSV"),
    problems=_PROBLEMS,
)
def get_members_csv(caller: Caller, campaign_id: int) -> Response:
    """Answer one line for each member, by number and without names; it is recorded."""
    return _send(caller, campaign_id, "members", "csv", ROW_COLUMNS, _members)


@page(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/results/members.xlsx",
    access=SEE_PERSONS,
    media_type=XLSX,
    summary=("下载效果明细(XLSX)", "Download the members behind the results as a workbook"),
    problems=_PROBLEMS,
)
def get_members_xlsx(caller: Caller, campaign_id: int) -> Response:
    """Answer the same as a workbook; what is beyond a worksheet's rows is to be had as CSV."""
    return _send(caller, campaign_id, "members", "xlsx", ROW_COLUMNS, _members)


@endpoint(
    blueprint,
    "GET",
    "/v1/campaigns/{campaign_id}/evidence",
    access=Access.staff("compliance", "consumer_protection", "auditor"),
    answer=CampaignEvidenceSchema,
    summary=("查看活动证据(监管口径)", "Read a campaign's evidence for supervisors"),
    problems=_PROBLEMS,
)
def get_evidence(session: Session, caller: Caller, campaign_id: int) -> dict[str, Any]:
    """Answer approvals, rules with counts, what was blocked, and how refusals took effect."""
    found = evidence.evidence_of_campaign(session, *api.launched(session, campaign_id))
    audit.record(session, caller, "evidence.read", "campaign", campaign_id)
    return found


def _send(
    caller: Caller, campaign_id: int, what: str, ending: str, columns: Sequence[str], rows: Rows
) -> Response:
    with transaction() as session:
        campaign, launch = api.launched(session, campaign_id)
        file = _write(what, ending, columns, rows(session, campaign, launch))
        detail = {"what": what, "as": ending}
        audit.record(session, caller, "campaign.results_exported", "campaign", campaign_id, detail)
    name = f"{ids.encode('cmp', campaign_id)}-{what}.{ending}"
    media_type = XLSX if ending == "xlsx" else "text/csv"
    return send_file(file, media_type, as_attachment=True, download_name=name)


def _write(what: str, ending: str, columns: Sequence[str], rows: Iterator[Cells]) -> IO[bytes]:
    if ending == "xlsx":
        some = (row for _, row in zip(range(sheets.MOST_ROWS), rows, strict=False))
        return sheets.write_xlsx(what, columns, some, MONEY)
    return sheets.write_csv(columns, rows, MONEY)


def _arms(session: Session, campaign: Campaign, launch: Launch) -> Iterator[Cells]:
    for arm in results.read_results(session, campaign, launch):
        counts = [arm.counts[name] for name in COUNTS]
        yield [arm.name, arm.members, *counts, *_parts(arm.buyers), *_parts(arm.effect)]


def _parts(found: Interval | None) -> list[int | None]:
    if found is None:
        return [None, None, None]
    return [round(value * 1_000_000) for value in (found.estimate, found.low, found.high)]


def _members(session: Session, campaign: Campaign, launch: Launch) -> Iterator[Cells]:
    for row in results.every_row(session, campaign, launch):
        told: dict[str, Any] = dump_row(row)
        yield [
            *(told[name] for name in ("customer_id", "arm", "primary_rule", "refusal")),
            *(int(bool(row[flag])) for flag in FLAGS),
            *(told[name] for name in SUMS),
        ]
