"""The application as it is served, with the people who look after partners."""

from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.callers import Client, add_person
from tests.servers import Database


@dataclass(frozen=True)
class House:
    """The application, who proposes, and who agrees."""

    application: FlaskClient
    manager: Client
    finance: Client

    def agree(self, made: TestResponse, by: Client | None = None) -> TestResponse:
        """Agree to what was just proposed; return the answer."""
        assert made.status_code == 201, made.data
        proposal = made.get_json()
        decision = {"decision": "approve", "digest": proposal["digest"]}
        path = f"/v1/proposals/{proposal['proposal_id']}/decisions"
        return (by or self.finance).post(path, decision)

    def result(self, made: TestResponse) -> dict[str, str]:
        """Agree to what was just proposed, and return what came of it."""
        answer = self.agree(made)
        assert answer.status_code == 200, answer.data
        result: dict[str, str] = answer.get_json()["end"]["result"]
        return result


@pytest.fixture
def application(database: Database) -> FlaskClient:
    """A client of the whole application."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()


@pytest.fixture
def house(application: FlaskClient) -> House:
    """The application with a partner manager and somebody of finance."""
    return House(
        application,
        add_person(application, "partner_manager"),
        add_person(application, "finance"),
    )
