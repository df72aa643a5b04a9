"""Refusals as exceptions, and their one translation into problem+json (RFC 9457)."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import psycopg
import structlog
from flask import Flask, Response, current_app, render_template, request
from sqlalchemy import exc as database_errors
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from loyalty.web import words
from loyalty.web.failures import describe_failure
from loyalty.web.problems import Bilingual, Problem, find_problem

log = structlog.get_logger("loyalty.web")

MEDIA_TYPE = "application/problem+json"
_BY_STATUS = {
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    429: "too-many-requests",
}


class Refused(Exception):
    """The request was understood and is refused; nothing was changed.

    `code` is a registered problem. `detail` says what is particular to this case, as one text
    or as a pair of Chinese and English; without it the problem's explanation stands there.
    `errors` are mappings of `pointer` (or `parameter`), `code` and `detail`. Never put personal
    data into them.
    """

    def __init__(
        self,
        code: str,
        detail: str | tuple[str, str] = "",
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


class NotFound(Refused):
    """What the path names does not exist, or is not the caller's: both look the same."""

    def __init__(self) -> None:
        super().__init__("not-found")


def register_translations(app: Flask) -> None:
    """Make every exception that leaves a view a problem+json answer."""
    app.register_error_handler(Refused, answer_refusal)
    app.register_error_handler(HTTPException, _answer_http_error)
    for unavailable in (
        database_errors.OperationalError,
        database_errors.InterfaceError,
        database_errors.TimeoutError,
        psycopg.OperationalError,  # from statements that go to the driver directly
        psycopg.InterfaceError,
    ):
        app.register_error_handler(unavailable, _answer_unavailable)
    app.register_error_handler(Exception, _answer_unexpected)


def answer_refusal(refusal: Refused) -> Response:
    """Return the answer that tells the caller about `refusal`, in the caller's language."""
    problem = find_problem(refusal.code)
    note_denial(problem)
    headers = dict(refusal.headers)
    if problem.status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer error="invalid_token"')
    return _answer(problem, problem.status, refusal.detail, refusal.errors, headers)


def note_denial(problem: Problem) -> None:
    """Have the attempt kept where `problem` is a denial and we know whose it is."""
    caller = request.environ.get("quanyi.caller")
    if problem.is_denial and caller is not None:
        record_denial = current_app.extensions["quanyi"].record_denial
        record_denial(caller, request.environ["quanyi.declared"], problem.code)


def _answer_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code = _BY_STATUS.get(status) or ("bad-request" if status < 500 else "internal")
    headers: dict[str, str] = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if status < 400 and error.response is None:
        headers.update({name: value for name, value in error.get_headers() if name == "Location"})
    return _answer(find_problem(code), status, "", (), headers)


def _answer_unavailable(error: Exception) -> Response:
    log.warning("database_unavailable", request_id=request_id(), **describe_failure(error, 0))
    # Spread over a few seconds, so that those who were refused together do not return together.
    headers = {"Retry-After": str(random.randint(1, 3))}  # noqa: S311 - spreads load, no secret
    return _answer(find_problem("unavailable"), 503, "", (), headers)


def _answer_unexpected(error: Exception) -> Response:
    log.error("unexpected_error", request_id=request_id(), **describe_failure(error))
    return _answer(find_problem("internal"), 500, "", (), {})


def _answer(
    problem: Problem,
    status: int,
    detail: str | tuple[str, str],
    errors: Sequence[Mapping[str, Any]],
    headers: Mapping[str, str],
) -> Response:
    if _wants_page():
        return _answer_page(problem, status, detail, headers)
    language = preferred_language()
    content: dict[str, Any] = {
        "type": f"{current_app.config['ISSUER']}/problems/{problem.code}",
        "title": say(problem.title, language),
        "status": status,
        "detail": say(detail or problem.explanation, language),
        "instance": request_id(),
    }
    if errors:
        content["errors"] = [
            {name: say(value, language) for name, value in error.items()} for error in errors
        ]
    response = Response(orjson.dumps(content), status, content_type=MEDIA_TYPE)
    response.headers["Content-Language"] = "zh-CN" if language == "zh" else "en"
    response.headers.extend(headers)
    return response


def _wants_page() -> bool:
    """Return whether a person is reading: a page of a site, or a browser at no route of ours."""
    if "quanyi.site" in request.environ:
        return True
    accepted = request.accept_mimetypes
    return not request.path.startswith("/v1/") and accepted["text/html"] > accepted[MEDIA_TYPE]


def _answer_page(
    problem: Problem, status: int, detail: str | tuple[str, str], headers: Mapping[str, str]
) -> Response:
    """Return the refusal as a page: what happened, what was not done, what to do."""
    reason = detail or problem.explanation
    page = render_template(
        "web/refusal.html",
        title=words.pick(problem.title),
        detail=reason if isinstance(reason, str) else words.pick(reason),
        remedy=words.pick(problem.remedy),
        request_id=request_id(),
    )
    response = Response(page, status, content_type="text/html; charset=utf-8")
    response.headers.extend({n: v for n, v in headers.items() if n != "WWW-Authenticate"})
    return response


def preferred_language() -> str:
    """Return `zh` or `en` by the request's Accept-Language; Chinese where it says nothing."""
    return request.accept_languages.best_match(words.LANGUAGES, "zh") or "zh"


def say(text: str | tuple[str, str], language: str) -> str:
    """Return `text` in `language`; a single text is the same in both."""
    if isinstance(text, str):
        return text
    return Bilingual(*text).en if language == "en" else Bilingual(*text).zh


def request_id() -> str:
    """Return the id of the current request."""
    return str(request.environ.get("quanyi.request_id", ""))
