"""The OpenAPI 3.1 document, made from the declarations of the routes that are served."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema

from loyalty import __version__
from loyalty.web import fields, ids
from loyalty.web.access import Kind
from loyalty.web.endpoints import JSON_TYPE, WRITES, Endpoint
from loyalty.web.errors import MEDIA_TYPE, say
from loyalty.web.problems import Problem, find_problem
from loyalty.web.uploads import OCTETS

PAGE_TYPE = "text/html"
TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - a path
KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Made by the caller for each new act and kept for its retries. 30 days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "6f1d7a52-6f0e-4b6e-9d3b-1f6a0f7f2c11",
}
MATCH_HEADER = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the state that this edit was made in view of.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": '"0123456789abcdef0123456789abcdef"',
}
KNOWN_HEADER = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of what the caller has; 304 where that still holds.",
    "schema": {"type": "string", "maxLength": 255},
}
TAG = {"ETag": {"description": "changes with the content", "schema": {"type": "string"}}}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "the id of the request"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "parameter": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def declared_routes(app: Flask) -> Iterator[Endpoint]:
    """Yield the declaration of every route of `app`, by path and method."""
    views = app.view_functions.values()
    declared = [view.declared for view in views if hasattr(view, "declared")]
    yield from sorted(declared, key=lambda route: (route.path, route.method))


def describe_api(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of `app` as JSON values."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name_schema)
    spec = APISpec(
        title="Quanyi 权益",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": "Points, benefits and coupons on a ledger that can be proved."},
        servers=[{"url": app.config["ISSUER"]}],
    )
    converter = plugin.converter
    assert converter is not None, "the plugin has one once it belongs to a document"
    for field, kind in (
        (fields.Whole, ("integer", "int64")),
        (fields.Truth, ("boolean", None)),
        (fields.Instant, ("string", "date-time")),
        (fields.Day, ("string", "date")),
        (fields.Text, ("string", None)),
        (fields.PublicId, ("string", None)),
    ):
        converter.map_to_openapi_type(field, *kind)  # type: ignore[no-untyped-call]
    routes = [route for route in declared_routes(app) if route.media_type != PAGE_TYPE]
    spec.components.schema("Problem", PROBLEM)
    for name, scheme in _security_schemes(app.config["ISSUER"], routes).items():
        spec.components.security_scheme(name, scheme)
    for route in routes:
        operation = _describe_route(route, app.config["ISSUER"])
        spec.path(path=route.path, operations={route.method.lower(): operation})
    return spec.to_dict()


def problem_codes(route: Endpoint) -> list[str]:
    """Return every problem that a route may answer: its own, and those of its kind."""
    codes = list(route.problems)
    if route.access.kind != Kind.PUBLIC:
        codes += ["unauthenticated", "too-many-requests"]
    if route.access.scope:
        codes.append("insufficient-scope")
    if route.access.kind not in (Kind.PUBLIC, Kind.TOKEN):
        codes.append("forbidden")
    if route.parameters:
        codes.append("not-found")
    if route.body is not None:
        codes += ["malformed-json", "invalid-content"]
    if route.method in WRITES:
        codes += ["unsupported-media-type", "too-large"]
    if route.idempotent:
        codes += [
            "idempotency-key-missing",
            "idempotency-key-invalid",
            "idempotency-key-reused",
        ]
    if route.edits is not None:
        codes += ["precondition-required"] * route.needs_match + ["precondition-failed"]
    if route.signed is not None:
        codes += ["signature-required", "signature-invalid", "signature-replayed"]
    if route.media_type == JSON_TYPE and route.form is None:
        codes.append("invalid-query")
    return list(dict.fromkeys([*codes, "unavailable", "internal"]))


def _name_schema(schema: type[Schema] | Schema | str) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", None)
    return (name or type(schema).__name__).removesuffix("Schema")


def _security_schemes(issuer: str, routes: Iterable[Endpoint]) -> dict[str, Any]:
    scopes = sorted({route.access.scope for route in routes} - {""})
    flow = {
        "tokenUrl": f"{issuer}{TOKEN_PATH}",
        "scopes": {scope: f"allows {scope}" for scope in scopes},
    }
    return {
        "client": {"type": "oauth2", "flows": {"clientCredentials": flow}},
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }


def _describe_route(route: Endpoint, issuer: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").rstrip("_"),
        "tags": [route.view.__module__.split(".")[1]],
        "summary": say(route.summary, "en"),
        "x-summary-zh": say(route.summary, "zh"),
        "description": _describe_rules(route),
        "security": _security(route),
        "parameters": _parameters(route),
        "responses": _responses(route, issuer),
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {JSON_TYPE: {"schema": route.body}},
        }
    elif route.upload:
        file = {OCTETS: {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": file}
    elif route.form is not None:
        form = {"application/x-www-form-urlencoded": {"schema": route.form}}
        operation["requestBody"] = {"required": True, "content": form}
    return operation


def _describe_rules(route: Endpoint) -> str:
    access = route.access
    who = {
        Kind.PUBLIC: "Anybody may call this.",
        Kind.TOKEN: "Needs a valid token of any kind.",
        Kind.SYSTEM: f"For clients with the scope `{access.scope}`.",
        Kind.CUSTOMER: f"For the customer themselves or a client, with the scope `{access.scope}`.",
        Kind.PARTNER: f"For clients of partners with the scope `{access.scope}`.",
        Kind.STAFF: f"For staff with one of the roles {', '.join(sorted(access.roles))}.",
        Kind.PARTNER: f"For a partner's own systems with the scope `{access.scope}`.",
    }[Kind(access.kind)]
    if access.kind == Kind.PARTNER and access.roles:
        who += f" Also for staff with one of the roles {', '.join(sorted(access.roles))}."
    if route.signed is not None:
        who += " The message may have to be signed (RFC 9421)."
    if access.kind == Kind.STAFF and access.scope:
        who += f" Also for clients with the scope `{access.scope}`."
    if route.idempotent:
        return f"{who} Sending it again with the same Idempotency-Key replays the answer."
    if route.not_idempotent:
        return f"{who} Takes no idempotency key: {route.not_idempotent}."
    return who


def _security(route: Endpoint) -> list[dict[str, list[str]]]:
    if route.access.kind == Kind.PUBLIC:
        return []
    if route.access.kind == Kind.SYSTEM:
        return [{"client": [route.access.scope]}]
    if route.access.scope:
        return [{"client": [route.access.scope]}, {"token": []}]
    return [{"token": []}]


def _parameters(route: Endpoint) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name in route.parameters:
        schema: dict[str, Any] = {"type": "string"}
        if name in route.id_parameters:
            prefix = ids.PREFIXES[name.removesuffix("_id")]
            schema["examples"] = [ids.encode(prefix, 17)]
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if route.idempotent:
        parameters.append(KEY_HEADER)
    if route.edits is not None:
        parameters.append({**MATCH_HEADER, "required": route.needs_match})
    if route.tagged:
        parameters.append(KNOWN_HEADER)
    if route.query is not None:
        parameters.append({"in": "query", "schema": route.query})
    return parameters


def _responses(route: Endpoint, issuer: str) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if route.answer is not None:
        good["content"] = {route.media_type: {"schema": route.answer}}
    if route.tagged or route.edits is not None:
        good["headers"] = TAG
    responses = {str(route.status): good}
    if route.tagged:
        responses["304"] = {"description": "The caller has it already", "headers": TAG}
    for status, schema in route.refusals.items():
        content = {route.media_type: {"schema": schema}}
        responses[str(status)] = {"description": "Refused", "content": content}
    by_status: dict[int, list[Problem]] = {}
    for code in problem_codes(route):
        problem = find_problem(code)
        by_status.setdefault(problem.status, []).append(problem)
    for status, problems in sorted(by_status.items()):
        examples = {problem.code: {"value": _example(problem, issuer)} for problem in problems}
        responses[str(status)] = {
            "description": "; ".join(problem.title.en for problem in problems),
            "content": {MEDIA_TYPE: {"schema": "Problem", "examples": examples}},
        }
    return responses


def _example(problem: Problem, issuer: str) -> dict[str, Any]:
    return {
        "type": f"{issuer}/problems/{problem.code}",
        "title": problem.title.en,
        "status": problem.status,
        "detail": problem.explanation.en,
        "instance": "0123456789abcdef0123456789abcdef",
    }
