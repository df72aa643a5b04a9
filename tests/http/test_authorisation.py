"""Every route lets in whom it declares, and nobody else: a matrix made from the declarations.

No route is excepted, and a new one is in the matrix as soon as it is served.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey

from loyalty import staff
from loyalty.database import transaction
from loyalty.staff.models import ROLES
from loyalty.web import Caller, Endpoint, ids
from loyalty.web.access import Access, Kind
from loyalty.web.openapi import declared_routes
from tests.points.builders import World, purchase, record
from tests.staff.conftest import ADMIN, Account, add_account, add_person, token_for
from tests.staff.test_trusting_tokens import claims_for, encoded, our_key, sign

LONG_OVER = 1_600_000_000
LET_IN, NO_TOKEN = "let in", "unauthenticated"
NO_SCOPE, NOT_FOR_YOU = "insufficient-scope", "forbidden"
REFUSED = {NO_TOKEN: 401, NO_SCOPE: 403, NOT_FOR_YOU: 403}
NOBODY = ids.encode("cus", 999_999)


@dataclass(frozen=True)
class Bearer:
    """Somebody at the door: what they show, and who they really are (nobody without `kind`)."""

    name: str
    header: str | None
    kind: str = ""
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


def judge(access: Access, bearer: Bearer) -> str:
    """Return what `access` means for `bearer`, said once more and apart from the code."""
    if access.kind == Kind.PUBLIC:
        return LET_IN
    if not bearer.kind:
        return NO_TOKEN
    if access.kind == Kind.TOKEN:
        return LET_IN
    welcome = {
        Kind.SYSTEM: {Kind.SYSTEM},
        Kind.CUSTOMER: {Kind.SYSTEM, Kind.CUSTOMER},
        Kind.STAFF: {Kind.STAFF, Kind.SYSTEM} if access.scope else {Kind.STAFF},
    }[Kind(access.kind)]
    if bearer.kind not in welcome:
        return NOT_FOR_YOU
    if bearer.kind == Kind.STAFF:
        return LET_IN if access.roles & bearer.roles else NOT_FOR_YOU
    return LET_IN if access.scope in bearer.scopes else NO_SCOPE


@pytest.fixture
def routes(app: Flask) -> list[Endpoint]:
    """Every route that is served."""
    found = list(declared_routes(app))
    assert len(found) == sum(1 for _ in app.url_map.iter_rules())
    return found


@pytest.fixture
def scopes(routes: list[Endpoint]) -> frozenset[str]:
    """Every scope that any route asks for."""
    return frozenset(route.access.scope for route in routes) - {""}


@pytest.fixture
def bearers(client: FlaskClient, world: World, branch: int, scopes: frozenset[str]) -> list[Bearer]:
    """Everybody who may come to the door."""
    rich = add_account("rich", sorted(scopes))
    return [
        *false_bearers(rich),
        *systems(client, rich, scopes),
        *customers(rich, world.customers["00001"], scopes),
        *people(branch),
    ]


def false_bearers(rich: Account) -> Iterator[Bearer]:
    """Yield those whose token is none of ours, is over, or is for somebody else."""
    good = claims_for(rich, scope="points:read")
    head, _, signature = sign(good).split(".")
    kid, key = our_key()
    public = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    by_public_key = jwt.encode(
        {"alg": "HS256", "typ": "at+jwt", "kid": kid},
        good,
        OctKey.import_key(base64.urlsafe_b64encode(public)),
        algorithms=["HS256"],
    )
    unsigned = f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{encoded(good)}."
    tokens: dict[str, str] = {
        "garbage": "garbage",
        "expired": sign(claims_for(rich, iat=LONG_OVER, exp=LONG_OVER + 600)),
        "for another audience": sign(claims_for(rich, aud="https://other.example")),
        "of another issuer": sign(claims_for(rich, iss="https://other.example")),
        "unsigned": unsigned,
        "signed with the public key": by_public_key,
        "with claims exchanged": f"{head}.{encoded({**good, 'scope': 'x:y'})}.{signature}",
        "of no client": sign(claims_for(rich, sub=ids.encode("cli", 99))),
    }
    yield Bearer("nobody", None)
    yield Bearer("an empty header", "")
    yield Bearer("a password", "Basic YmFuazpiYW5r")
    for name, token in tokens.items():
        yield Bearer(f"a token {name}", f"Bearer {token}")


def systems(client: FlaskClient, rich: Account, scopes: frozenset[str]) -> Iterator[Bearer]:
    """Yield a client with every scope, one without any, and for each scope one that lacks it."""
    poor = add_account("poor", [])
    yield Bearer("a client", f"Bearer {token_for(client, rich)}", Kind.SYSTEM, scopes)
    yield Bearer("a client without scopes", f"Bearer {token_for(client, poor)}", Kind.SYSTEM)
    for scope in sorted(scopes):
        others = scopes - {scope}
        token = token_for(client, rich, scope=" ".join(sorted(others)))
        yield Bearer(f"a client without {scope}", f"Bearer {token}", Kind.SYSTEM, others)


def customers(rich: Account, customer: int, scopes: frozenset[str]) -> Iterator[Bearer]:
    """Yield a customer whose token allows all that a token can, and one whose allows nothing."""
    giver = Caller(Kind.SYSTEM, rich.client_id)
    for allowed in (scopes, frozenset[str]()):
        token = staff.issue_customer_token(giver, customer, allowed).token
        name = f"a customer with {len(allowed)} scopes"
        yield Bearer(name, f"Bearer {token}", Kind.CUSTOMER, allowed)


def people(branch: int) -> Iterator[Bearer]:
    """Yield staff without a role, and with each role alone."""
    for role in (None, *ROLES):
        roles = [role] if role else []
        token = staff.issue_staff_token(add_person(f"staff-{role}", branch, *roles)).token
        name = f"staff with the role {role}"
        yield Bearer(name, f"Bearer {token}", Kind.STAFF, roles=frozenset(roles))


@pytest.fixture
def branch(world: World) -> int:
    """The number of a branch."""
    with transaction() as session:
        return staff.add_unit(session, ADMIN, "branch", "浦东支行").id


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
    assert seen == {LET_IN, NO_TOKEN, NO_SCOPE, NOT_FOR_YOU}


def test_another_customer_looks_exactly_like_one_who_does_not_exist(
    client: FlaskClient, world: World, routes: list[Endpoint], bearers: list[Bearer]
) -> None:
    record(world, purchase("p1", 1_000, "00001"), purchase("p2", 1_000, "00002"))
    another = ids.encode("cus", world.customers["00002"])
    (ann,) = (one for one in bearers if one.kind == Kind.CUSTOMER and one.scopes)
    asked = [route for route in routes if route.access.kind == Kind.CUSTOMER]
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
        if route.access.kind != Kind.CUSTOMER:
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
