"""Every route says who may call it and what it promises, and the documents say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import schemathesis
from flask import Flask

from loyalty.proposals import ProposalSchema
from loyalty.web import Endpoint
from loyalty.web.access import Kind
from loyalty.web.endpoints import WRITES
from loyalty.web.openapi import PAGE_TYPE, declared_routes, problem_codes
from loyalty.web.problems import all_problems, find_problem

LOYALTY = Path(__file__).parents[2] / "loyalty"
# Routes that anybody may call: each is here because it must be, and holds nothing of anybody.
PUBLIC = {
    "GET /livez",
    "GET /readyz",
    "GET /metrics",  # asks for its own token
    "GET /docs",
    "GET /problems",
    "GET /problems/{code}",
    "GET /v1/checkpoints",
    "GET /v1/checkpoints/key",
    "GET /",
    "GET /assets/{digest}/{name}",
    "GET /language/{code}",
    # Where people prove who they are; what is sent there holds the proof.
    "GET /console/sign-in",
    "POST /console/sign-in",
    "GET /console/invitations/{token}",
    "POST /console/invitations/{token}",
    "GET /my/sign-in",
    "POST /my/sign-in",
    "GET /counter/sign-in",
    "POST /counter/sign-in",
    "GET /my/enter",
    "POST /my/enter",
    "GET /v1/openapi.json",
    "POST /v1/oauth/token",  # the proof is in the request
    "GET /v1/unsubscribe/{token}",  # whoever got the message holds the token
    "POST /v1/unsubscribe/{token}",
    "GET /v1/go/{token}",  # the same
    "GET /v1/prize-draws/{launch_id}",  # the law wants it published; tickets name nobody
    "GET /v1/prize-draws/{launch_id}/tickets",
    "GET /v1/prize-draws/{launch_id}/tickets.csv",
}
# Writes whose view does not record an audit event itself, and why.
AUDITED_BELOW = {
    "POST /v1/oauth/token": "oauth.grant records the token",
    "POST /v1/proposals/{proposal_id}/decisions": "deciding records agreements and ends",
    "POST /v1/campaigns/{campaign_id}/restart": "proposing records what is proposed",
    "POST /v1/campaigns/{campaign_id}/submissions": "proposing records what is proposed",
    "POST /counter": "looking at coupons changes nothing; guessing too often is recorded",
    "POST /console/campaigns/look": "checks what stands in a form and writes nothing",
    "POST /v1/products": "proposing records what is proposed",
    **{
        f"POST /v1/partners{rest}": "proposing a change of partners records the proposal"
        for rest in (
            "",
            "/{partner_id}/state",
            "/{partner_id}/outlets",
            "/{partner_id}/clients",
        )
    },
    **{
        f"{method} /v1/partners/{{partner_id}}{rest}": "the verb of partners records it"
        for method, rest in (
            ("POST", "/suspension"),
            ("PATCH", "/outlets/{outlet_id}"),
            ("POST", "/clients/{client_id}/secrets"),
            ("POST", "/clients/{client_id}/secrets/revocation"),
            ("POST", "/clients/{client_id}/keys"),
            ("POST", "/clients/{client_id}/keys/{key_id}/revocation"),
            ("POST", "/clients/{client_id}/revocation"),
            ("POST", "/clerks"),
            ("PATCH", "/clerks/{clerk_id}"),
            ("POST", "/clerks/{clerk_id}/password"),
        )
    },
    **{
        f"POST /v1/partners/{{partner_id}}{rest}": "the verb of settlement records it"
        for rest in (
            "/statements",
            "/statements/{statement_id}/disputes",
            "/statements/{statement_id}/release",
            "/disputes/{dispute_id}/outcome",
        )
    },
    "POST /v1/proposals/{proposal_id}/withdrawal": "proposing.withdraw records the end",
}


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Flask:
    """The application as it is served; no route is called."""
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    return build()


@pytest.fixture
def routes(app: Flask) -> list[Endpoint]:
    """Every declared route."""
    return list(declared_routes(app))


def test_every_route_is_declared(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        assert hasattr(app.view_functions[rule.endpoint], "declared"), rule


def test_only_these_routes_are_for_anybody(routes: list[Endpoint]) -> None:
    assert {route.name for route in routes if route.access.kind == Kind.PUBLIC} == PUBLIC


def test_a_customers_route_names_the_customer(routes: list[Endpoint]) -> None:
    for route in routes:
        if route.access.kind == Kind.CUSTOMER and not route.access.by_session:
            assert "customer_id" in route.parameters, route.name


def test_every_write_is_idempotent_or_says_why_not(routes: list[Endpoint]) -> None:
    for route in routes:
        if route.method in WRITES:
            assert route.idempotent != bool(route.not_idempotent), route.name


def test_every_write_leaves_an_audit_row(routes: list[Endpoint]) -> None:
    for route in routes:
        # What a route proposes, the proposals themselves record.
        proposes = route.answer is ProposalSchema
        if route.method in WRITES and not proposes and route.name not in AUDITED_BELOW:
            assert "audit" in route.view.__globals__, route.name
            assert {"record", "record_many"} & names_in(route.view), f"{route.name} records nothing"


def names_in(view: Any) -> set[str]:
    """Return the names that a view uses, and those of the functions of its own module it calls."""
    names = set(view.__code__.co_names)
    for name in list(names):
        called = view.__globals__.get(name)
        if getattr(called, "__module__", None) == view.__module__ and hasattr(called, "__code__"):
            names |= set(called.__code__.co_names)
    return names


def test_every_answer_has_a_schema(routes: list[Endpoint]) -> None:
    for route in routes:
        if route.media_type == "application/json" and route.path != "/v1/openapi.json":
            assert route.answer is not None or route.status == 204, route.name


def test_every_route_has_a_summary_in_both_languages(routes: list[Endpoint]) -> None:
    for route in routes:
        assert not isinstance(route.summary, str), f"{route.name} has one language"
        assert all(route.summary), route.name


def test_every_problem_that_a_route_declares_is_registered(routes: list[Endpoint]) -> None:
    for route in routes:
        for code in problem_codes(route):
            assert find_problem(code)


def refused_codes() -> Iterator[tuple[Path, str]]:
    for path in [*LOYALTY.rglob("*.py"), *(LOYALTY.parent / "campaigns").rglob("*.py")]:
        for code in re.findall(r'\bRefused\(\s*"([^"]+)"', path.read_text()):
            yield path, code


@pytest.mark.parametrize(("path", "code"), sorted(set(refused_codes())))
def test_every_problem_in_use_has_a_page_in_both_languages(
    app: Flask, path: Path, code: str
) -> None:
    response = app.test_client().get(f"/problems/{code}")
    assert response.status_code == 200, f"{path} refuses with an unregistered code"
    page = response.get_data(as_text=True)
    problem = find_problem(code)
    for text in (problem.title, problem.explanation, problem.remedy):
        assert re.search(r"[\u4e00-\u9fff]", text.zh)
        assert not re.search(r"[\u4e00-\u9fff]", text.en)
        assert text.zh in page
        assert len(text.en) > 5


def test_the_list_of_problems_names_each(app: Flask) -> None:
    page = app.test_client().get("/problems").get_data(as_text=True)
    for problem in all_problems():
        assert f'href="/problems/{problem.code}"' in page


def test_the_openapi_document_is_valid_and_complete(app: Flask, routes: list[Endpoint]) -> None:
    document = orjson.loads(app.test_client().get("/v1/openapi.json").data)
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"].startswith("3.1")
    for route in routes:
        if route.media_type == PAGE_TYPE:
            continue
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"]
        assert "500" in operation["responses"]
        parameters = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert set(route.parameters) <= parameters
        assert ("Idempotency-Key" in parameters) == route.idempotent
        assert bool(operation["security"]) == (route.access.kind != Kind.PUBLIC)
    identifiers = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("path", ["/docs", "/problems", "/problems/internal"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_pages_need_nothing_inline(app: Flask, path: str, language: str) -> None:
    page = app.test_client().get(path, headers={"Accept-Language": language})
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    for inline in ("<script>", "<style", " style=", " onclick=", "javascript:", "https://"):
        assert inline not in text
