"""Webhooks for those who look after partners: open, rotate, switch, look, tell again."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.messages import webhooks
from loyalty.messages.jobs import reach
from loyalty.messages.reaching import Forbidden
from loyalty.messages.webhooks_schemas import (
    DeliveryPageSchema,
    NewWebhookSchema,
    ReplayedSchema,
    SwitchedSchema,
    SwitchSchema,
    WebhookPageSchema,
    WebhookSecretSchema,
    dump_delivery,
    dump_webhook,
)
from loyalty.messages.wording import RULES
from loyalty.web import Access, Answer, Caller, Refused, cursors, endpoint, ids
from loyalty.web.cursors import PageQuery

blueprint = Blueprint("webhooks", __name__)

_ROLES = ("partner_manager", "operations")
_SHOWN_ONCE = "the answer holds a secret, which is kept nowhere and so cannot be answered again"


@endpoint(
    blueprint,
    "POST",
    "/v1/webhooks",
    access=Access.staff("partner_manager"),
    body=NewWebhookSchema,
    answer=WebhookSecretSchema,
    status=201,
    not_idempotent=_SHOWN_ONCE,
    summary=("登记回调地址", "Open a webhook"),
    problems=("too-many-webhooks",),
)
def post_webhook(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Open an endpoint; its secret stands in this answer and in no other."""
    try:
        reach().check_url(body["url"])
    except Forbidden as forbidden:
        fault = {"pointer": "/url", "code": str(forbidden), "detail": RULES["webhook-url"]}
        raise Refused("invalid-content", errors=[fault]) from None
    owner = "" if body["partner_id"] is None else ids.encode("prt", body["partner_id"])
    number, secret = webhooks.open_webhook(session, body["url"], body["topics"], owner, caller.id)
    detail = {"topics": body["topics"], "partner": owner}
    audit.record(session, caller, "webhook.opened", "webhook", number, detail)
    return {"webhook_id": ids.encode("whk", number), "secret": secret}


@endpoint(
    blueprint,
    "GET",
    "/v1/webhooks",
    access=Access.staff(*_ROLES),
    query=PageQuery,
    answer=WebhookPageSchema,
    summary=("查看回调地址", "List webhooks"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_webhooks(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of endpoints, oldest first."""
    limit = query["limit"]
    position = cursors.read("webhooks", query["cursor"])
    found = webhooks.list_webhooks(session, position[0] if position else 0, limit + 1)
    return cursors.page_of(
        "webhooks", found, limit, position=lambda row: [row.id], dump=dump_webhook
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/webhooks/{webhook_id}/rotations",
    access=Access.staff("partner_manager"),
    answer=WebhookSecretSchema,
    status=201,
    not_idempotent=_SHOWN_ONCE,
    summary=("更换回调密钥", "Rotate a webhook's secret"),
)
def post_rotation(session: Session, caller: Caller, webhook_id: int) -> dict[str, Any]:
    """Make a new secret; the one before signs along for a day."""
    secret = webhooks.rotate_secret(session, webhook_id)
    audit.record(session, caller, "webhook.secret_rotated", "webhook", webhook_id)
    return {"webhook_id": ids.encode("whk", webhook_id), "secret": secret}


@endpoint(
    blueprint,
    "POST",
    "/v1/webhooks/{webhook_id}/switches",
    access=Access.staff(*_ROLES),
    body=SwitchSchema,
    answer=SwitchedSchema,
    idempotent=True,
    summary=("启用或停用回调地址", "Switch a webhook on or off"),
)
def post_switch(
    session: Session, caller: Caller, webhook_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Tell an endpoint of events from now on, or of none."""
    webhooks.switch(session, webhook_id, on=body["state"] == "on")
    audit.record(session, caller, "webhook.switched", "webhook", webhook_id, body)
    return {"webhook_id": ids.encode("whk", webhook_id), "state": body["state"]}


@endpoint(
    blueprint,
    "GET",
    "/v1/webhooks/{webhook_id}/deliveries",
    access=Access.staff(*_ROLES),
    query=PageQuery,
    answer=DeliveryPageSchema,
    summary=("查看回调投递记录", "List a webhook's deliveries"),
    problems=("invalid-cursor",),
)
def get_deliveries(session: Session, webhook_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of what an endpoint was or is to be told, newest first."""
    name, limit = f"deliveries:{webhook_id}", query["limit"]
    position = cursors.read(name, query["cursor"])
    before = position[0] if position else None
    found = webhooks.list_deliveries(session, webhook_id, before, limit + 1)
    return cursors.page_of(name, found, limit, position=lambda row: [row.id], dump=dump_delivery)


@endpoint(
    blueprint,
    "POST",
    "/v1/deliveries/{delivery_id}/replays",
    access=Access.staff(*_ROLES),
    answer=ReplayedSchema,
    status=202,
    idempotent=True,
    summary=("重新投递", "Deliver once more"),
)
def post_replay(session: Session, caller: Caller, delivery_id: int) -> dict[str, Any]:
    """Have an endpoint told of an event once more, under the same id."""
    webhooks.replay(session, delivery_id)
    audit.record(session, caller, "webhook.replayed", "delivery", delivery_id)
    return {"delivery_id": ids.encode("dlv", delivery_id)}
