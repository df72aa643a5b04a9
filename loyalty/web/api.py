"""The one JSON route that belongs to no business: it checks a token and does nothing else."""

from typing import Any

from flask import Blueprint
from marshmallow import Schema, fields

from loyalty.web.access import Access, Caller
from loyalty.web.endpoints import endpoint

blueprint = Blueprint("web", __name__)


class PingAnswer(Schema):
    """What the token says about its bearer."""

    kind = fields.String(required=True)
    id = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    roles = fields.List(fields.String(), required=True)


@endpoint(
    blueprint,
    "GET",
    "/v1/ping",
    access=Access.token(),
    answer=PingAnswer,
    summary=("检查令牌", "Check a token"),
)
def get_ping(caller: Caller) -> dict[str, Any]:
    """Answer who the token stands for and what it allows."""
    return {
        "kind": caller.kind,
        "id": caller.id,
        "scopes": sorted(caller.scopes),
        "roles": sorted(caller.roles),
    }
