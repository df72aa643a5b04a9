"""Prize draws: published to everybody, held by two people, checked by whoever wants to."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from campaigns import drawing
from campaigns.drawing import Notice
from campaigns.draws_schemas import (
    NewDrawSchema,
    OwnTicketsSchema,
    PrizeDrawSchema,
    TicketsPageSchema,
    TicketsQuery,
)
from loyalty import audit, proposals
from loyalty.database import transaction
from loyalty.proposals import ProposalSchema
from loyalty.web import Access, Answer, Caller, cursors, endpoint, ids, page
from loyalty.web.fields import dump_instant

blueprint = Blueprint("prize_draws", __name__)

_LIST = "draw-tickets"
_LINES = 5_000
_COLUMNS = ("ticket", "prize", "place")


@endpoint(
    blueprint,
    "POST",
    "/v1/campaigns/{campaign_id}/draw",
    access=Access.staff("marketing_maker"),
    body=NewDrawSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提出开奖", "Propose to hold a campaign's draw"),
    problems=("campaign-not-launched", "draw-not-due"),
)
def post_draw(
    session: Session, caller: Caller, campaign_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose to draw at the published time; another person agrees, and a run does it."""
    made = drawing.propose_draw(session, caller, campaign_id, body["launch_id"])
    audit.record(session, caller, "campaign.draw_proposed", "campaign", campaign_id, {})
    return proposals.dump_proposal(made)


@endpoint(
    blueprint,
    "GET",
    "/v1/prize-draws/{launch_id}",
    access=Access.public(),
    answer=PrizeDrawSchema,
    summary=("查看抽奖公示", "Read what is published of a prize draw"),
    reading=True,
)
def get_draw(session: Session, launch_id: int) -> dict[str, Any]:
    """Answer the notice with the promised hash; once it was held, seed and hash of tickets."""
    return _dump(drawing.read_notice(session, launch_id))


def _dump(notice: Notice) -> dict[str, Any]:
    held = None
    if notice.drawn_at is not None and notice.seed is not None:
        held = {
            "seed": notice.seed.hex(),
            "tickets": notice.tickets,
            "tickets_digest": notice.tickets_digest,
            "drawn_at": dump_instant(notice.drawn_at),
        }
    return {
        "launch_id": ids.encode("lch", notice.launch_id),
        "names": notice.names,
        "starts_at": notice.starts_at,
        "ends_at": notice.ends_at,
        "notice": notice.notice,
        "digest": notice.digest.hex(),
        "commitment": notice.commitment,
        "published_at": dump_instant(notice.published_at),
        "held": held,
    }


@endpoint(
    blueprint,
    "GET",
    "/v1/prize-draws/{launch_id}/tickets",
    access=Access.public(),
    query=TicketsQuery,
    answer=TicketsPageSchema,
    summary=("查看抽奖券及中奖结果", "List the tickets of a draw and what they won"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_tickets(session: Session, launch_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of tickets, once the draw was held; a ticket names nobody."""
    drawing.read_notice(session, launch_id)
    position = cursors.read(_LIST, query["cursor"])
    after = position[0] if position else ""
    found = drawing.list_tickets(session, launch_id, after, query["limit"] + 1)
    return cursors.page_of(
        _LIST,
        found,
        query["limit"],
        position=lambda row: [row.ticket],
        dump=lambda row: {"ticket": row.ticket, "prize": row.prize, "place": row.place},
    )


@page(
    blueprint,
    "GET",
    "/v1/prize-draws/{launch_id}/tickets.csv",
    access=Access.public(),
    media_type="text/csv",
    summary=("下载全部抽奖券", "Download all tickets of a draw"),
)
def get_tickets_file(launch_id: int) -> Response:
    """Answer all tickets with what they won; `python ledger/verifier --draw` checks them."""
    with transaction() as session:
        drawing.read_notice(session, launch_id)
    name = f"{ids.encode('lch', launch_id)}-tickets.csv"
    return Response(
        _write(launch_id),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _write(launch_id: int) -> Iterator[str]:
    yield _lines([_COLUMNS])
    after = ""
    while True:
        with transaction() as session:
            found = drawing.list_tickets(session, launch_id, after, _LINES)
        yield _lines([(row.ticket, row.prize, row.place) for row in found])
        if len(found) < _LINES:
            return
        after = found[-1].ticket


def _lines(rows: list[tuple[Any, ...]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/draw-tickets",
    access=Access.customer("customers:read"),
    answer=OwnTicketsSchema,
    summary=("查看我的抽奖券", "See a customer's tickets of prize draws"),
)
def get_own_tickets(session: Session, customer_id: int) -> dict[str, Any]:
    """Answer the customer's newest tickets: with the published list they find themselves in it."""
    return {
        "items": [
            {
                "launch_id": ids.encode("lch", row.launch_id),
                "ticket": row.ticket,
                "prize": row.prize,
                "gift": row.gift,
            }
            for row in drawing.list_own(session, customer_id)
        ]
    }
