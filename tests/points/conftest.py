"""The application as it is served, with a programme and two customers in it."""

import pytest
from flask.testing import FlaskClient

from tests.points.builders import World, build_world
from tests.servers import Database


@pytest.fixture
def world(database: Database) -> World:
    """A programme that gives a point for each whole unit."""
    return build_world()


@pytest.fixture
def application(database: Database) -> FlaskClient:
    """A client of the whole application."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()
