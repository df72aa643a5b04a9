"""Pages for the developers of client systems: the API, and each problem that it may answer."""

import orjson
from flask import Blueprint, Response, current_app, render_template, request
from werkzeug.exceptions import NotFound as NoSuchPage

from loyalty.web import etags, words
from loyalty.web.access import Access
from loyalty.web.endpoints import page
from loyalty.web.openapi import PAGE_TYPE, declared_routes, describe_api
from loyalty.web.problems import all_problems, find_problem

blueprint = Blueprint("pages", __name__, template_folder="templates")

_DOCUMENT = "quanyi.openapi"


def _document() -> bytes:
    """Return the OpenAPI document, made once: routes do not change while we run."""
    extensions = current_app.extensions
    if _DOCUMENT not in extensions:
        extensions[_DOCUMENT] = orjson.dumps(describe_api(current_app))
    document: bytes = extensions[_DOCUMENT]
    return document


@page(
    blueprint,
    "GET",
    "/v1/openapi.json",
    access=Access.public(),
    media_type="application/json",
    summary=("接口的 OpenAPI 3.1 文档", "The OpenAPI 3.1 document of this API"),
)
def get_openapi() -> Response:
    """Answer the machine-readable description of every JSON route."""
    response = Response(_document(), content_type="application/json")
    response.headers["Cache-Control"] = "public, no-cache"
    response.headers["ETag"] = etags.tag_of(_document())
    response.make_conditional(request)
    return response


@page(blueprint, "GET", "/docs", access=Access.public(), summary=("接口文档", "The API document"))
def get_docs() -> str:
    """Show every route with its parameters, shapes and refusals, in zh or en."""
    routes = [route for route in declared_routes(current_app) if route.media_type != PAGE_TYPE]
    return render_template(
        "web/docs.html", api=orjson.loads(_document()), routes=routes, language=words.language()
    )


@page(blueprint, "GET", "/problems", access=Access.public(), summary=("问题一览", "All problems"))
def get_problems() -> str:
    """List every problem that the API may answer."""
    return render_template("web/problems.html", problems=all_problems())


@page(
    blueprint,
    "GET",
    "/problems/{code}",
    access=Access.public(),
    summary=("一种问题的说明", "One problem explained"),
)
def get_problem(code: str) -> str:
    """Say what a problem means and what to do about it, in Chinese and English."""
    try:
        problem = find_problem(code)
    except KeyError:
        raise NoSuchPage from None
    return render_template("web/problem.html", problem=problem)
