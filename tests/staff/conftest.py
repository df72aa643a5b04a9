"""The application as it is served, people and systems in it."""

from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from loyalty import staff
from loyalty.audit import api as audit_api
from loyalty.database import transaction
from loyalty.staff import api as staff_api
from loyalty.web import Caller, ids
from loyalty.web.api import blueprint as ping
from loyalty.web.app import create_app
from tests.servers import Database

ADMIN = Caller.job("test")


@dataclass(frozen=True)
class Account:
    """A client with its secret."""

    number: int
    client_id: str
    secret: str


@pytest.fixture
def app(database: Database) -> Flask:
    """The application with tokens that are really checked."""
    return create_app(
        [ping, staff_api.blueprint, audit_api.blueprint],
        verify=staff_api.verify_token,
        record_denial=audit_api.record_denial,
    )


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of that application."""
    return app.test_client()


@pytest.fixture
def bank(database: Database) -> Account:
    """A client with two scopes."""
    return add_account("bank", ["points:read", "points:write"])


@pytest.fixture
def branch(database: Database) -> int:
    """The number of a branch."""
    with transaction() as session:
        return staff.add_unit(session, ADMIN, "branch", "浦东支行").id


def add_account(
    name: str,
    scopes: list[str],
    staff_id: int | None = None,
    *,
    partner_id: int | None = None,
    sandbox: bool = False,
) -> Account:
    """Add a client and return it with its secret."""
    with transaction() as session:
        added = staff.open_client(
            session,
            ADMIN,
            name,
            scopes,
            staff_id=staff_id,
            partner_id=partner_id,
            sandbox=sandbox,
        )
        secret = staff.add_secret(session, ADMIN, added.id)
        return Account(added.id, ids.encode("cli", added.id), secret)


def add_person(login: str, unit_id: int, *roles: str) -> int:
    """Add a member of staff and return their number."""
    with transaction() as session:
        person = staff.add_staff(
            session, ADMIN, login=login, name="李四", unit_id=unit_id, roles=roles
        )
        return person.id


def token_for(client: FlaskClient, account: Account, **form: str) -> str:
    """Return an access token that the account got with its secret."""
    response = client.post(
        "/v1/oauth/token",
        data={"grant_type": "client_credentials", **form},
        auth=(account.client_id, account.secret),
    )
    assert response.status_code == 200, response.data
    return str(response.get_json()["access_token"])


def ping_with(client: FlaskClient, token: str) -> int:
    """Return the status with which a token is met, checked anew."""
    client.application.extensions["quanyi"].tokens.forget()
    return client.get("/v1/ping", headers={"Authorization": f"Bearer {token}"}).status_code
