"""People who do not exist, and an application whose tokens are names."""

import time
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import audit, customers, staff, vault
from loyalty.audit import api as audit_api
from loyalty.audit import trail
from loyalty.customers import NewCustomer
from loyalty.customers.api import blueprint
from loyalty.database import transaction
from loyalty.proposals.api import blueprint as decisions
from loyalty.web import Caller, Kind, Refused, ids
from loyalty.web.app import create_app
from loyalty.web.bearer import Verified
from tests.servers import Database

assert audit  # the slice that keeps what these tests look for

WANG = NewCustomer(
    reference="B-0001",
    name="王小明",
    phone="13812345678",
    email="wang@example.com",
    birthday=date(1990, 5, 17),
)
SCOPES = ("customers:write", "customers:read", "customers:search", "customers:tokens")
CALLERS = {
    "bank": Caller(
        Kind.SYSTEM,
        "cli_0000000000001",
        scopes=frozenset({*SCOPES, "points:read"}),
        token_fingerprint="f1",
    ),
    "poor": Caller(Kind.SYSTEM, "cli_0000000000002", token_fingerprint="f2"),
    "support": Caller(Kind.STAFF, "stf_0000000000001", roles=frozenset({"support"})),
    "head": Caller(Kind.STAFF, "stf_0000000000002", roles=frozenset({"head_office"})),
    "officer": Caller(Kind.STAFF, "stf_0000000000004", roles=frozenset({"data_officer"})),
    "viewer": Caller(Kind.STAFF, "stf_0000000000003", roles=frozenset({"viewer"})),
}


def register(*people: NewCustomer) -> list[int]:
    """Register people and return their ids."""
    with transaction() as session:
        results = customers.register(session, people)
    numbers = [result.customer_id for result in results]
    assert None not in numbers
    return [number for number in numbers if number is not None]


def erase(customer_id: int) -> vault.Receipt:
    """Erase a customer."""
    with transaction() as session:
        return customers.erase(session, customer_id, vault.Reason.REQUEST)


def add_branch(name: str) -> int:
    """Add a branch and return its number."""
    with transaction() as session:
        return staff.add_unit(session, Caller.job("test"), "branch", name).id


def verify(token: str) -> Verified:
    """Return the caller whose name the token is; `cus_…` is that customer."""
    if token.startswith("cus_"):
        scopes = frozenset({"customers:read", "points:read"})
        number = ids.decode("cus", token)
        caller = Caller(Kind.CUSTOMER, token, scopes=scopes, customer_id=number)
        return Verified(caller, time.time() + 600)
    if token not in CALLERS:
        raise Refused("unauthenticated")
    return Verified(CALLERS[token], time.time() + 600)


@pytest.fixture
def client(database: Database, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an application that serves customers, and has kept no denials so far."""
    monkeypatch.setattr(audit_api, "_denials", trail.DenialLimit())
    with transaction() as session:
        unit = staff.add_unit(session, Caller.job("test"), "head_office", "总行")
        for login in ("one", "two", "three", "four"):
            staff.add_staff(
                session, Caller.job("test"), login=login, name="李四", unit_id=unit.id, roles=[]
            )
    application = create_app(
        [blueprint, decisions], verify=verify, record_denial=audit_api.record_denial
    )
    return application.test_client()


def erase_by_two(client: FlaskClient, customer: str, reason: str = "customer-request") -> Any:
    """Have the data officer propose and head office agree; return the proposal as it ended."""
    proposed = client.post(
        f"/v1/customers/{customer}/erasure",
        json={"reason": reason},
        headers=bearer("officer", "e1"),
    )
    assert proposed.status_code == 201, proposed.get_json()
    proposal = proposed.get_json()
    return client.post(
        f"/v1/proposals/{proposal['proposal_id']}/decisions",
        json={"decision": "approve", "digest": proposal["digest"]},
        headers=bearer("head", "e2"),
    )


def bearer(name: str, key: str = "") -> dict[str, str]:
    """Return the headers with which `name` calls."""
    headers = {"Authorization": f"Bearer {name}", "Accept-Language": "en"}
    return {**headers, "Idempotency-Key": key} if key else headers
