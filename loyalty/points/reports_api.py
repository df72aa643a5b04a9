"""Statements that prove themselves, and what the programme owes in points."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Blueprint
from marshmallow import INCLUDE, Schema, fields
from sqlalchemy.orm import Session

import ledger
from loyalty import programmes
from loyalty.programmes import Programme
from loyalty.web import Access, NotFound, Refused, endpoint, ids
from loyalty.web.fields import Day, QueryWhole, Text, dump_instant

blueprint = Blueprint("points_reports", __name__)

MOST_ENTRIES = 1000
LONGEST = timedelta(days=400)
CODE = 60


class SignedStatementQuery(Schema):
    """Which programme's log, and from which entry on."""

    programme = Text(CODE, load_default=None)
    after_entry = Text(40, load_default=None)
    limit = QueryWhole(1, MOST_ENTRIES, load_default=MOST_ENTRIES)


class SignedStatementSchema(Schema):
    """The log with an inclusion proof for each sealed entry, under one signed checkpoint.

    Save the answer as a file and give it to the verifier: it needs nothing else but the public
    key. Entries without a proof were not sealed yet.
    """

    class Meta:
        """The parts that the verifier reads are described with it."""

        unknown = INCLUDE

    format = fields.String(required=True)
    checkpoint = fields.Dict(required=True, allow_none=True)
    entries = fields.List(fields.Dict(), required=True)
    next_entry = fields.String(required=True, allow_none=True)


class LiabilityQuery(Schema):
    """The first and the last day of the period, in the programme's zone."""

    since = Day(required=True)
    until = Day(required=True)


class MonthSchema(Schema):
    """Points that lapse in the month beginning on this day; null: never."""

    month = Day(required=True, allow_none=True)
    points = fields.Integer(required=True)


class LiabilitySchema(Schema):
    """How the points outstanding moved, and when those of now lapse.

    opening + earned − redeemed − expired + adjusted + other = closing.
    """

    programme = fields.String(required=True)
    since = Day(required=True)
    until = Day(required=True)
    as_of = fields.String(required=True)
    opening = fields.Integer(required=True)
    earned = fields.Integer(required=True)
    redeemed = fields.Integer(required=True)
    expired = fields.Integer(required=True)
    adjusted = fields.Integer(required=True)
    other = fields.Integer(required=True)
    closing = fields.Integer(required=True)
    outstanding = fields.List(fields.Nested(MonthSchema), required=True)


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/signed-statement",
    access=Access.customer("points:read"),
    query=SignedStatementQuery,
    answer=SignedStatementSchema,
    summary=("可离线验证的明细", "A statement that anyone can check offline"),
    problems=("not-a-member", "programme-needed"),
)
def get_signed_statement(
    session: Session, customer_id: int, query: dict[str, Any]
) -> dict[str, Any]:
    """Answer the log with its proofs; check it with `python ledger/verifier`."""
    programme = programmes.choose_programme(session, query["programme"])
    member = programmes.find_member(session, programme, customer_id)
    document = ledger.export_statement(
        session,
        member.points_wallet,
        after_entry=_read_entry(query["after_entry"]),
        limit=query["limit"],
    )
    assert document is not None, "a member has a wallet"
    following = document["next"]
    return {
        **document,
        "next_entry": None if following is None else ids.encode("ent", following),
    }


@endpoint(
    blueprint,
    "GET",
    "/v1/programmes/{code}/liability",
    access=Access.staff("auditor", "head_office", or_system="liability:read"),
    query=LiabilityQuery,
    answer=LiabilitySchema,
    summary=("积分负债", "What a programme owes in points"),
    problems=("invalid-period",),
)
def get_liability(session: Session, code: str, query: dict[str, Any]) -> dict[str, Any]:
    """Answer how the points outstanding moved in a period, and in which months they lapse."""
    programme = programmes.find_programme(session, code)
    since, until = query["since"], query["until"]
    if not timedelta() <= until - since <= LONGEST:
        raise Refused("invalid-period")
    moved = ledger.read_movement(
        session,
        programme.points_unit_id,
        _midnight(since, programme),
        _midnight(until + timedelta(days=1), programme),
    )
    outstanding = ledger.read_outstanding(session, programme.points_unit_id, programme.zone_name)
    return {
        "programme": programme.code,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "as_of": dump_instant(datetime.now(UTC)),
        "opening": moved.opening,
        "earned": moved.earned,
        "redeemed": moved.redeemed,
        "expired": moved.expired,
        "adjusted": moved.adjusted,
        "other": moved.other,
        "closing": moved.closing,
        "outstanding": [
            {"month": month.isoformat() if month else None, "points": points}
            for month, points in outstanding.items()
        ],
    }


def _midnight(day: date, programme: Programme) -> datetime:
    return datetime.combine(day, time(), programme.zone)


def _read_entry(written: str | None) -> int:
    if written is None:
        return 0
    try:
        return ids.decode("ent", written)
    except ValueError:
        raise NotFound from None
