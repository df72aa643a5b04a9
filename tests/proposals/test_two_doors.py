"""Earning rules and tier applications are decided in the inbox or by their own route: once.

Whichever door a second person takes, the rule or the application and the proposal end alike.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import tiers
from loyalty.database import transaction
from loyalty.tiers import Ladder, Tier
from loyalty.web import ids
from tests.callers import Client, add_person, problem, trail
from tests.pages.windows import session_of
from tests.points.builders import World, build_world
from tests.points.test_rules_api import BONUS, body
from tests.servers import Database

DOORS = ["inbox", "own"]


@pytest.fixture
def world(database: Database) -> World:
    """A programme with two tiers."""
    made = build_world()
    steps = Tier("standard", "普通", "Standard", 0), Tier("gold", "金卡", "Gold", 100)
    with transaction() as session:
        tiers.create_ladder(session, made.programme, Ladder(steps))
    return made


@pytest.fixture
def client(world: World) -> FlaskClient:
    """The application as it is served."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build().test_client()


def waiting(reader: Client, kind: str) -> dict[str, Any]:
    """Return the one proposal of a kind."""
    (found,) = reader.get("/v1/proposals", kind=kind).get_json()["items"]
    return dict(found)


def decide(decider: Client, door: str, own: str, made: Any, kind: str, decision: str) -> Any:
    """Decide by one of the two doors."""
    if door == "own":
        return decider.post(own, {"decision": decision, "digest": made["digest"], "comment": "可"})
    proposal = waiting(decider, kind)
    return decider.post(
        f"/v1/proposals/{proposal['proposal_id']}/decisions",
        {"decision": decision, "digest": proposal["digest"], "comment": "可"},
    )


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("decision", "ends"), [("approve", "applied"), ("reject", "rejected")])
def test_a_rule_is_decided_by_either_door(
    client: FlaskClient, door: str, decision: str, ends: str
) -> None:
    maker, checker = (add_person(client, f"marketing_{role}") for role in ("maker", "checker"))
    made = maker.post("/v1/earning-rules", body(BONUS, code="base")).get_json()
    path = f"/v1/earning-rules/{made['rule_id']}"
    shown = waiting(checker, "points.earning-rule")
    assert (shown["subject"]["id"], shown["state"]) == (made["rule_id"], "open")
    assert shown["content"]["document"] == BONUS
    assert (shown["before"]["version"], shown["before"]["document"]["per"]) == (1, 100)
    taken_back = maker.application.post(
        f"/v1/proposals/{shown['proposal_id']}/withdrawal",
        headers={"Authorization": f"Bearer {maker.token}", "Idempotency-Key": "back"},
    )
    assert problem(taken_back) == (403, "forbidden")
    done = decide(checker, door, f"{path}/decision", made, "points.earning-rule", decision)
    assert done.status_code == 200, done.data
    rule = checker.get(path).get_json()
    assert rule["state"] == {"approve": "approved", "reject": "rejected"}[decision]
    assert (rule["decision"]["by"], rule["decision"]["comment"]) == (checker.name, "可")
    ended = waiting(checker, "points.earning-rule")
    assert (ended["state"], ended["end"]["by"]) == (ends, checker.name)
    assert len(trail(f"rule.{rule['state']}")) == 1
    late = decide(checker, "own", f"{path}/decision", made, "", "approve")
    assert problem(late) == (409, "already-decided")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("decision", "tier"), [("approve", "gold"), ("reject", "standard")])
def test_an_application_is_decided_by_either_door(
    client: FlaskClient, world: World, door: str, decision: str, tier: str
) -> None:
    branch, head = add_person(client, "branch"), add_person(client, "head_office")
    customer = ids.encode("cus", world.customers["00001"])
    ends_on = (datetime.now(UTC).date() + timedelta(days=100)).isoformat()
    asked = {"customer_id": customer, "tier": "gold", "reason": "张三开户", "ends_on": ends_on}
    made = branch.post("/v1/tier-applications", asked).get_json()
    shown = waiting(head, "tiers.assignment")
    assert shown["content"] == {
        **{"customer": customer, "programme": "sample", "tier": "gold", "ends_on": ends_on},
        "application_digest": made["digest"],
    }
    client.set_cookie("quanyi-staff", session_of("staff", ids.decode("stf", head.name)))
    page = client.get(f"/console/proposals/{shown['proposal_id']}")
    assert (page.status_code, "张三开户" in page.get_data(as_text=True)) == (200, True)
    assert [who for who, _, _ in trail("tier.application_read")] == [head.name]
    own = f"/v1/tier-applications/{made['id']}/decision"
    done = decide(head, door, own, made, "tiers.assignment", decision)
    assert done.status_code == 200, done.data
    (found,) = head.get("/v1/tier-applications").get_json()["items"]
    assert found["state"] == {"approve": "approved", "reject": "rejected"}[decision]
    assert (found["decision"]["by"], found["decision"]["comment"]) == (head.name, "可")
    ended = waiting(head, "tiers.assignment")
    assert ended["state"] == {"approve": "applied", "reject": "rejected"}[decision]
    with transaction() as session:
        assert tiers.current(session, world.programme, [world.customers["00001"]]) == {
            world.customers["00001"]: tier
        }
    late = decide(head, "own", own, made, "", "approve")
    assert problem(late) == (409, "application-decided")
