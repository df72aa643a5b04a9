"""Benefits over HTTP: who may see, use, offer and grant them, and what the trail keeps of it."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import customers, programmes, vault
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.web import ids
from tests.benefits.builders import NOW, World, lounge, use
from tests.callers import (
    Client,
    add_person,
    add_system,
    as_customer,
    pointers,
    problem,
    trail,
)

SPA: dict[str, Any] = {
    "code": "spa",
    "kind": "service",
    "name": {"zh": "水疗", "en": "Spa"},
    "period": "quarter",
    "tiers": [{"tier": "gold", "quota": 2, "guests": 1}, {"tier": "diamond", "quota": None}],
    "promise_minutes": 30,
}
GRANT: dict[str, Any] = {
    "reference": "case-7",
    "benefit": "lounge",
    "quota": 2,
    "starts_at": (NOW - timedelta(hours=1)).isoformat(),
    "ends_at": (NOW + timedelta(days=30)).isoformat(),
    "reason": "complaint",
}


@pytest.fixture
def bank(application: FlaskClient) -> Client:
    return add_system(application, "benefits:read", "benefits:use")


@pytest.fixture
def head(application: FlaskClient) -> Client:
    return add_person(application, "head_office")


def public(world: World) -> str:
    return ids.encode("cus", world.gold.customer_id)


def uses(world: World, code: str = "lounge") -> str:
    return f"/v1/customers/{public(world)}/benefits/{code}/uses"


def test_a_customer_reads_their_benefits_and_nobody_elses(
    world: World, application: FlaskClient, bank: Client
) -> None:
    me = as_customer(application, bank, world.gold.customer_id, "benefits:read")
    use(world, "u1")
    answer = me.get("/v1/customers/me/benefits")
    assert answer.status_code == 200
    found = answer.get_json()
    assert (found["customer_id"], found["programme"]) == (me.name, "vip")
    (benefit,) = found["benefits"]
    ends_at = benefit.pop("period_ends_at")
    assert ends_at > NOW.isoformat()
    assert benefit == {
        "code": "lounge",
        "kind": "service",
        "name": {"zh": "贵宾室", "en": "Lounge"},
        "period": "month",
        "quota": 4,
        "used": 1,
        "left": 3,
        "guests": 1,
        "promise_minutes": None,
    }
    assert bank.get(f"/v1/customers/{me.name}/benefits").get_json() == answer.get_json()
    other = ids.encode("cus", world.plain.customer_id)
    unknown = ids.encode("cus", 9999)
    refused = [me.get(f"/v1/customers/{one}/benefits") for one in (other, unknown)]
    assert [problem(one) for one in refused] == [(404, "not-found")] * 2
    assert problem(bank.get(f"/v1/customers/{unknown}/benefits")) == (404, "not-a-member")


def test_a_use_is_counted_once_however_it_is_sent_again(world: World, bank: Client) -> None:
    body = {"reference": "visit-1", "units": 2, "guests": 1}
    first = bank.post(uses(world), body, "k1")
    assert first.status_code == 201
    answer = first.get_json()
    assert (answer["left"], answer["units"], answer["guests"]) == (2, 2, 1)
    same_key = bank.post(uses(world), body, "k1")
    assert same_key.data == first.data
    assert same_key.headers["Idempotent-Replayed"] == "true"
    assert bank.post(uses(world), body, "k2").get_json() == answer
    assert lounge(world).used == 2
    assert problem(bank.post(uses(world), {**body, "units": 1})) == (409, "reference-reused")
    assert trail("benefit.used")[0][2] == {
        "customer": public(world),
        "benefit": "lounge",
        "units": 2,
        "guests": 1,
    }


def test_what_is_not_allowed_is_refused_and_counts_nothing(world: World, bank: Client) -> None:
    refused = {
        "quota-used-up": bank.post(uses(world), {"reference": "a", "units": 5}),
        "too-many-guests": bank.post(uses(world), {"reference": "b", "guests": 2}),
    }
    for code, answer in refused.items():
        assert problem(answer) == (409, code)
    other = ids.encode("cus", world.plain.customer_id)
    path = f"/v1/customers/{other}/benefits/lounge/uses"
    assert problem(bank.post(path, {"reference": "c"})) == (409, "not-entitled")
    for code in ("spa", "a%00b", "%ff"):
        assert problem(bank.post(uses(world, code), {"reference": "d"})) == (404, "not-found")
    unknown = f"/v1/customers/{ids.encode('cus', 9999)}/benefits/lounge/uses"
    assert problem(bank.post(unknown, {"reference": "e"})) == (404, "not-a-member")
    assert lounge(world).used == 0


def test_a_use_is_undone_once(world: World, application: FlaskClient, bank: Client) -> None:
    used = bank.post(uses(world), {"reference": "visit-1"}).get_json()["usage_id"]
    path = f"/v1/customers/{public(world)}/uses/{used}/reversals"
    stranger = add_system(application, "benefits:use")
    assert problem(stranger.post(path, {"reference": "undo"})) == (404, "not-found")
    undone = bank.post(path, {"reference": "undo"})
    assert undone.status_code == 201
    assert undone.get_json()["reverses"] == used
    assert bank.post(path, {"reference": "undo"}).get_json() == undone.get_json()
    assert problem(bank.post(path, {"reference": "again"})) == (409, "already-reversed")
    assert lounge(world).used == 0
    assert trail("benefit.use_reversed")[0][1] == undone.get_json()["usage_id"]


def test_an_erased_customer_uses_nothing_but_may_be_given_back(
    world: World, bank: Client, head: Client
) -> None:
    used = bank.post(uses(world), {"reference": "visit-1"}).get_json()["usage_id"]
    with transaction() as session:
        customers.erase(session, world.gold.customer_id, vault.Reason.REQUEST)
    assert problem(bank.post(uses(world), {"reference": "b"})) == (409, "customer-erased")
    path = f"/v1/customers/{public(world)}"
    assert problem(head.post(f"{path}/entitlements", GRANT)) == (409, "customer-erased")
    reversal = bank.post(f"{path}/uses/{used}/reversals", {"reference": "undo"})
    assert reversal.status_code == 201


def test_head_office_offers_a_benefit_and_everybody_sees_it(
    world: World, application: FlaskClient, bank: Client, head: Client
) -> None:
    first = head.post("/v1/benefits", SPA)
    assert first.status_code == 201
    assert first.get_json()["version"] == 1
    assert trail("benefit.offered")[0][:2] == (head.name, "spa")
    later = {**SPA, "effective_from": (NOW + timedelta(days=30)).isoformat(), "tiers": SPA["tiers"]}
    assert head.post("/v1/benefits", later).get_json()["version"] == 2
    me = as_customer(application, bank, world.gold.customer_id, "benefits:read")
    offers = me.get("/v1/programmes/vip/benefits").get_json()["benefits"]
    assert [offer["code"] for offer in offers] == ["lounge", "spa"]
    assert (offers[1]["version"], offers[1]["promise_minutes"]) == (1, 30)
    assert sorted(offers[1]["tiers"], key=lambda tier: tier["tier"]) == [
        {"tier": "diamond", "quota": None, "guests": 0},
        {"tier": "gold", "quota": 2, "guests": 1},
    ]
    mine = me.get("/v1/customers/me/benefits").get_json()["benefits"]
    assert [(one["code"], one["left"]) for one in mine] == [("lounge", 4), ("spa", 2)]
    renamed = {**SPA, "name": {"zh": "桑拿", "en": "Sauna"}}
    assert problem(head.post("/v1/benefits", renamed)) == (409, "reference-reused")
    assert problem(me.get("/v1/programmes/nowhere/benefits")) == (404, "not-found")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"code": "Spa"}, ("/code", "code")),
        ({"kind": "gift"}, ("/kind", "choice")),
        ({"name": {"zh": "水疗"}}, ("/name/en", "required")),
        ({"period": "week"}, ("/period", "choice")),
        ({"tiers": []}, ("/tiers", "length")),
        ({"tiers": [{"tier": "gold", "quota": 0}]}, ("/tiers/0/quota", "range")),
        ({"tiers": [{"tier": "gold", "quota": 1.0}]}, ("/tiers/0/quota", "integer")),
        ({"tiers": [{"tier": "gold", "quota": 1, "guests": 101}]}, ("/tiers/0/guests", "range")),
        ({"tiers": [{"tier": "silver", "quota": 1}]}, ("/tiers/0/tier", "unknown")),
        ({"tiers": [{"tier": "gold", "quota": 1}] * 2}, ("/tiers/1/tier", "repeated")),
        ({"promise_minutes": 0}, ("/promise_minutes", "range")),
        ({"effective_from": "2020-01-01T00:00:00Z"}, ("/effective_from", "past")),
        ({"colour": "red"}, ("/colour", "unknown")),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_the_place(
    head: Client, change: dict[str, Any], place: tuple[str, str]
) -> None:
    answer = head.post("/v1/benefits", {**SPA, **change})
    assert problem(answer) == (422, "invalid-content")
    assert pointers(answer) == [place]


def test_head_office_grants_once_by_reference(
    world: World, application: FlaskClient, head: Client
) -> None:
    path = f"/v1/customers/{public(world)}/entitlements"
    first = head.post(path, GRANT)
    assert first.status_code == 201
    assert first.get_json()["explanation"]["en"] == "amends after a complaint"
    colleague = add_person(application, "head_office")
    assert colleague.post(path, GRANT).get_json() == first.get_json()
    assert lounge(world).quota == 6
    assert problem(head.post(path, {**GRANT, "quota": 3})) == (409, "reference-reused")
    assert trail("benefit.granted")[0] == (
        head.name,
        public(world),
        {"benefit": "lounge", "quota": 2, "reason": "complaint"},
    )
    ended = (NOW - timedelta(hours=2)).isoformat()
    for change, place in (
        ({"benefit": "spa"}, ("/benefit", "unknown")),
        ({"reason": "张三投诉"}, ("/reason", "choice")),
        ({"ends_at": ended}, ("/ends_at", "before_start")),
    ):
        assert pointers(head.post(path, {**GRANT, **change})) == [place]


def test_which_programme_is_said_where_there_are_several(
    world: World, bank: Client, head: Client
) -> None:
    with transaction() as session:
        programmes.open_programme(session, "second", name_zh="二", name_en="Second")
    answer = bank.get(f"/v1/customers/{public(world)}/benefits")
    assert problem(answer) == (422, "programme-needed")
    assert pointers(answer) == [("programme", "required")]
    answer = bank.post(uses(world), {"reference": "a"})
    assert pointers(answer) == [("/programme", "required")]
    assert bank.post(uses(world), {"reference": "a", "programme": "vip"}).status_code == 201
    path = f"/v1/customers/{public(world)}/benefits"
    assert problem(bank.get(path, programme="second")) == (404, "not-a-member")
    assert problem(bank.get(path, programme="third")) == (404, "not-found")


def test_nobody_else_may_call(world: World, application: FlaskClient, bank: Client) -> None:
    poor = add_system(application, "points:read")
    branch = add_person(application, "branch")
    maker = add_person(application, "marketing_maker")
    me = as_customer(application, bank, world.gold.customer_id, "benefits:read", "benefits:use")
    path = f"/v1/customers/{public(world)}"
    for caller in (poor, branch, me):
        assert caller.post(uses(world), {"reference": "a"}).status_code == 403
        use_path = f"{path}/uses/{ids.encode('use', 1)}/reversals"
        assert caller.post(use_path, {"reference": "a"}).status_code == 403
    for caller in (bank, branch, maker, me):
        assert caller.post("/v1/benefits", SPA).status_code == 403
        assert caller.post(f"{path}/entitlements", GRANT).status_code == 403
    for caller in (poor, branch):
        assert caller.get(f"{path}/benefits").status_code == 403
    assert application.get("/v1/programmes/vip/benefits").status_code == 401


def test_registered_but_no_member_is_no_member(world: World, bank: Client) -> None:
    with transaction() as session:
        number = customers.register(session, [NewCustomer("fresh")])[0].customer_id
    assert number is not None
    path = f"/v1/customers/{ids.encode('cus', number)}/benefits"
    assert problem(bank.get(path)) == (404, "not-a-member")
