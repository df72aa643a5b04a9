"""An application with a few routes of its own, and callers whose tokens are their names."""

import time
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from marshmallow import Schema, fields
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.web import Access, Answer, Caller, Kind, NotFound, Refused, endpoint, health, pages
from loyalty.web.api import blueprint as ping
from loyalty.web.app import create_app
from loyalty.web.bearer import Verified
from loyalty.web.fields import Amount, Instant, PublicId, QueryWhole, Reference, Text

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
SCOPES = frozenset({"things:read", "things:write"})
CALLERS = {
    "bank": Caller(Kind.SYSTEM, "cli_0000000000001", scopes=SCOPES, token_fingerprint="f1"),
    "shop": Caller(Kind.SYSTEM, "cli_0000000000002", scopes=SCOPES, token_fingerprint="f2"),
    "poor": Caller(Kind.SYSTEM, "cli_0000000000003", token_fingerprint="f3"),
    "ann": Caller(Kind.CUSTOMER, "cus_0000000000007", scopes=SCOPES, customer_id=7),
    "clerk": Caller(Kind.STAFF, "stf_0000000000001", roles=frozenset({"support"})),
    "auditor": Caller(Kind.STAFF, "stf_0000000000002", roles=frozenset({"auditor"})),
}


class ThingSchema(Schema):
    """A thing that a test sends."""

    amount = Amount(required=True)
    note = Text(50, lines=True)
    at = Instant()
    reference = Reference()
    owner = PublicId("cus")


class ManySchema(Schema):
    """Several things."""

    things = fields.List(fields.Nested(ThingSchema), required=True)


class EchoSchema(Schema):
    """What came through, as text."""

    got = fields.String(required=True)


class ListQuery(Schema):
    """A query with one parameter."""

    size = QueryWhole(1, 9, load_default=3)


def examples() -> Blueprint:
    """Return the routes that the tests call."""
    blueprint = Blueprint("examples", __name__)
    read, write = Access.system("things:read"), Access.system("things:write")

    @endpoint(
        blueprint,
        "POST",
        "/v1/things",
        access=write,
        body=ThingSchema,
        answer=EchoSchema,
        not_idempotent="nothing is kept",
        summary="Echo",
    )
    def post_thing(body: dict[str, Any]) -> dict[str, str]:
        return {"got": repr(sorted(body))}

    @endpoint(
        blueprint,
        "POST",
        "/v1/many",
        access=write,
        body=ManySchema,
        answer=EchoSchema,
        limit=2_000,
        not_idempotent="nothing is kept",
        summary="Echo many",
    )
    def post_many(body: dict[str, Any]) -> dict[str, str]:
        return {"got": str(len(body["things"]))}

    @endpoint(
        blueprint,
        "POST",
        "/v1/kept",
        access=write,
        body=ThingSchema,
        answer=EchoSchema,
        status=201,
        idempotent=True,
        summary="Keep",
    )
    def post_kept(session: Session, caller: Caller, body: dict[str, Any]) -> Answer:
        audit.record(session, caller, "thing.kept", "thing", "1", {"amount": body["amount"]})
        if body["amount"] == 13:
            raise Refused("bad-request")
        return Answer(
            {"got": f"{body['amount']} at {time.time_ns()}"}, headers={"Location": "/v1/kept/1"}
        )

    @endpoint(
        blueprint,
        "GET",
        "/v1/list",
        access=read,
        query=ListQuery,
        answer=EchoSchema,
        summary="List",
    )
    def get_list(query: dict[str, Any]) -> dict[str, str]:
        return {"got": str(query["size"])}

    @endpoint(
        blueprint,
        "GET",
        "/v1/customers/{customer_id}/things",
        access=Access.customer("things:read"),
        answer=EchoSchema,
        summary="A customer's things",
    )
    def get_customer_things(customer_id: int) -> dict[str, str]:
        if customer_id not in (7, 8):
            raise NotFound
        return {"got": str(customer_id)}

    @endpoint(
        blueprint,
        "GET",
        "/v1/secrets",
        access=Access.staff("auditor"),
        answer=EchoSchema,
        summary="For auditors",
    )
    def get_secrets() -> dict[str, str]:
        return {"got": "secrets"}

    @endpoint(blueprint, "GET", "/v1/broken", access=read, answer=EchoSchema, summary="Break")
    def get_broken() -> dict[str, str]:
        raise RuntimeError('+8613800138000 张三\n{"event": "forged"}')

    @endpoint(blueprint, "GET", "/v1/lie", access=read, answer=EchoSchema, summary="Lie")
    def get_lie() -> dict[str, str]:
        return {"something": "else"}

    return blueprint


def verify(token: str) -> Verified:
    """Return the caller whose name the token is."""
    if token not in CALLERS:
        raise Refused("unauthenticated")
    return Verified(CALLERS[token], time.time() + 600)


def build() -> Flask:
    """Return the application of these tests."""
    return create_app(
        [examples(), ping, health.blueprint, pages.blueprint],
        verify=verify,
    )


@pytest.fixture
def app(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch) -> Flask:
    """The application; on a database where the test asks for one, else on none at all."""
    if "database" not in request.fixturenames:
        environment.setenv("DATABASE_URL", NOWHERE)
    return build()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of that application."""
    return app.test_client()


def bearer(name: str, **more: str) -> dict[str, str]:
    """Return the headers with which `name` calls, and `more` of them."""
    return {
        "Authorization": f"Bearer {name}",
        **{header.replace("_", "-"): value for header, value in more.items()},
    }
