"""Pages of customers about themselves: coming in, going out, and what we hold about them."""

from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Blueprint, current_app, g, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit, outbox
from loyalty.customers import person, queries, sign_in
from loyalty.customers.forms import CodeForm, HandOverForm
from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.web import Access, Caller, Kind, NotFound, Refused, cookies, ids, sessions
from loyalty.web.attempts import Door, admits, forget
from loyalty.web.screens import local, screen, see
from loyalty.web.sites import Menu

blueprint = Blueprint("customer_pages", __name__, template_folder="templates")

HOME = "/my"
SIGN_IN = "/my/sign-in"
ENTER = "/my/enter"
LOOKS = 50
ERASURE_ASKED = "customer.erasure_asked"
_ME = Access.browser(Kind.CUSTOMER)


@screen(
    blueprint, "GET", SIGN_IN, access=Access.public(), summary=("客户登录", "Sign in as customer")
)
def get_sign_in() -> str:
    """Say how to come in; outside production, with a one-time code."""
    cookies.refuse_in_clear()
    return render_template("customers/sign_in.html", by_code=not settings().is_production)


@screen(
    blueprint,
    "POST",
    SIGN_IN,
    access=Access.public(),
    form=CodeForm,
    again=get_sign_in,
    summary=("客户登录", "Sign in as customer"),
    problems=("sign-in-failed", "too-many-tries", "insecure-connection"),
)
def post_sign_in(caller: Caller, entered: dict[str, Any]) -> Response:
    """Open a session for who has a live one-time code; never in production."""
    cookies.refuse_in_clear()
    if settings().is_production:
        raise NotFound
    reference = entered["reference"]
    door = Door(f"customer:{reference}", request.remote_addr or "")
    with transaction() as session:
        admitted = admits(session, door)
    if not admitted:
        raise Refused("too-many-tries")
    with transaction() as session:
        customer_id = sign_in.use_code(session, reference, entered["code"].strip())
        if customer_id is None:
            audit.record(session, caller, "customer.sign_in_failed", "customer", 0)
        else:
            forget(session, door)
    if customer_id is None:
        raise Refused("sign-in-failed")
    return _open_session(caller, customer_id, local(entered["next"], HOME))


@screen(
    blueprint,
    "GET",
    ENTER,
    access=Access.public(),
    summary=("由银行进入", "Come in from the bank"),
)
def get_enter() -> str:
    """Show a button that uses the bank's link: a look-ahead of some mail program uses up none."""
    cookies.refuse_in_clear()
    return render_template("customers/enter.html", assertion=request.args.get("assertion", ""))


@screen(
    blueprint,
    "POST",
    ENTER,
    access=Access.public(),
    form=HandOverForm,
    summary=("由银行进入", "Come in from the bank"),
    problems=("hand-over-refused",),
)
def post_enter(caller: Caller, entered: dict[str, Any]) -> Response:
    """Open a session for whom the bank hands over."""
    cookies.refuse_in_clear()
    audience = frozenset({current_app.config["ISSUER"] + ENTER})
    with transaction() as session:
        customer_id = sign_in.accept_hand_over(session, entered["assertion"], audience)
        audit.record(session, caller, "customer.handed_over", "customer", customer_id)
    return _open_session(caller, customer_id, HOME)


def _open_session(caller: Caller, customer_id: int, path: str) -> Response:
    device = sessions.device_of(request.user_agent.string)
    with transaction() as session:
        secret = sessions.start(session, Kind.CUSTOMER, customer_id, device, confirmed=False)
        who = Caller(Kind.CUSTOMER, ids.encode("cus", customer_id)).on(caller.request_id)
        audit.record(session, who, "customer.signed_in", "customer", customer_id)
    response = see(path)
    cookies.give(response, Kind.CUSTOMER, secret)
    return response


@screen(blueprint, "POST", "/my/sign-out", access=_ME, summary=("退出", "Sign out"))
def post_sign_out(session: Session, caller: Caller) -> Response:
    """End this session."""
    sessions.end(session, Kind.CUSTOMER, g.signed.subject_id, g.signed.id)
    audit.record(session, caller, "customer.signed_out", "customer", g.signed.subject_id)
    response = see(SIGN_IN)
    cookies.take_back(response, Kind.CUSTOMER)
    return response


@screen(
    blueprint,
    "GET",
    "/my/data",
    access=_ME,
    menu=Menu(80, "shield"),
    summary=("我的数据", "My data"),
)
def get_data(session: Session) -> str:
    """Show what we hold about the person, who looked and why, and where they are signed in."""
    customer_id = g.signed.subject_id
    found = person.read_person(session, customer_id, person.Purpose.RIGHTS)
    looks = audit.list_looks(session, "customer", ids.encode("cus", customer_id), LOOKS)
    return render_template(
        "customers/data.html",
        customer=queries.customers_by_id(session, [customer_id])[customer_id],
        person=found,
        looks=looks,
        live=sessions.list_live(session, Kind.CUSTOMER, customer_id),
        asked=audit.find_last(session, "customer", ids.encode("cus", customer_id), ERASURE_ASKED),
        purposes=PURPOSES,
    )


@screen(
    blueprint,
    "POST",
    "/my/data/erasure",
    access=_ME,
    idempotent=True,
    again=get_data,
    summary=("要求删除", "Ask to be erased"),
)
def post_erasure(session: Session, caller: Caller) -> Response:
    """Keep that the customer asks to be erased, and tell the bank; its people propose and agree."""
    customer_id = g.signed.subject_id
    audit.record(session, caller, ERASURE_ASKED, "customer", customer_id)
    payload = {"customer": ids.encode("cus", customer_id)}
    outbox.publish(session, ERASURE_ASKED, f"customer:{customer_id}", payload)
    return see("/my/data")


@screen(
    blueprint,
    "GET",
    "/my/data/download",
    access=_ME,
    summary=("下载我的数据", "Download my data"),
)
def get_data_download(session: Session, caller: Caller) -> Response:
    """Answer what we hold about the person as a file that machines read too."""
    customer_id = g.signed.subject_id
    found = person.read_person(session, customer_id, person.Purpose.RIGHTS)
    customer = queries.customers_by_id(session, [customer_id])[customer_id]
    detail = {"purpose": person.Purpose.RIGHTS.value}
    audit.record(session, caller, "customer.data_downloaded", "customer", customer_id, detail)
    content = {
        "customer": ids.encode("cus", customer_id),
        "reference": customer.reference,
        "registered_at": customer.registered_at.isoformat(),
        "name": found.name,
        "phone": found.phone,
        "email": found.email,
        "birthday": found.birthday.isoformat() if found.birthday else None,
        "made_at": datetime.now(UTC).isoformat(),
    }
    response = current_app.response_class(
        orjson.dumps(content, option=orjson.OPT_INDENT_2), content_type="application/json"
    )
    response.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


PURPOSES = {
    person.Purpose.SERVICE.value: ("办理服务请求", "a service request"),
    person.Purpose.COMPLAINT.value: ("处理投诉", "a complaint"),
    person.Purpose.FULFILMENT.value: ("履行权益", "fulfilling a benefit"),
    person.Purpose.DELIVERY.value: ("送达消息", "delivering a message"),
    person.Purpose.FRAUD.value: ("核查欺诈", "a fraud check"),
    person.Purpose.RIGHTS.value: ("您行使个人信息权利", "your rights over your data"),
}
"""Why somebody read a person, in words."""
