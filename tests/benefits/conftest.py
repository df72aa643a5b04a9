"""The application as it is served, with two members and benefits in it."""

import pytest
from flask.testing import FlaskClient

from tests.benefits.builders import World, build_world
from tests.servers import Database


@pytest.fixture
def world(database: Database) -> World:
    """A programme with a gold member, a plain one, and a lounge."""
    return build_world()


@pytest.fixture
def application(world: World) -> FlaskClient:
    """A client of the whole application."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()
