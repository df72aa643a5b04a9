"""The trail is written with the act, changed by nobody, read by auditors, and names no person."""

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from loyalty import audit, staff
from loyalty.audit.models import AuditEvent
from loyalty.audit.trail import DenialLimit
from loyalty.database import transaction
from loyalty.web import Caller
from tests.servers import Database
from tests.staff.conftest import ADMIN, add_account, add_person, token_for

ACTOR = Caller("system", "cli_0000000000001", token_fingerprint="f" * 32, request_id="r1")


def write(action: str = "purchase.reported", detail: dict[str, object] | None = None) -> None:
    with transaction() as session:
        audit.record(session, ACTOR, action, "purchase", 17, detail)


def actions() -> list[str]:
    with transaction() as session:
        return list(session.scalars(text("SELECT action FROM loyalty.audit_events ORDER BY id")))


def test_an_act_is_kept_with_who_and_what(database: Database) -> None:
    write(detail={"lines": 3})
    with transaction() as session:
        event = session.query(AuditEvent).one()
    assert (event.actor_kind, event.actor_id) == ("system", "cli_0000000000001")
    assert (event.subject_type, event.subject_id) == ("purchase", "pur_000000000000h")
    assert (event.request_id, event.token_fingerprint) == ("r1", "f" * 32)
    assert event.detail == {"lines": 3}


def test_an_act_that_is_rolled_back_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), transaction() as session:
        audit.record(session, ACTOR, "purchase.reported", "purchase", 17)
        raise RuntimeError
    assert actions() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE loyalty.audit_events SET action = 'x.y'",
        "DELETE FROM loyalty.audit_events",
        "TRUNCATE loyalty.audit_events",
        "ALTER TABLE loyalty.audit_events DISABLE TRIGGER ALL",
    ],
)
def test_nobody_changes_what_is_written(database: Database, statement: str) -> None:
    write()
    with pytest.raises(DBAPIError), transaction() as session:
        session.execute(text(statement))
    if not statement.startswith("ALTER"):
        with pytest.raises(psycopg.Error), psycopg.connect(database.owner_url) as owner:
            owner.execute(statement)
    assert actions() == ["purchase.reported"]


@pytest.mark.parametrize("detail", [{"name": "x" * 201}, {"amount": 1.5}, {"nested": {"a": 1}}])
def test_detail_is_plain_and_short(database: Database, detail: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(detail))):
        write(detail=detail)


def test_an_action_is_dotted(database: Database) -> None:
    with pytest.raises(ValueError, match="dotted"):
        write("did something")


def test_auditors_page_through_the_trail_newest_first(client: FlaskClient, branch: int) -> None:
    for _ in range(5):
        write()
    token = staff.issue_staff_token(add_person("wang", branch, "auditor")).token
    headers = {"Authorization": f"Bearer {token}"}
    address = "/v1/audit?limit=2&subject_type=purchase"
    seen: list[str] = []
    while address:
        response = client.get(address, headers=headers)
        assert response.status_code == 200
        seen += [item["id"] for item in response.get_json()["items"]]
        link = response.headers.get("Link", "")
        address = link.partition(">")[0].removeprefix("<http://127.0.0.1:8000")
        write("other.thing")
    assert len(set(seen)) == len(seen) >= 5
    assert seen == sorted(seen, reverse=True)


def test_a_denied_call_leaves_a_row_but_no_flood(client: FlaskClient) -> None:
    account = add_account("shop", ["points:read"])
    headers = {"Authorization": f"Bearer {token_for(client, account)}"}
    before = actions()
    for _ in range(DenialLimit.PER_MINUTE + 5):
        assert client.get("/v1/audit", headers=headers).status_code == 403
    denials = actions()[len(before) :]
    assert set(denials) == {"access.denied"}
    # The minute may turn over while we count.
    assert DenialLimit.PER_MINUTE <= len(denials) <= DenialLimit.PER_MINUTE + 5
    with transaction() as session:
        event = session.query(AuditEvent).order_by(AuditEvent.id.desc()).first()
    assert event is not None
    assert (event.subject_id, event.detail) == ("GET /v1/audit", {"problem": "forbidden"})
    assert len(event.token_fingerprint) == 32


def test_each_token_has_its_own_bound() -> None:
    limit = DenialLimit()
    admitted = [limit.admits("a") for _ in range(DenialLimit.PER_MINUTE)]
    assert all(admitted)
    assert limit.admits("b")


def test_changes_of_people_and_clients_are_in_the_trail(branch: int) -> None:
    person = add_person("li", branch, "viewer")
    account = add_account("till", ["points:read"])
    with transaction() as session:
        staff.revoke_role(session, ADMIN, person, "viewer")
        staff.disable_staff(session, ADMIN, person)
        staff.disable_client(session, ADMIN, account.number)
    assert actions() == [
        "unit.added",
        "staff.added",
        "staff.role_granted",
        "client.added",
        "client.secret_added",
        "staff.role_revoked",
        "staff.disabled",
        "client.disabled",
    ]
