"""Statements for finance, and for partners their own."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, send_file
from sqlalchemy.orm import Session

from loyalty import partners, proposals
from loyalty.database import transaction
from loyalty.proposals import ProposalSchema, dump_proposal
from loyalty.settlement import closing, disputing, files, proof, proposing, queries, releasing
from loyalty.settlement.schemas import (
    DisputeSchema,
    DisputesPageSchema,
    NewDisputeOutcomeSchema,
    NewDisputeSchema,
    NewStatementSchema,
    SettlementLinesPageSchema,
    SettlementStatementSchema,
    SettlementStatementsPageSchema,
    SignedSettlementQuery,
    SignedSettlementSchema,
    dump_dispute,
    dump_line,
    dump_statement,
)
from loyalty.web import Access, Answer, Caller, NotFound, Refused, cursors, endpoint, ids, page
from loyalty.web.cursors import PageQuery

blueprint = Blueprint("settlement", __name__)

READERS = ("partner_manager", "finance", "head_office", "auditor")
READING = Access.partner("settlements:read", staff=READERS)
FINANCE = Access.staff("finance")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/statements",
    access=FINANCE,
    body=NewStatementSchema,
    answer=SettlementStatementSchema,
    status=201,
    idempotent=True,
    summary=("结算一个期间", "Close a period"),
    problems=("period-not-over", "currency-not-settled"),
)
def post_statement(
    session: Session, caller: Caller, partner_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Close the period up to the end of a day that is over; months close by themselves."""
    partner = partners.read_partner(session, partner_id)
    midnight = datetime.combine(body["until"] + timedelta(days=1), time(), closing.ZONE)
    statement = closing.close_statement(
        session, caller, partner_id, partner.currency, midnight.astimezone(UTC)
    )
    return dump_statement(queries.read_statement(session, partner_id, statement))


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/statements",
    access=READING,
    query=PageQuery,
    answer=SettlementStatementsPageSchema,
    summary=("查看结算单列表", "List a partner's statements"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_statements(session: Session, partner_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of a partner's statements, newest first."""
    partners.read_partner(session, partner_id)
    before, limit = _position("statements", query["cursor"], 2**62), query["limit"]
    rows = queries.list_statements(session, partner_id, before=before, limit=limit + 1)
    return cursors.page_of(
        "statements", rows, limit, position=lambda row: [row.id], dump=dump_statement
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/statements/{statement_id}",
    access=READING,
    answer=SettlementStatementSchema,
    summary=("查看结算单", "Read a statement"),
    reading=True,
)
def get_statement(session: Session, partner_id: int, statement_id: int) -> dict[str, Any]:
    """Answer a closed period with its sums."""
    return dump_statement(queries.read_statement(session, partner_id, statement_id))


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/statements/{statement_id}/lines",
    access=READING,
    query=PageQuery,
    answer=SettlementLinesPageSchema,
    summary=("查看结算单明细", "Read the lines of a statement"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_lines(
    session: Session, partner_id: int, statement_id: int, query: dict[str, Any]
) -> Answer:
    """Answer one page of lines, in the order of the log."""
    statement = queries.read_statement(session, partner_id, statement_id)
    borne = partners.find_accounts(session, partner_id, statement.currency).borne
    name, limit = f"lines:{statement_id}", query["limit"]
    after = _position(name, query["cursor"], 0)
    lines = queries.list_lines(session, statement, borne, after=after, limit=limit + 1)
    return cursors.page_of(
        name, lines, limit, position=lambda line: [queries.last_position(line)], dump=dump_line
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/statements/{statement_id}/signed",
    access=READING,
    query=SignedSettlementQuery,
    answer=SignedSettlementSchema,
    summary=("可离线验证的结算单", "A statement that anyone can check offline"),
)
def get_signed_settlement(
    session: Session, partner_id: int, statement_id: int, query: dict[str, Any]
) -> dict[str, Any]:
    """Answer the lines with their proofs; check it with `python ledger/verifier`."""
    statement = queries.read_statement(session, partner_id, statement_id)
    after = _read_entry(query["after_entry"])
    document = proof.prove_statement(session, statement, after_entry=after, limit=query["limit"])
    following = document["next"]
    return {
        **document,
        "next_entry": None if following is None else ids.encode("ent", following),
    }


@page(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/statements/{statement_id}/lines.csv",
    access=READING,
    media_type="text/csv",
    summary=("下载结算单(CSV)", "Download a statement as CSV"),
)
def get_lines_csv(partner_id: int, statement_id: int) -> Response:
    """Answer all lines as CSV in UTF-8, amounts as decimals."""
    return _send(partner_id, statement_id, files.write_csv, "text/csv", "csv")


@page(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/statements/{statement_id}/lines.xlsx",
    access=READING,
    media_type=XLSX,
    summary=("下载结算单(XLSX)", "Download a statement as a workbook"),
    problems=("statement-too-long",),
)
def get_lines_xlsx(partner_id: int, statement_id: int) -> Response:
    """Answer all lines as a workbook; a longer statement is to be had as CSV."""
    return _send(partner_id, statement_id, files.write_xlsx, XLSX, "xlsx")


def _send(
    partner_id: int, statement_id: int, write: files.Writer, media_type: str, ending: str
) -> Response:
    with transaction() as session:
        statement = queries.read_statement(session, partner_id, statement_id)
        length = statement.last_position - statement.first_position
        if media_type == XLSX and length >= files.MOST_ROWS:
            raise Refused("statement-too-long")
        borne = partners.find_accounts(session, partner_id, statement.currency).borne
        file = write(queries.every_line(session, statement, borne))
    name = f"{ids.encode('stm', statement_id)}.{ending}"
    return send_file(file, media_type, as_attachment=True, download_name=name)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/statements/{statement_id}/disputes",
    access=Access.partner("settlements:dispute", staff=("partner_manager",)),
    body=NewDisputeSchema,
    answer=DisputeSchema,
    status=201,
    idempotent=True,
    summary=("对一行提出争议", "Dispute a line"),
    problems=("line-disputed",),
)
def post_dispute(
    session: Session, caller: Caller, partner_id: int, statement_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Note that a line is not accepted; nothing that stands is ever changed."""
    dispute = disputing.open_dispute(session, caller, partner_id, statement_id, **body)
    return dump_dispute(queries.read_dispute(session, partner_id, dispute))


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/disputes",
    access=READING,
    query=PageQuery,
    answer=DisputesPageSchema,
    summary=("查看结算争议", "List a partner's disputes"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_disputes(session: Session, partner_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of disputes with what came of them, oldest first."""
    partners.read_partner(session, partner_id)
    after, limit = _position("disputes", query["cursor"], 0), query["limit"]
    rows = queries.list_disputes(session, partner_id, after=after, limit=limit + 1)
    return cursors.page_of(
        "disputes", rows, limit, position=lambda row: [row.id], dump=dump_dispute
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/disputes/{dispute_id}/outcome",
    access=Access.staff("finance", "partner_manager"),
    body=NewDisputeOutcomeSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议争议的结论", "Propose the outcome of a dispute"),
    problems=("dispute-decided",),
)
def post_dispute_outcome(
    session: Session, caller: Caller, partner_id: int, dispute_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose a correction, or (0) to reject; it stands in the period open when agreed to."""
    dispute = queries.read_dispute(session, partner_id, dispute_id)
    if dispute.outcome is not None:
        raise Refused("dispute-decided")
    content = {"partner_id": ids.encode("prt", partner_id), **body}
    made = proposals.propose(session, caller, proposing.OUTCOME, "dispute", dispute_id, content)
    return dump_proposal(made)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/statements/{statement_id}/release",
    access=FINANCE,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议支付结算单", "Propose the payment of a statement"),
    problems=("nothing-due", "newer-statement"),
)
def post_release(
    session: Session, caller: Caller, partner_id: int, statement_id: int
) -> dict[str, Any]:
    """Propose to pay what the newest statement owes, for another person to agree to."""
    due = releasing.amount_due(session, partner_id, statement_id)
    if due == 0:
        raise Refused("nothing-due")
    content = {"partner_id": ids.encode("prt", partner_id), "amount": due}
    made = proposals.propose(session, caller, proposing.RELEASE, "statement", statement_id, content)
    return dump_proposal(made)


def _position(name: str, cursor: str | None, beginning: int) -> int:
    position = cursors.read(name, cursor)
    return position[0] if position else beginning


def _read_entry(written: str | None) -> int:
    if written is None:
        return 0
    try:
        return ids.decode("ent", written)
    except ValueError:
        raise NotFound from None
