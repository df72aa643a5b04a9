"""Events over HTTP: a system reports them, the customer sees what waits, for what, and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.callers import Client, add_person, add_system, as_customer, pointers, problem, trail
from tests.points.builders import BASE, World, build_world
from tests.points.test_points_api import bought, buy
from tests.servers import Database

OCCURRED = "2026-11-01T09:30:00+08:00"


@pytest.fixture
def world(database: Database) -> World:
    """A programme whose points wait until the goods were delivered."""
    pending = {"event": "delivered", "about": "purchase", "days": 90, "then": "lapse"}
    return build_world(base={**BASE, "pending": pending})


@pytest.fixture
def bank(world: World, application: FlaskClient) -> Client:
    return add_system(application, "points:read", "purchases:write", "confirmations:write")


@pytest.fixture
def me(world: World, application: FlaskClient, bank: Client) -> Client:
    return as_customer(application, bank, world.customers["00001"], "points:read")


def report(bank: Client, *confirmations: dict[str, Any], key: str = "") -> Any:
    return bank.post("/v1/confirmations", {"confirmations": list(confirmations)}, key)


def delivered(reference: str, **about: Any) -> dict[str, Any]:
    return {"reference": reference, "event": "delivered", "occurred_at": OCCURRED, **about}


def test_a_customer_sees_what_waits_and_afterwards_why_it_came(
    world: World, bank: Client, me: Client
) -> None:
    number = buy(bank, "p1", 1_000)["purchase_id"]
    before = me.get("/v1/customers/me/points").get_json()
    (waits,) = before["waiting"]
    assert (before["available"], before["pending"], before["arrivals"]) == (0, 10, [])
    assert waits.pop("lapses_at") == before["expiries"][0]["at"]
    assert waits == {"event": "delivered", "about": "purchase", "points": 10, "usable_at": None}
    (line,) = me.get("/v1/customers/me/statement").get_json()["items"]
    assert (line["waits"], line["available_from"]) == (True, None)
    waited = me.get(line["why"]).get_json()["waited"]
    assert (waited["event"], waited["confirmation_id"], waited["line"]) == ("delivered", None, None)

    answer = report(bank, delivered("e1", purchase="p1"))
    assert answer.status_code == 201
    (done,) = answer.get_json()["confirmations"]
    assert (done["outcome"], done["points"], done["problem"]) == ("recorded", 10, None)
    after = me.get("/v1/customers/me/points").get_json()
    assert (after["available"], after["pending"], after["waiting"]) == (10, 0, [])
    came, went, _ = me.get("/v1/customers/me/statement").get_json()["items"]
    assert [(one["kind"], one["points"], one["waits"]) for one in (went, came)] == [
        ("confirm", -10, False),
        ("confirm", 10, False),
    ]
    assert (came["en"], came["reverses"], went["reverses"]) == (
        "waiting points became usable",
        None,
        1,
    )
    why = me.get(came["why"]).get_json()
    assert (why["purchase"]["purchase_id"], why["same_again"]) == (number, True)
    assert why["waited"] == {
        "event": "delivered",
        "about": "purchase",
        "confirmation_id": done["confirmation_id"],
        "occurred_at": "2026-11-01T01:30:00Z",
        "recorded_at": why["waited"]["recorded_at"],
        "line": came["line"],
    }
    assert trail("points.confirmed") == [
        (bank.name, done["confirmation_id"], {"programme": "sample", "recorded": 1, "points": 10})
    ]


def test_events_name_purchases_of_other_systems_by_our_id(
    world: World, application: FlaskClient, bank: Client
) -> None:
    number = buy(bank, "p1", 1_000)["purchase_id"]
    courier = add_system(application, "confirmations:write")
    assert problem(report(courier, delivered("e1", purchase="p1"))) == (404, "unknown-purchase")
    (done,) = report(courier, delivered("e1", purchase_id=number)).get_json()["confirmations"]
    assert done["points"] == 10


def test_sent_again_it_counts_once_and_a_neighbour_goes_on(world: World, bank: Client) -> None:
    buy(bank, "p1", 1_000)
    first = report(bank, delivered("e1", purchase="p1"), key="k1")
    assert report(bank, delivered("e1", purchase="p1"), key="k1").data == first.data
    again, unknown = report(
        bank, delivered("e1", purchase="p1"), delivered("e2", customer="nobody")
    ).get_json()["confirmations"]
    assert (again["outcome"], again["points"]) == ("known", 10)
    assert (unknown["outcome"], unknown["problem"]) == ("refused", "unknown-customer")
    assert problem(report(bank, delivered("e1", customer="00001"))) == (409, "reference-reused")


def test_an_event_is_about_exactly_one_thing(world: World, bank: Client) -> None:
    for about in (
        {},
        {"purchase": "p1", "customer": "00001"},
        {"purchase": "p1", "purchase_id": "pur_0000000000001"},
    ):
        refused = report(bank, delivered("e1", **about))
        assert pointers(refused) == [("/confirmations/0/purchase", "one_subject")]
    for wrong in ({"purchase": None}, {"purchase_id": "cus_0000000000001"}, {"customer": ""}):
        assert problem(report(bank, delivered("e1", **wrong))) == (422, "invalid-content")
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    late = {**delivered("e1", customer="00001"), "occurred_at": soon}
    assert problem(report(bank, late)) == (422, "future-dated")
    many = [delivered(f"e{number}", customer="00001") for number in range(1_001)]
    assert problem(report(bank, *many)) == (422, "invalid-content")


def test_who_may_not_report_events(world: World, application: FlaskClient, me: Client) -> None:
    reporter = add_system(application, "purchases:write")
    clerk = add_person(application, "head_office")
    assert buy(reporter, "p1", 100)["outcome"] == "recorded"
    for caller in (reporter, clerk, me):
        assert report(caller, delivered("e1", purchase="p1")).status_code == 403


def test_a_thousand_events_take_one_request(world: World, bank: Client, me: Client) -> None:
    many = [bought(f"p{number}", 100) for number in range(1_000)]
    assert bank.post("/v1/purchases", {"purchases": many}).status_code == 201
    events = [delivered(f"e{number}", purchase=f"p{number}") for number in range(1_000)]
    found = report(bank, *events).get_json()["confirmations"]
    assert sum(one["points"] for one in found) == 1_000
    assert me.get("/v1/customers/me/points").get_json()["available"] == 1_000
