"""Every route lets in whom it declares, and nobody else: a matrix made from the declarations.

No route is excepted, and a new one is in the matrix as soon as it is served.
"""

from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty.web import Endpoint, ids
from loyalty.web.access import Kind
from tests.http.bearers import (
    LET_IN,
    NO_SCOPE,
    NO_SESSION,
    NO_TOKEN,
    NOT_FOR_YOU,
    REFUSED,
    Bearer,
    customers,
    false_bearers,
    judge,
    partners,
    people,
    systems,
)
from tests.partners.builders import add_partner
from tests.points.builders import World, purchase, record
from tests.staff.conftest import add_account

NOBODY = ids.encode("cus", 999_999)


@pytest.fixture
def partner(world: World) -> int:
    """The number of a partner."""
    return add_partner("harbour-mall")


@pytest.fixture
def bearers(
    client: FlaskClient, world: World, branch: int, partner: int, scopes: frozenset[str]
) -> list[Bearer]:
    """Everybody who may come to the door."""
    rich = add_account("rich", sorted(scopes))
    return [
        *false_bearers(rich),
        *systems(client, rich, scopes),
        *partners(client, partner, scopes),
        *customers(rich, world.customers["00001"], scopes),
        *people(branch),
    ]


def path_of(route: Endpoint, customer: str) -> str:
    """Return a path of `route` about `customer`, whose other parts need not exist."""
    values = dict.fromkeys(route.parameters, "1")
    for name in route.id_parameters:
        values[name] = ids.encode(ids.PREFIXES[name.removesuffix("_id")], 999_999)
    if "customer_id" in values:
        values["customer_id"] = customer
    return route.path.format(**values)


def call(
    client: FlaskClient, route: Endpoint, bearer: Bearer, customer: str
) -> tuple[int, str, bytes, list[tuple[str, str]]]:
    """Return status, problem code, body and headers of a request without a body."""
    headers = {"X-Request-Id": "0123456789abcdef", "Accept-Language": "en"}
    if bearer.header is not None:
        headers["Authorization"] = bearer.header
    answer = client.open(path_of(route, customer), method=route.method, headers=headers)
    code = ""
    if answer.mimetype == "application/problem+json":
        code = answer.get_json(force=True)["type"].rsplit("/", 1)[-1]
    return answer.status_code, code, answer.data, list(answer.headers)


def test_every_route_lets_in_whom_it_declares_and_nobody_else(
    client: FlaskClient, world: World, routes: list[Endpoint], bearers: list[Bearer]
) -> None:
    own = ids.encode("cus", world.customers["00001"])
    wrong: list[Any] = []
    seen = set()
    for route in routes:
        for bearer in bearers:
            due = judge(route.access, bearer)
            status, code, _, headers = call(client, route, bearer, own)
            seen.add(due)
            if due == LET_IN:
                right = status not in (401, 403) and status < 500
            else:
                right = (status, code) == (REFUSED[due], due)
            if due == NO_TOKEN:
                right = right and "WWW-Authenticate" in dict(headers)
            if not right:
                wrong.append((route.name, bearer.name, due, status, code))
    assert not wrong, "\n".join(map(str, wrong))
    assert seen == {LET_IN, NO_TOKEN, NO_SCOPE, NOT_FOR_YOU, NO_SESSION}


def test_another_customer_looks_exactly_like_one_who_does_not_exist(
    client: FlaskClient, world: World, routes: list[Endpoint], bearers: list[Bearer]
) -> None:
    record(world, purchase("p1", 1_000, "00001"), purchase("p2", 1_000, "00002"))
    another = ids.encode("cus", world.customers["00002"])
    (ann,) = (one for one in bearers if one.kind == Kind.CUSTOMER and one.scopes)
    asked = [
        route
        for route in routes
        if route.access.kind == Kind.CUSTOMER and not route.access.by_session
    ]
    assert asked
    for route in asked:
        answers = [call(client, route, ann, who) for who in (another, NOBODY, "cus_0", "%00", "x")]
        assert answers[0][:2] == (404, "not-found"), (route.name, answers[0])
        assert all(answer == answers[0] for answer in answers), (route.name, answers)


def test_me_is_the_calling_customer_and_nobody_for_others(
    client: FlaskClient, world: World, routes: list[Endpoint], bearers: list[Bearer]
) -> None:
    record(world, purchase("p1", 1_000, "00001"))
    own = ids.encode("cus", world.customers["00001"])
    for route in routes:
        if route.access.kind != Kind.CUSTOMER or route.access.by_session:
            continue
        for bearer in bearers:
            if judge(route.access, bearer) != LET_IN:
                continue
            status, code, _, _ = call(client, route, bearer, "me")
            if bearer.kind == Kind.CUSTOMER:
                assert (status, code) == call(client, route, bearer, own)[:2], route.name
            else:
                assert (status, code) == (404, "not-found"), (route.name, bearer.name)


def test_a_hold_of_another_customer_looks_like_one_that_does_not_exist(
    client: FlaskClient, world: World, bearers: list[Bearer]
) -> None:
    record(world, purchase("p1", 10_000, "00001"), purchase("p2", 10_000, "00002"))
    (rich,) = (one for one in bearers if one.name == "a client")

    def post(path: str, body: dict[str, Any], key: str) -> Any:
        headers = {
            "Authorization": str(rich.header),
            "Idempotency-Key": key,
            "X-Request-Id": "0123456789abcdef",
        }
        return client.post(f"/v1/customers/{path}", json=body, headers=headers)

    own, another = (ids.encode("cus", number) for number in world.customers.values())
    hold = {"reference": "h1", "points": 5, "lapses_at": "2999-01-01T00:00:00Z"}
    entry = post(f"{another}/holds", hold, "k1").get_json()["entry_id"]
    spent = post(f"{another}/redemptions", {"reference": "r1", "points": 5}, "k2")
    assert spent.status_code == 201
    act = {"reference": "x1", "points": 1}
    for theirs, nobodys in (
        (f"{own}/holds/{entry}/captures", f"{own}/holds/{ids.encode('ent', 99_999)}/captures"),
        (f"{own}/holds/{entry}/releases", f"{own}/holds/{ids.encode('ent', 99_999)}/releases"),
        (f"{own}/redemptions/r1/reversals", f"{own}/redemptions/r9/reversals"),
    ):
        refused, unknown = post(theirs, act, "k3"), post(nobodys, act, "k3")
        assert refused.status_code == 404
        assert (refused.data, list(refused.headers)) == (unknown.data, list(unknown.headers))
