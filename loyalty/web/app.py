"""The Flask application: its parts are handed in, so it knows no slice above this one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Flask
from sqlalchemy.orm import Session

from loyalty.settings import settings
from loyalty.web import logs, metrics, templating
from loyalty.web.access import Caller
from loyalty.web.bearer import BearerTokens, Verify
from loyalty.web.envelope import Envelope
from loyalty.web.errors import Refused, register_translations
from loyalty.web.rates import Rates

RecordDenial = Callable[[Caller, str, str], None]
Recognise = Callable[[Session, int], Caller | None]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every route uses: whose a token is, where denials are kept, who calls how often."""

    tokens: BearerTokens
    record_denial: RecordDenial
    people: "People"
    rates: Rates


@dataclass(frozen=True, slots=True)
class People:
    """Who signs in by browser: the caller behind each kind of session, and the second factor.

    `recognise` returns None for who may not act any more. `admit_confirmation` counts a try at
    the second factor before `confirm` looks at its code.
    """

    recognise: Mapping[str, Recognise] = field(default_factory=dict)
    admit_confirmation: Callable[[Session, Caller], bool] = lambda _session, _caller: False
    confirm: Callable[[Session, Caller, str], bool] = lambda _session, _caller, _code: False


def create_app(
    blueprints: Iterable[Blueprint] = (),
    *,
    verify: Verify | None = None,
    record_denial: RecordDenial | None = None,
    people: People | None = None,
) -> Flask:
    """Return the application that serves `blueprints`.

    `verify` turns a bearer token into its caller; without it no token is valid. `record_denial`
    is told caller, route and problem code of each refusal that is a denial.
    `people` are those who use a browser.
    """
    chosen = settings()
    logs.configure()
    app = Flask("loyalty.web", static_folder=None)
    app.config.update(
        ISSUER=chosen.issuer.rstrip("/"),
        CHECK_ANSWERS=chosen.environment == "test",
        MAX_CONTENT_LENGTH=64 * 1024,  # for what is no endpoint; endpoints set their own
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.extensions["quanyi"] = Wiring(
        BearerTokens(verify or _verify_nothing),
        record_denial or _record_nothing,
        people or People(),
        Rates(chosen.rates, chosen.redis_url),
    )
    templating.prepare(app)
    register_translations(app)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    app.wsgi_app = Envelope(  # type: ignore[method-assign]
        app.wsgi_app, metrics.count_request, https=chosen.issuer.startswith("https:")
    )
    return app


def _verify_nothing(_: str) -> Any:
    raise Refused("unauthenticated")


def _record_nothing(_caller: Caller, _route: str, _code: str) -> None:
    """Keep no denials: for an application without the audit slice."""
