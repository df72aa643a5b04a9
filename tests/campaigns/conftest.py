"""The application as it is served, with the people around a campaign and its audience."""

import pytest
from flask.testing import FlaskClient

from loyalty.messages import gateways
from tests.campaigns.builders import House, build_house
from tests.servers import Database, forget_connections


@pytest.fixture
def house(database: Database) -> House:
    """A programme with members who agreed, refused, or said nothing, and marketing staff."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build_house(build().test_client())


@pytest.fixture
def sending(house: House, database: Database, environment: pytest.MonkeyPatch) -> House:
    """The same, with a login that may act as the gate and as the adapter, one after the other."""
    environment.setenv("DATABASE_URL", database.superuser_url)
    gateways.gateways.cache_clear()
    forget_connections()
    return house


@pytest.fixture
def application(house: House) -> FlaskClient:
    """A client of the whole application."""
    return house.application
