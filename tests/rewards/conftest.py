"""A programme with members who have points, a shop, and the application as it is served."""

import pytest
from flask.testing import FlaskClient

from tests.coupons.builders import World
from tests.rewards.builders import build_rich_world
from tests.servers import Database


@pytest.fixture
def world(database: Database) -> World:
    """A programme with two members who have 10,000 points each, and a partner."""
    return build_rich_world()


@pytest.fixture
def application(world: World) -> FlaskClient:
    """A client of the whole application."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()
