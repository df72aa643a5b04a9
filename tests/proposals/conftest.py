"""Kinds of proposals about a number that stands in a dictionary, and the people around them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from loyalty import proposals
from loyalty.audit import api as audit_api
from loyalty.database import transaction
from loyalty.proposals import Kind, Proposal, Seat, kinds
from loyalty.proposals.api import blueprint
from loyalty.staff.api import verify_token
from loyalty.web import Bilingual, Caller, Refused, ids
from loyalty.web.app import create_app
from tests.callers import Client, add_person
from tests.servers import Database


@dataclass
class Thermostat:
    """What the proposals of these tests are about."""

    degrees: int = 20
    applied: list[int] = field(default_factory=list)


@dataclass
class House:
    """The application, its thermostat, and the kinds with one seat and with two."""

    application: FlaskClient
    thermostat: Thermostat
    one: Kind
    two: Kind

    def propose(self, maker: Client, kind: Kind, degrees: int) -> Proposal:
        with transaction() as session:
            return proposals.propose(
                session, caller_of(maker), kind, "room", "kitchen", {"degrees": degrees}
            )

    def person(self, *roles: str) -> Client:
        return add_person(self.application, *roles)


def caller_of(client: Client) -> Caller:
    """Return the caller that the application sees behind a client's token."""
    return verify_token(client.token).caller


def decide(client: Client, proposal: Proposal, decision: str = "approve", **changes: Any) -> Any:
    """Decide a proposal over HTTP and return the response."""
    body = {"decision": decision, "digest": proposal.digest, **changes}
    return client.post(f"/v1/proposals/{ids.encode('prp', proposal.id)}/decisions", body)


@pytest.fixture
def house(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house whose temperature two or three people decide together."""
    monkeypatch.setattr(kinds, "_KINDS", {})
    thermostat = Thermostat()

    def apply(_: Session, __: Caller, proposal: Proposal) -> Mapping[str, Any]:
        if proposal.content["degrees"] > 30:
            raise Refused("invalid-content")
        thermostat.degrees = proposal.content["degrees"]
        thermostat.applied.append(proposal.id)
        return {"degrees": thermostat.degrees}

    def look(_: Session, __: str, ___: Mapping[str, Any]) -> int:
        return thermostat.degrees

    def kind(name: str, *seats: Seat) -> Kind:
        return proposals.register(
            Kind(
                name=name,
                title=Bilingual("调温", "Set the temperature"),
                makers=frozenset({"operations"}),
                seats=seats,
                apply=apply,
                look=look,
            )
        )

    one = kind("room.heat", Seat.of("head", "head_office"))
    two = kind("room.cool", Seat.of("head", "head_office"), Seat.of("money", "finance"))
    app = create_app([blueprint], verify=verify_token, record_denial=audit_api.record_denial)
    yield House(app.test_client(), thermostat, one, two)
