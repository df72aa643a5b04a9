"""The application, and a pack in force that our key signed."""

import pytest
from flask.testing import FlaskClient

from loyalty import policy
from loyalty.database import transaction
from loyalty.policy import Pack
from loyalty.settings import settings
from tests.servers import Database


@pytest.fixture
def pack(database: Database) -> Pack:
    """The pack that is shipped, signed with a key of this test and in force."""
    keys = settings().keys
    policy.create_policy_key(keys)
    body = policy.SHIPPED.read_text("utf-8")
    with transaction() as session:
        return policy.enact(session, keys, body, policy.sign_pack(keys, body), "test")


@pytest.fixture
def application(database: Database) -> FlaskClient:
    """A client of the whole application."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()
