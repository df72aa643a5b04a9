"""The service does what its OpenAPI document says, whatever is sent to it.

Requests are made from the document, good ones and bad ones, and sent to the whole application
by each kind of caller. No answer may be a failure, and each must have a status, a type and a
shape that the document declares. QUANYI_EXAMPLES asks for more of them, chosen at random.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from loyalty.web import Endpoint, ids
from tests.http.bearers import LET_IN, Bearer, customers, judge, partners, people, systems
from tests.partners.builders import add_partner
from tests.points.builders import World, purchase, record
from tests.staff.conftest import add_account

EXAMPLES = int(os.environ.get("QUANYI_EXAMPLES", "0"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDS = bounds(
    max_examples=EXAMPLES or 15,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
Operation = APIOperation[Any, Any, Any, Any]


@pytest.fixture
def bearers(client: FlaskClient, world: World, branch: int, scopes: frozenset[str]) -> list[Bearer]:
    """Nobody, a client and a customer who may do all, and somebody of each role."""
    record(world, *(purchase(f"p{n}", 100_000, name) for n, name in enumerate(world.customers)))
    rich = add_account("rich", sorted(scopes))
    return [
        Bearer("nobody", None),
        next(systems(client, rich, scopes)),
        next(customers(rich, world.customers["00001"], scopes)),
        next(partners(client, add_partner("harbour-mall"), scopes)),
        *people(branch),
    ]


@pytest.fixture
def operations(app: Flask, routes: list[Endpoint]) -> list[tuple[Endpoint, Operation]]:
    """Every operation of the document with the declaration that it was made from."""
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)
    described = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        described[operation.method.upper(), operation.path] = operation
    pairs = [(route, described.pop((route.method, route.path), None)) for route in routes]
    assert not described
    return [(route, operation) for route, operation in pairs if operation is not None]


@pytest.fixture
def names(world: World) -> dict[str, Any]:
    """What to write into a request so that it is about rows that exist, by name of the field."""
    now = datetime.now(UTC)
    return {
        "customer_id": ids.encode("cus", world.customers["00001"]),
        "customer": "00001",
        "purchase": "p0",
        "programme": "sample",
        "code": "sample",
        "purchased_at": (now - timedelta(minutes=1)).isoformat(),
        "refunded_at": now.isoformat(),
        "lapses_at": (now + timedelta(days=1)).isoformat(),
        "points": 7,
        "line": "1",
    }


def name_rows(content: Any, names: Mapping[str, Any]) -> Any:
    """Return `content` with the values of `names` in place of those of the same name."""
    if isinstance(content, dict):
        return {
            name: names[name]
            if name in names and not isinstance(value, dict | list)
            else name_rows(value, names)
            for name, value in content.items()
        }
    if isinstance(content, list):
        return [name_rows(value, names) for value in content]
    return content


def find_faults(
    route: Endpoint,
    operation: Operation,
    mode: GenerationMode,
    bearers: list[Bearer],
    names: Mapping[str, Any],
) -> dict[str, str]:
    """Send requests of one operation; return what is wrong with the answers, by its title."""
    faults: dict[str, str] = {}
    sent: list[int] = []
    welcome = [bearer for bearer in bearers if judge(route.access, bearer) == LET_IN]
    known = {name: names[name] for name in route.parameters if name in names}

    @BOUNDS
    @given(
        case=st.one_of(
            operation.as_strategy(mode, path_parameters=known), operation.as_strategy(mode)
        ),
        bearer=st.one_of(st.sampled_from(welcome), st.sampled_from(bearers)),
        real=st.booleans(),
    )
    def send(case: Case[Any], bearer: Bearer, real: bool) -> None:
        if real:
            case.body = name_rows(case.body, names)
        shown = {} if bearer.header is None else {"Authorization": bearer.header}
        answer = case.call(headers=shown)
        sent.append(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for fault in group.exceptions:
                words = f"{route.name} by {bearer.name}: {fault}\n{str(case.body)[:500]}"
                faults.setdefault(f"{route.name}: {type(fault).__name__}", words)

    with suppress(Unsatisfiable):  # a request without any content cannot be wrong
        send()
    assert sent or mode == GenerationMode.NEGATIVE, f"nothing was sent to {route.name}"
    return faults


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_the_document_says(
    operations: list[tuple[Endpoint, Operation]],
    bearers: list[Bearer],
    names: dict[str, Any],
    mode: GenerationMode,
) -> None:
    faults: dict[str, str] = {}
    for route, operation in operations:
        faults |= find_faults(route, operation, mode, bearers, names)
    assert not faults, "\n\n".join(faults.values())
