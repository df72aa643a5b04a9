"""Adjusting: one proposes, another agrees, then the points move once, and the reason is seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import customers, vault
from loyalty.database import transaction
from loyalty.web import ids
from tests.callers import (
    Client,
    add_person,
    add_system,
    as_customer,
    pointers,
    problem,
    trail,
)
from tests.ledger.invariants import check_ledger
from tests.points.builders import World, balance, purchase, recorded
from tests.points.test_points_api import path_of
from tests.servers import Database

GIVE: dict[str, Any] = {
    "direction": "give",
    "points": 50,
    "reason": "complaint",
    "case": "CS-2026-17",
}
TAKE: dict[str, Any] = {"direction": "take", "points": 20, "reason": "mistake"}


@pytest.fixture
def clerk(world: World, application: FlaskClient) -> Client:
    recorded(world, purchase("p0", 3_000))
    return add_person(application, "support")


@pytest.fixture
def head(world: World, application: FlaskClient) -> Client:
    return add_person(application, "head_office")


def propose(world: World, maker: Client, body: dict[str, Any], customer: str = "00001") -> Any:
    return maker.post(path_of(world, "adjustments", customer), body)


def decide(checker: Client, proposal: dict[str, Any], decision: str = "approve") -> Any:
    path = f"/v1/proposals/{proposal['proposal_id']}/decisions"
    return checker.post(path, {"decision": decision, "digest": proposal["digest"]})


def test_points_move_when_a_second_person_agrees_and_say_why(
    database: Database, world: World, application: FlaskClient, clerk: Client, head: Client
) -> None:
    answer = propose(world, clerk, GIVE)
    assert answer.status_code == 201
    proposal = answer.get_json()
    assert balance(world).available == 30
    done = decide(head, proposal).get_json()
    assert (done["state"], done["end"]["result"]["balance"]) == ("applied", 80)
    assert (balance(world).available, balance(world).expiries) == (80, ())
    bank = add_system(application, "points:read")
    me = as_customer(application, bank, world.customers["00001"], "points:read")
    line, _ = me.get("/v1/customers/me/statement").get_json()["items"]
    assert (line["kind"], line["points"], line["en"]) == ("adjust", 50, "an adjustment")
    why = me.get(line["why"]).get_json()
    assert why["en"] == "an adjustment: redress for a complaint."
    assert why["adjustment"] == {
        "proposal_id": proposal["proposal_id"],
        "reason": "complaint",
        "case": "CS-2026-17",
    }
    assert why["terms"] == {"programme": "sample", "adjustment": "complaint", "expires_at": None}
    ((actor, subject, detail),) = trail("points.adjusted")
    assert (actor, subject) == (head.name, ids.encode("cus", world.customers["00001"]))
    assert (detail["points"], detail["direction"]) == (50, "give")
    check_ledger(database)


def test_what_is_taken_is_never_more_than_there_is(
    world: World, clerk: Client, head: Client
) -> None:
    too_much = propose(world, clerk, {**TAKE, "points": 31}).get_json()
    assert problem(decide(head, too_much)) == (409, "insufficient")
    assert head.get(f"/v1/proposals/{too_much['proposal_id']}").get_json()["state"] == "open"
    taken = decide(head, propose(world, clerk, TAKE).get_json()).get_json()
    assert (taken["end"]["result"]["balance"], balance(world).available) == (10, 10)


def test_what_is_given_lapses_when_it_says(world: World, clerk: Client, head: Client) -> None:
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    decide(head, propose(world, clerk, {**GIVE, "expires_at": expires.isoformat()}).get_json())
    assert balance(world).expiries == ((expires, 50),)


def test_the_proposer_cannot_agree_and_the_clerk_is_no_second_person(
    world: World, application: FlaskClient, clerk: Client, head: Client
) -> None:
    own = propose(world, head, GIVE).get_json()
    assert problem(decide(head, own)) == (409, "own-proposal")
    assert problem(decide(add_person(application, "support"), own)) == (403, "forbidden")
    assert balance(world).available == 30
    assert decide(add_person(application, "head_office"), own).get_json()["state"] == "applied"


def test_two_people_who_redress_the_same_thing_do_not_both_succeed(
    world: World, application: FlaskClient, clerk: Client, head: Client
) -> None:
    first = propose(world, clerk, GIVE).get_json()
    second = propose(world, add_person(application, "support"), GIVE).get_json()
    decide(head, first)
    assert problem(decide(head, second)) == (409, "proposal-stale")
    assert balance(world).available == 80
    again = propose(world, clerk, GIVE).get_json()
    assert again["before"] == {"latest": first["proposal_id"]}
    assert decide(head, again).get_json()["state"] == "applied"


def test_what_makes_no_sense_is_refused_with_the_place(world: World, clerk: Client) -> None:
    soon = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    for change, place in (
        ({"points": 0}, ("/points", "range")),
        ({"points": -5}, ("/points", "range")),
        ({"points": 10_000_001}, ("/points", "range")),
        ({"direction": "lend"}, ("/direction", "choice")),
        ({"reason": "he is my friend"}, ("/reason", "choice")),
        ({"expires_at": soon}, ("/expires_at", "after_decision")),
        ({**TAKE, "expires_at": "2999-01-01T00:00:00Z"}, ("/expires_at", "given_only")),
        ({"note": "王小明"}, ("/note", "unknown")),
    ):
        assert pointers(propose(world, clerk, {**GIVE, **change})) == [place]


def test_only_members_who_are_there_are_adjusted(world: World, clerk: Client, head: Client) -> None:
    assert problem(propose(world, clerk, GIVE, "00002")) == (404, "not-a-member")
    proposal = propose(world, clerk, GIVE).get_json()
    with transaction() as session:
        customers.erase(session, world.customers["00001"], vault.Reason.REQUEST)
    assert problem(decide(head, proposal)) == (409, "customer-erased")
    assert problem(propose(world, clerk, GIVE)) == (409, "customer-erased")


def test_nobody_else_proposes(world: World, application: FlaskClient, clerk: Client) -> None:
    for caller in (
        add_system(application, "points:spend", "purchases:write"),
        add_person(application, "viewer", "branch", "auditor"),
    ):
        assert propose(world, caller, GIVE).status_code == 403
