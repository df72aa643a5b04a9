"""Points over HTTP: reported once, shown with reasons to whom they belong, spent and given back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from loyalty import customers, vault
from loyalty.database import transaction
from loyalty.web import ids
from tests.callers import Client, add_person, add_system, as_customer, pointers, problem, trail
from tests.points.builders import YESTERDAY, World, balance

SCOPES = ("points:read", "points:spend", "purchases:write")
READ = ("points:read",)


@pytest.fixture
def bank(world: World, application: FlaskClient) -> Client:
    return add_system(application, *SCOPES)


@pytest.fixture
def me(world: World, application: FlaskClient, bank: Client) -> Client:
    """Customer 00001, who has 30 points of one purchase."""
    buy(bank, "p0", 3_050)
    return as_customer(application, bank, world.customers["00001"], "points:read", "points:spend")


def bought(reference: str, amount: int, customer: str = "00001", **more: Any) -> dict[str, Any]:
    at = more.pop("at", YESTERDAY).isoformat()
    return {
        "reference": reference,
        "customer": customer,
        "purchased_at": at,
        "amount": amount,
        **more,
    }


def buy(bank: Client, reference: str, amount: int, **more: Any) -> dict[str, Any]:
    answer = bank.post("/v1/purchases", {"purchases": [bought(reference, amount, **more)]})
    assert answer.status_code == 201, answer.get_json()
    found: dict[str, Any] = answer.get_json()["purchases"][0]
    return found


def path_of(world: World, rest: str, reference: str = "00001") -> str:
    return f"/v1/customers/{ids.encode('cus', world.customers[reference])}/{rest}"


# -- purchases and refunds ---------------------------------------------------------------------


def test_a_purchase_is_answered_with_what_it_earned_and_why(world: World, bank: Client) -> None:
    found = buy(bank, "p1", 1_299, category="5812")
    assert (found["outcome"], found["points"], found["status_points"]) == ("recorded", 12, 12)
    (reason,) = found["reasons"]
    assert reason["en"].startswith("Rule base v1: awarded by the rule, 12 points (12.99 / 1.00 x 1")
    assert reason["steps"] == [
        {"amount": 1_299, "points": 1, "per": 100, "rounding": "floor", "gives": 12}
    ]
    assert trail("purchases.reported") == [
        (bank.name, found["purchase_id"], {"programme": "sample", "recorded": 1, "points": 12})
    ]


def test_a_purchase_sent_again_counts_once(world: World, bank: Client) -> None:
    body = {"purchases": [bought("p1", 500)]}
    first = bank.post("/v1/purchases", body, "k1")
    same_key = bank.post("/v1/purchases", body, "k1")
    assert same_key.data == first.data
    assert same_key.headers["Idempotent-Replayed"] == "true"
    new_key = bank.post("/v1/purchases", body, "k2")
    assert new_key.status_code == 201
    (was,), (now,) = first.get_json()["purchases"], new_key.get_json()["purchases"]
    assert now == {**was, "outcome": "known"}
    assert balance(world).available == 5
    other = {"purchases": [bought("p1", 600)]}
    assert problem(bank.post("/v1/purchases", other, "k3")) == (409, "reference-reused")
    assert problem(bank.post("/v1/purchases", other, "k1")) == (422, "idempotency-key-reused")


def test_in_a_list_the_refused_do_not_stop_the_others(world: World, bank: Client) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    lines = [{"line": 1, "amount": 99}]
    answer = bank.post(
        "/v1/purchases",
        {
            "purchases": [
                bought("a", 100, "nobody"),
                bought("b", 100, at=soon),
                bought("c", 100, lines=lines),
                bought("d", 100),
                bought("d", 200),
                bought("e", 300, "00002"),
            ]
        },
    )
    assert answer.status_code == 201
    found = answer.get_json()["purchases"]
    assert [(one["reference"], one["problem"]) for one in found] == [
        ("a", "unknown-customer"),
        ("b", "future-dated"),
        ("c", "lines-differ"),
        ("d", None),
        ("d", "reference-reused"),
        ("e", None),
    ]
    assert [one["purchase_id"] is None for one in found] == [True, True, True, False, True, False]
    assert (balance(world).available, balance(world, "00002").available) == (1, 3)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"customer": "nobody"}, (404, "unknown-customer")),
        ({"at": datetime.now(UTC) + timedelta(hours=1)}, (422, "future-dated")),
        ({"at": datetime.now(UTC) - timedelta(days=401)}, (422, "back-dated")),
        ({"lines": [{"line": 1, "amount": 99}]}, (422, "lines-differ")),
        ({"amount": -1}, (422, "invalid-content")),
        ({"amount": "１００"}, (422, "invalid-content")),
        ({"lines": [{"line": 1, "amount": 50}] * 2}, (422, "invalid-content")),
    ],
)
def test_a_single_refused_purchase_is_a_refusal(
    world: World, bank: Client, change: dict[str, Any], refusal: tuple[int, str]
) -> None:
    body = {"purchases": [bought("p1", **{"amount": 100, **change})]}
    assert problem(bank.post("/v1/purchases", body)) == refusal
    assert balance(world).available == 0


def test_refunds_take_back_what_the_rest_does_not_earn(world: World, bank: Client) -> None:
    number = buy(bank, "p1", 1_050)["purchase_id"]
    body = {"reference": "r1", "purchase": "p1", "refunded_at": YESTERDAY.isoformat()}
    first = bank.post("/v1/refunds", {**body, "amount": 60})
    assert first.get_json() == {
        "reference": "r1",
        "purchase_id": number,
        "amount": 60,
        "points_taken": 1,
        "status_points_taken": 1,
    }
    assert bank.post("/v1/refunds", {**body, "amount": 60}).get_json() == first.get_json()
    again = bank.post("/v1/refunds", {**body, "amount": 61})
    assert problem(again) == (409, "reference-reused")
    too_much = bank.post("/v1/refunds", {**body, "reference": "r2", "amount": 991})
    assert problem(too_much) == (409, "over-refund")
    rest = bank.post("/v1/refunds", {**body, "reference": "r3"}).get_json()
    assert (rest["amount"], rest["points_taken"]) == (990, 9)
    assert balance(world).available == 0
    for change, refusal in (
        ({"purchase": "unknown"}, (404, "not-found")),
        ({"reference": "r4", "lines": [9]}, (422, "unknown-line")),
        ({"reference": "r5", "lines": [1], "amount": 1}, (422, "invalid-content")),
    ):
        assert problem(bank.post("/v1/refunds", {**body, **change})) == refusal
    assert trail("purchase.refunded")[0][1] == number


def test_a_purchase_belongs_to_the_system_that_reported_it(
    world: World, application: FlaskClient, bank: Client
) -> None:
    buy(bank, "p1", 1_000)
    other = add_system(application, *SCOPES)
    body = {"reference": "r1", "purchase": "p1", "refunded_at": YESTERDAY.isoformat()}
    assert problem(other.post("/v1/refunds", body)) == (404, "not-found")
    assert buy(other, "p1", 2_000)["outcome"] == "recorded"
    assert balance(world).available == 30


# -- reading -----------------------------------------------------------------------------------


def test_points_say_what_is_there(world: World, bank: Client, me: Client) -> None:
    found = me.get("/v1/customers/me/points").get_json()
    assert found.pop("as_of")
    assert found == {
        "customer_id": me.name,
        "programme": "sample",
        "available": 30,
        "pending": 0,
        "held": 0,
        "debt": 0,
        "expiries": [],
        "arrivals": [],
        "waiting": [],
    }
    fresh = bank.get(path_of(world, "points", "00002"))
    assert problem(fresh) == (404, "not-a-member")
    with transaction() as session:
        world.member(session, "00002")
    assert bank.get(path_of(world, "points", "00002")).get_json()["available"] == 0


def test_a_customers_token_sees_that_customer_alone(
    world: World, application: FlaskClient, bank: Client, me: Client
) -> None:
    buy(bank, "theirs", 100, customer="00002")
    unknown = ids.encode("cus", 9999)
    for rest in ("points", "statement", "statement/1", "overview"):
        other = me.get(path_of(world, rest, "00002"))
        nobody = me.get(f"/v1/customers/{unknown}/{rest}")
        nonsense = me.get(f"/v1/customers/cus_1/{rest}")
        shown = [{**answer.get_json(), "instance": ""} for answer in (other, nobody, nonsense)]
        assert shown[0] == shown[1] == shown[2]
        assert problem(other) == (404, "not-found")
        assert me.get(f"/v1/customers/me/{rest}").status_code == 200
        assert me.get(path_of(world, rest)).status_code == 200
    spend = {"reference": "s1", "points": 1}
    for one in (path_of(world, "redemptions", "00002"), f"/v1/customers/{unknown}/redemptions"):
        assert problem(me.post(one, spend)) == (404, "not-found")
    assert balance(world, "00002").available == 1


def test_who_may_not_read_or_spend(
    world: World, application: FlaskClient, bank: Client, me: Client
) -> None:
    number = world.customers["00001"]
    clerk = add_person(application, "support", "head_office")
    poor = add_system(application, "customers:read")
    reader = as_customer(application, bank, number, *READ)
    spend = {"reference": "s1", "points": 1}
    for caller in (clerk, poor):
        assert caller.get(path_of(world, "points")).status_code == 403
    for caller in (clerk, poor, reader):
        assert caller.post(path_of(world, "redemptions"), spend).status_code == 403
    for caller in (clerk, poor, me):
        assert caller.post("/v1/purchases", {"purchases": [bought("x", 1)]}).status_code == 403
        hold = {**spend, "lapses_at": "2999-01-01T00:00:00Z"}
        assert caller.post(path_of(world, "holds"), hold).status_code == 403
    assert application.get(path_of(world, "points")).status_code == 401


def test_a_statement_goes_page_by_page_and_misses_nothing(
    world: World, bank: Client, me: Client
) -> None:
    for number in range(1, 6):
        buy(bank, f"p{number}", number * 100)
    path, query, lines, pages = "/v1/customers/me/statement", {"limit": "2"}, [], 0
    while True:
        answer = me.get(path, **query)
        page = answer.get_json()
        lines += page["items"]
        pages += 1
        if pages == 1:
            buy(bank, "between the pages", 900)
        if page["next_cursor"] is None:
            assert "Link" not in answer.headers
            break
        link = answer.headers["Link"]
        assert link.endswith('; rel="next"')
        following = urlsplit(link[1 : link.index(">")])
        assert following.path == path
        query = dict(pair.split("=", 1) for pair in following.query.split("&"))
        assert query["limit"] == "2"
    assert pages == 3
    assert [line["points"] for line in lines] == [5, 4, 3, 2, 1, 30]
    assert [line["balance"] for line in lines] == [45, 40, 36, 33, 31, 30]
    assert [line["line"] for line in lines] == [6, 5, 4, 3, 2, 1]
    for bad in ("nonsense", query["cursor"][:-1], "AAAA"):
        assert problem(me.get(path, cursor=bad))[0] in (400, 422)
    assert pointers(me.get(path, limit="201")) == [("limit", "range")]


def test_a_line_says_why_with_the_arithmetic_and_gives_the_same_again(
    world: World, bank: Client, me: Client
) -> None:
    (line,) = me.get("/v1/customers/me/statement").get_json()["items"]
    assert line["why"] == f"/v1/customers/{me.name}/statement/1"
    found = me.get(line["why"]).get_json()
    assert found["line"] == line
    assert found["same_again"] is True
    assert found["purchase"]["reference"] == "p0"
    assert (found["purchase"]["amount"], found["reasons"][0]["points"]) == (3_050, 30)
    assert found["en"] == (
        "points earned: a purchase of 30.50. Rule base v1: awarded by the rule, 30 points "
        "(30.50 / 1.00 x 1, rounded down = 30)."
    )
    assert found["terms"] == {
        "programme": "sample",
        "rule": "base",
        "version": 1,
        "pending": None,
        "expiry": None,
    }
    bank.post(path_of(world, "redemptions"), {"reference": "s1", "points": 4})
    spent = me.get("/v1/customers/me/statement/2").get_json()
    assert (spent["line"]["points"], spent["line"]["lots"]) == (-4, [{"line": 1, "points": 4}])
    assert (spent["purchase"], spent["same_again"]) == (None, None)
    for line_number in ("0", "3", "-1", "x", "１", "9" * 30):
        missing = me.get(f"/v1/customers/me/statement/{line_number}")
        assert problem(missing) == (404, "not-found")


def test_the_overview_is_one_answer_for_the_first_page(
    world: World, bank: Client, me: Client
) -> None:
    for number in range(1, 4):
        buy(bank, f"p{number}", number * 100)
    found = me.get("/v1/customers/me/overview").get_json()
    assert found["points"]["available"] == 36
    assert (found["tier"]["tier"]["code"], found["tier"]["score"]) == ("standard", 36)
    assert [one["line"]["points"] for one in found["last"]] == [3, 2, 1]
    assert all(one["same_again"] for one in found["last"])


# -- spending ----------------------------------------------------------------------------------


def test_points_are_spent_once_and_never_below_zero(world: World, bank: Client, me: Client) -> None:
    path = "/v1/customers/me/redemptions"
    first = me.post(path, {"reference": "s1", "points": 12}, "k1")
    assert first.status_code == 201
    answer = first.get_json()
    assert (answer["points"], answer["balance"]) == (12, 18)
    assert me.post(path, {"reference": "s1", "points": 12}, "k1").data == first.data
    assert me.post(path, {"reference": "s1", "points": 12}, "k2").get_json() == answer
    assert problem(me.post(path, {"reference": "s1", "points": 13})) == (409, "reference-reused")
    assert problem(me.post(path, {"reference": "s2", "points": 19})) == (409, "insufficient")
    for points in (0, -5, 1.5, "1", 2**53, None):
        refused = me.post(path, {"reference": "s3", "points": points})
        assert problem(refused) == (422, "invalid-content")
    assert balance(world).available == 18
    (actor, subject, detail), _ = trail("points.redeemed")
    assert (actor, subject, detail["points"]) == (me.name, me.name, 12)


def test_spent_points_are_given_back_up_to_what_was_spent(
    world: World, bank: Client, me: Client
) -> None:
    bank.post(path_of(world, "redemptions"), {"reference": "s1", "points": 12})
    path = path_of(world, "redemptions/s1/reversals")
    part = bank.post(path, {"reference": "v1", "points": 5}).get_json()
    assert (part["points"], part["balance"]) == (5, 23)
    too_much = bank.post(path, {"reference": "v2", "points": 8})
    assert problem(too_much) == (409, "over-reversal")
    assert bank.post(path, {"reference": "v3"}).get_json()["points"] == 7
    assert bank.post(path, {"reference": "v3"}).get_json()["points"] == 7
    assert balance(world).available == 30
    assert me.post(path, {"reference": "v4"}).status_code == 403
    unknown = path_of(world, "redemptions/unknown/reversals")
    assert problem(bank.post(unknown, {"reference": "v5"})) == (404, "not-found")


def test_points_are_held_captured_and_released(world: World, bank: Client, me: Client) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"reference": "h1", "points": 20, "lapses_at": later}
    hold = bank.post(path_of(world, "holds"), body).get_json()
    assert hold["points"] == 20
    assert bank.post(path_of(world, "holds"), body).get_json() == hold
    assert (balance(world).available, balance(world).held) == (10, 20)
    assert problem(me.post("/v1/customers/me/redemptions", {"reference": "s", "points": 11})) == (
        409,
        "insufficient",
    )
    one = path_of(world, f"holds/{hold['entry_id']}")
    captured = bank.post(f"{one}/captures", {"reference": "c1", "points": 15})
    assert captured.status_code == 201
    assert (captured.get_json()["points"], captured.get_json()["balance"]) == (15, 15)
    over = bank.post(f"{one}/captures", {"reference": "c2", "points": 6})
    assert problem(over) == (409, "over-hold")
    assert bank.post(f"{one}/releases", {"reference": "l1"}).status_code == 201
    closed = bank.post(f"{one}/captures", {"reference": "c3", "points": 1})
    assert problem(closed) == (409, "hold-closed")
    assert (balance(world).available, balance(world).held) == (15, 0)
    past = {**body, "reference": "h2", "lapses_at": YESTERDAY.isoformat()}
    assert problem(bank.post(path_of(world, "holds"), past)) == (422, "lapsed")
    for nothing in (ids.encode("ent", 9999), "ent_1"):
        path = path_of(world, f"holds/{nothing}/captures")
        assert problem(bank.post(path, {"reference": "c4", "points": 1})) == (404, "not-found")


def test_another_customers_hold_is_unknown(world: World, bank: Client, me: Client) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"reference": "h1", "points": 20, "lapses_at": later}
    hold = bank.post(path_of(world, "holds"), body).get_json()
    buy(bank, "theirs", 3_000, customer="00002")
    path = path_of(world, f"holds/{hold['entry_id']}/captures", "00002")
    assert problem(bank.post(path, {"reference": "c1", "points": 1})) == (404, "not-found")


def test_an_erased_customer_begins_nothing_and_ends_what_was_begun(
    world: World, bank: Client, me: Client
) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"reference": "h1", "points": 10, "lapses_at": later}
    hold = bank.post(path_of(world, "holds"), body).get_json()
    bank.post(path_of(world, "redemptions"), {"reference": "s1", "points": 5})
    with transaction() as session:
        customers.erase(session, world.customers["00001"], vault.Reason.REQUEST)
    new = {"purchases": [bought("p9", 100)]}
    assert problem(bank.post("/v1/purchases", new)) == (404, "unknown-customer")
    for path, sent in (
        ("redemptions", {"reference": "s2", "points": 1}),
        ("holds", {**body, "reference": "h2"}),
    ):
        assert problem(bank.post(path_of(world, path), sent)) == (409, "customer-erased")
    assert bank.get(path_of(world, "points")).get_json()["available"] == 15
    assert len(bank.get(path_of(world, "statement")).get_json()["items"]) == 2
    assert bank.get(path_of(world, "statement/1")).get_json()["same_again"] is True
    one = path_of(world, f"holds/{hold['entry_id']}")
    assert bank.post(f"{one}/captures", {"reference": "c1", "points": 4}).status_code == 201
    assert bank.post(f"{one}/releases", {"reference": "l1"}).status_code == 201
    back = bank.post(path_of(world, "redemptions/s1/reversals"), {"reference": "v1"})
    assert back.status_code == 201
    refund = {"reference": "r1", "purchase": "p0", "refunded_at": YESTERDAY.isoformat()}
    assert bank.post("/v1/refunds", {**refund, "amount": 50}).status_code == 201
