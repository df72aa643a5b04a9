"""Purposes, notices and two customers."""

import pytest
from flask.testing import FlaskClient

from tests.consent.builders import World, build_world
from tests.servers import Database


@pytest.fixture
def world(database: Database) -> World:
    """Purposes with a notice each, and two customers of whom nothing is known."""
    return build_world()


@pytest.fixture
def application(world: World) -> FlaskClient:
    """A client of the whole application."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()
