"""The customer's inbox, for the bank's app."""

from typing import Any

from flask import Blueprint
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.messages import inbox
from loyalty.messages.inbox import Received
from loyalty.web import Access, Answer, Caller, cursors, endpoint, ids
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Instant, PublicId, dump_instant

blueprint = Blueprint("inbox", __name__)


class MessageSchema(Schema):
    """A message as its customer reads it; `class` says whether it sells something."""

    id = PublicId("msg", required=True)
    title = fields.String(required=True)
    body = fields.String(required=True)
    kind = fields.String(required=True, data_key="class")
    at = Instant(required=True)
    read_at = Instant(required=True, allow_none=True)


class MessagePageSchema(Schema):
    """One page of the inbox, newest first."""

    items = fields.List(fields.Nested(MessageSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ReadSchema(Schema):
    """The message that was opened."""

    message_id = PublicId("msg", required=True)


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/messages",
    access=Access.customer("messages:read"),
    query=PageQuery,
    answer=MessagePageSchema,
    summary=("查看站内信", "Read the inbox"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_messages(session: Session, customer_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of a customer's messages, newest first."""
    name, limit = f"messages:{customer_id}", query["limit"]
    position = cursors.read(name, query["cursor"])
    found = inbox.read_inbox(session, customer_id, position[0] if position else None, limit + 1)
    return cursors.page_of(name, found, limit, position=lambda one: [one.id], dump=_dump)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/messages/{message_id}/reads",
    access=Access.customer("messages:read"),
    answer=ReadSchema,
    status=201,
    idempotent=True,
    summary=("标记站内信已读", "Mark a message as read"),
)
def post_read(
    session: Session, caller: Caller, customer_id: int, message_id: int
) -> dict[str, Any]:
    """Note that the customer opened a message; the first time counts."""
    inbox.mark_read(session, customer_id, message_id)
    audit.record(session, caller, "message.read", "message", message_id)
    return {"message_id": ids.encode("msg", message_id)}


def _dump(one: Received) -> dict[str, Any]:
    return {
        "id": ids.encode("msg", one.id),
        "title": one.title,
        "body": one.body,
        "class": one.class_,
        "at": dump_instant(one.at),
        "read_at": one.read_at and dump_instant(one.read_at),
    }
