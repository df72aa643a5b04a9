"""Coupons for the customers who hold them: the wallet, the code and its picture, claiming one."""

import io
from typing import Any

import segno
from flask import Blueprint, Response
from sqlalchemy.orm import Session

from loyalty import audit, programmes
from loyalty.coupons import codes, issuance, offline, queries, series
from loyalty.coupons.issuance import Order
from loyalty.coupons.schemas import (
    CouponCodeSchema,
    CouponPageQuery,
    CouponPageSchema,
    CouponSchema,
    CouponTokenSchema,
    NewClaimOfCouponSchema,
    ProgrammeQuery,
    dump_coupon,
)
from loyalty.database import reading
from loyalty.programmes import IN_BODY
from loyalty.web import Access, Answer, Caller, NotFound, cursors, endpoint, ids, page
from loyalty.web.fields import dump_instant

blueprint = Blueprint("coupon_wallet", __name__)

_LIST = "coupons"
_WHOSE = ("not-a-member", "programme-needed")
_NOT_KEPT = {"Cache-Control": "no-store"}
_ONE = "/v1/customers/{customer_id}/coupons/{coupon_id}"
_CODE = Access.customer("coupons:code")


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/coupons",
    access=Access.customer("coupons:read"),
    query=CouponPageQuery,
    answer=CouponPageSchema,
    summary=("客户的券", "A customer's coupons"),
    problems=("invalid-cursor", *_WHOSE),
    reading=True,
)
def get_coupons(session: Session, customer_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of a customer's coupons, the newest first, with what state each is in."""
    programme = programmes.choose_programme(session, query["programme"])
    programmes.find_member(session, programme, customer_id)
    position = cursors.read(_LIST, query["cursor"])
    found = queries.list_coupons(
        session,
        programme,
        customer_id,
        before=position[0] if position else None,
        limit=query["limit"] + 1,
    )
    return cursors.page_of(
        _LIST, found, query["limit"], position=lambda one: [one.id], dump=dump_coupon
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/coupons",
    access=Access.customer("coupons:claim"),
    body=NewClaimOfCouponSchema,
    answer=CouponSchema,
    status=201,
    idempotent=True,
    summary=("领券", "Claim a coupon"),
    problems=(
        "coupon-halted",
        "coupon-over",
        "customer-erased",
        "limit-reached",
        "sold-out",
        "sold-out-today",
        "budget-used-up",
        "reference-reused",
        *_WHOSE,
    ),
)
def post_claim(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Give a customer a coupon of a series that they may claim; once for each reference."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    programmes.find_active_member(session, programme, customer_id)
    found = series.find_series(session, programme, body["series"])
    if not found.terms.claimable:
        raise NotFound
    order = Order(f"{ids.encode('cus', customer_id)}:{body['reference']}", customer_id)
    issued = issuance.issue_one(session, programme, found, "claim", order)
    detail = {"customer": ids.encode("cus", customer_id), "series": found.code}
    audit.record(session, caller, "coupon.claimed", "coupon", issued.coupon_id, detail)
    return dump_coupon(queries.find_coupon(session, programme, issued.coupon_id))


@endpoint(
    blueprint,
    "GET",
    _ONE,
    access=Access.customer("coupons:read"),
    query=ProgrammeQuery,
    answer=CouponSchema,
    summary=("查看一张券", "See one coupon"),
    problems=_WHOSE,
    reading=True,
)
def get_coupon(
    session: Session, customer_id: int, coupon_id: int, query: dict[str, Any]
) -> dict[str, Any]:
    """Answer one of the customer's coupons."""
    programme = programmes.choose_programme(session, query["programme"])
    return dump_coupon(queries.find_own(session, programme, customer_id, coupon_id))


@endpoint(
    blueprint,
    "GET",
    f"{_ONE}/code",
    access=_CODE,
    answer=CouponCodeSchema,
    summary=("券码(仅限本人)", "A coupon's code, for its owner"),
    reading=True,
)
def get_code(session: Session, caller: Caller, customer_id: int, coupon_id: int) -> Answer:
    """Answer the code to the customer themselves; for anybody else the coupon is not there."""
    code = _own_code(session, caller, customer_id, coupon_id)
    body = {
        "coupon_id": ids.encode("cpn", coupon_id),
        "code": code,
        "shown": codes.show_code(code),
    }
    return Answer(body, headers=_NOT_KEPT)


@page(
    blueprint,
    "GET",
    f"{_ONE}/qr.svg",
    access=_CODE,
    media_type="image/svg+xml",
    summary=("券码二维码(SVG)", "A coupon's code as a picture (SVG)"),
)
def get_qr_svg(caller: Caller, customer_id: int, coupon_id: int) -> Response:
    """Answer the code as a QR code that scales to any size."""
    return _picture(caller, customer_id, coupon_id, "svg", "image/svg+xml")


@page(
    blueprint,
    "GET",
    f"{_ONE}/qr.png",
    access=_CODE,
    media_type="image/png",
    summary=("券码二维码(PNG)", "A coupon's code as a picture (PNG)"),
)
def get_qr_png(caller: Caller, customer_id: int, coupon_id: int) -> Response:
    """Answer the code as a QR code in pixels."""
    return _picture(caller, customer_id, coupon_id, "png", "image/png")


@endpoint(
    blueprint,
    "GET",
    f"{_ONE}/token",
    access=_CODE,
    answer=CouponTokenSchema,
    summary=("离线核销令牌", "A token for tills without a network"),
    problems=("coupon-refused",),
    reading=True,
)
def get_token(session: Session, caller: Caller, customer_id: int, coupon_id: int) -> Answer:
    """Answer a short-lived token that a till checks without a network and reconciles later."""
    coupon = _own(session, caller, customer_id, coupon_id)
    token, expires_at = offline.make_token(coupon)
    body = {"token": token, "expires_at": dump_instant(expires_at)}
    return Answer(body, headers=_NOT_KEPT)


def _own(session: Session, caller: Caller, customer_id: int, coupon_id: int) -> queries.Coupon:
    """Return a coupon of the calling customer's; whoever else calls does not find it."""
    if caller.customer_id != customer_id:
        raise NotFound
    return queries.find_owned(session, customer_id, coupon_id)


def _own_code(session: Session, caller: Caller, customer_id: int, coupon_id: int) -> str:
    return queries.read_code(session, _own(session, caller, customer_id, coupon_id).id)


def _picture(
    caller: Caller, customer_id: int, coupon_id: int, kind: str, media_type: str
) -> Response:
    with reading() as session:
        code = _own_code(session, caller, customer_id, coupon_id)
    drawn = io.BytesIO()
    segno.make_qr(code, error="q").save(drawn, kind=kind, scale=8, border=4)
    return Response(drawn.getvalue(), content_type=media_type, headers=_NOT_KEPT)
