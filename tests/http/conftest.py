"""The application as it is served, with the bank that calls it and its programme."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from loyalty import staff
from loyalty.database import transaction
from loyalty.local.processes import free_port
from loyalty.web import Endpoint
from loyalty.web.openapi import declared_routes
from tests.http.serving import Web
from tests.points.builders import World, build_world
from tests.servers import Database, forget_connections
from tests.staff.conftest import ADMIN, Account, add_account

SCOPES = [
    "customers:read",
    "customers:write",
    "points:read",
    "points:spend",
    "confirmations:write",
    "purchases:write",
    "tiers:read",
]


@pytest.fixture
def app(database: Database) -> Flask:
    """The application with every slice in it."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of that application."""
    return app.test_client()


@pytest.fixture
def world(database: Database) -> World:
    """A programme that gives a point for each whole unit, and its customers."""
    return build_world()


@pytest.fixture
def bank(world: World) -> Account:
    """The bank's system, which may do all that systems may."""
    return add_account("bank", SCOPES)


@pytest.fixture
def branch(world: World) -> int:
    """The number of a branch."""
    with transaction() as session:
        return staff.add_unit(session, ADMIN, "branch", "浦东支行").id


@pytest.fixture
def routes(app: Flask) -> list[Endpoint]:
    """Every route that is served."""
    found = list(declared_routes(app))
    assert len(found) == sum(1 for _ in app.url_map.iter_rules())
    return found


@pytest.fixture
def scopes(routes: list[Endpoint]) -> frozenset[str]:
    """Every scope that any route asks for."""
    return frozenset(route.access.scope for route in routes) - {""}


@pytest.fixture
def web(
    database: Database, environment: pytest.MonkeyPatch, tmp_path: Path, world: World
) -> Iterator[Web]:
    """The web processes as production runs them, with the login that is theirs."""
    environment.setenv("PORT", str(free_port()))
    forget_connections()
    web = Web(tmp_path / "web.log", {"DATABASE_URL": database.web_url})
    web.start()
    yield web
    web.stop()
