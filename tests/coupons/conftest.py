"""A programme with members and a shop, and the application as it is served."""

import pytest
from flask.testing import FlaskClient

from tests.coupons.builders import World, build_world
from tests.servers import Database


@pytest.fixture
def world(database: Database) -> World:
    """A programme with two members and a partner that takes its coupons."""
    return build_world()


@pytest.fixture
def application(world: World) -> FlaskClient:
    """A client of the whole application."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()
