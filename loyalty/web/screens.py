"""Pages for people: one declaration per route, as `endpoint` is for JSON.

A screen is served to whoever is signed in by browser as the right kind of person; anybody else
is led to the sign-in page of that site. A POST is a form: it carries the session's token, may
ask for the second factor, and answers a refusal by showing the form again with what is wrong.
"""

import hmac
import inspect
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from flask import Blueprint, current_app, g, make_response, redirect, request
from marshmallow import Schema
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wrappers import Response as AnyResponse

from loyalty.database import transaction
from loyalty.web import cookies, idempotency, sessions, validation
from loyalty.web.access import Access, Caller, Kind, resolve_path
from loyalty.web.endpoints import WRITES, Endpoint, add
from loyalty.web.errors import Refused, note_denial
from loyalty.web.problems import Bilingual, find_problem
from loyalty.web.sites import SITES, Entry, Menu

View = TypeVar("View", bound=Callable[..., Any])

FORM_TYPE = "application/x-www-form-urlencoded"
TOKEN = "token"  # noqa: S105 - the name of a field
KEY = "key"
CODE = "code"
A_FORM = "a form of a page; sending it again shows the page again"


def screen(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    access: Access,
    summary: tuple[str, str],
    menu: Menu | None = None,
    form: type[Schema] | None = None,
    idempotent: bool = False,
    not_idempotent: str = "",
    confirmed: bool = False,
    again: Callable[..., Any] | None = None,
    problems: Sequence[str] = (),
) -> Callable[[View], View]:
    """Make a function the view of a page for people.

    The view names those of `session`, `caller`, `entered` (the form, loaded) and the path's
    parameters that it wants, and returns a page or a redirect. With `session` it runs inside one
    transaction. `menu` puts a GET into its site's menu. `idempotent`: the form carries a key of
    its own, and sent twice takes effect once. `confirmed` asks for a fresh second factor. `again`
    is the view that shows the form again when it is refused.
    """

    def declare(view: View) -> View:
        declared = Endpoint(
            method=method,
            path=path,
            access=access,
            summary=summary,
            view=view,
            media_type="text/html",
            idempotent=idempotent,
            not_idempotent=not_idempotent or ("" if idempotent or method == "GET" else A_FORM),
            problems=tuple(problems),
        )
        if menu is not None:
            SITES[access.kind].menu.append(Entry(menu, path, Bilingual(*summary), access.roles))
        posting = Form(form() if form else None, confirmed, again) if method in WRITES else None
        add(blueprint, declared, _compile(declared, posting))
        return view

    return declare


@dataclass(frozen=True, slots=True)
class Form:
    """What a POST takes, and who shows it again."""

    schema: Schema | None
    confirmed: bool
    again: Callable[..., Any] | None


def _compile(declared: Endpoint, posting: Form | None) -> Callable[..., AnyResponse]:
    def respond(**arguments: Any) -> AnyResponse:
        request.environ["quanyi.route"] = declared.path
        request.environ["quanyi.declared"] = declared.name
        request.environ["quanyi.site"] = declared.access.kind
        g.path_arguments = dict(arguments)
        g.caller = caller = _find_caller(declared)
        if caller is None:
            return _lead_to_sign_in(declared.access.kind)
        resolve_path(caller, arguments, declared.id_parameters)
        if posting is None:
            return _finish(_show(declared.view, caller, arguments))
        try:
            return _finish(_post(declared, posting, caller, arguments))
        except Refused as refusal:
            if posting.again is None:
                raise
            return _finish(_show_again(posting.again, caller, arguments, refusal))

    return respond


def _find_caller(declared: Endpoint) -> Caller | None:
    """Return who is signed in; None is nobody. Raises `Refused` with `forbidden`."""
    access, request_id = declared.access, request.environ["quanyi.request_id"]
    if access.kind == Kind.PUBLIC:
        return Caller.public(request_id)
    wiring = current_app.extensions["quanyi"]
    with transaction() as session:
        g.signed = signed = sessions.find(session, access.kind, cookies.read(access.kind))
        if signed is None:
            return None
        caller: Caller | None = wiring.people.recognise[access.kind](session, signed.subject_id)
    if caller is None:
        return None
    caller = caller.signed(signed.fingerprint, request_id)
    g.caller = request.environ["quanyi.caller"] = caller
    request.environ["quanyi.rate"] = wiring.rates.admit(caller)
    access.check(caller)
    return caller


def _lead_to_sign_in(kind: str) -> AnyResponse:
    """Send the browser to the sign-in page, and from there back to what it wanted to see."""
    site = SITES[kind]
    back = request.full_path.rstrip("?") if request.method == "GET" else site.home
    response = redirect(f"{site.sign_in}?{urlencode({'next': back})}", 303)
    return _finish(response)


def _show(
    view: Callable[..., Any],
    caller: Caller,
    arguments: Mapping[str, Any],
    entered: Mapping[str, Any] | None = None,
) -> Any:
    """Call a view with what it names; inside a transaction where it names `session`."""
    offered = {"caller": caller, "entered": entered, **arguments}
    takes = inspect.signature(view).parameters
    given = {name: value for name, value in offered.items() if name in takes}
    if "session" not in takes:
        return view(**given)
    with transaction() as session:
        return view(session=session, **given)


def _post(
    declared: Endpoint, posting: Form, caller: Caller, arguments: dict[str, Any]
) -> AnyResponse:
    fields = _read_form()
    key = fields.pop(KEY, None)
    if posting.confirmed:
        _confirm(caller, fields.pop(CODE, ""))
    entered = {}
    if posting.schema is not None:
        entered = validation.load_body(posting.schema, fields)
    if not declared.idempotent:
        return make_response(_show(declared.view, caller, arguments, entered))
    claim = idempotency.read_claim(
        caller, key, declared.method, request.path, repr(sorted(fields.items())).encode()
    )
    with transaction() as session:
        earlier = idempotency.take(session, claim)
        if earlier is not None:
            return redirect(earlier.headers["Location"], 303)
        offered = {"caller": caller, "entered": entered, "session": session, **arguments}
        takes = inspect.signature(declared.view).parameters
        response = declared.view(**{n: v for n, v in offered.items() if n in takes})
        location = {"Location": response.headers["Location"]}
        idempotency.keep(session, claim, idempotency.Kept(303, b"", location))
    return make_response(response)


def _read_form() -> dict[str, str]:
    """Return the fields of a form that came from a page of ours. Raises `Refused`."""
    if request.mimetype != FORM_TYPE:
        raise UnsupportedMediaType
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Refused("form-expired")
    fields = request.form.to_dict()
    sent = fields.pop(TOKEN, "")
    if not hmac.compare_digest(sent.encode(), form_token().encode()):
        raise Refused("form-expired")
    if any("\x00" in value for value in fields.values()):
        raise Refused("bad-request")
    return fields


def _confirm(caller: Caller, code: str) -> None:
    """Return if the second factor is fresh or `code` proves it now; raises `Refused`."""
    if g.signed.confirmed:
        return
    wiring = current_app.extensions["quanyi"]
    if not code:
        raise Refused("confirmation-needed")
    with transaction() as session:
        admitted = wiring.people.admit_confirmation(session, caller)
    with transaction() as session:
        if not admitted or not wiring.people.confirm(session, caller, code):
            raise Refused("confirmation-failed")
        sessions.confirm(session, g.signed.id)


def _show_again(
    again: Callable[..., Any], caller: Caller, arguments: Mapping[str, Any], refusal: Refused
) -> AnyResponse:
    """Show the page of a refused form: what is wrong, and what was entered."""
    problem = find_problem(refusal.code)
    note_denial(problem)
    g.refusal = refusal
    g.entered = {n: v for n, v in request.form.items() if n not in (TOKEN, KEY, CODE)}
    response = make_response(_show(again, caller, arguments))
    response.status_code = problem.status
    return response


def form_token() -> str:
    """Return the token that this browser's forms carry on this page."""
    signed = g.get("signed")
    return sessions.form_token(signed.secret if signed is not None else visitor())


def visitor() -> str:
    """Return the random text by which the forms of somebody not signed in are known."""
    if "visitor" not in g:
        g.visitor = cookies.read(cookies.VISITOR)
        if not g.visitor:
            g.visitor = g.new_visitor = secrets.token_urlsafe(32)
    chosen: str = g.visitor
    return chosen


def local(address: str | None, home: str) -> str:
    """Return `address` where it is a path of ours, else `home`: nobody is led elsewhere."""
    safe = address and address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if safe and address and address.isprintable() else home


def see(path: str) -> AnyResponse:
    """Return the redirect that shows `path` after a form did its work."""
    return redirect(quote(path, safe="/?=&%#:+,_.-~"), 303)


def _finish(shown: Any) -> AnyResponse:
    response = make_response(shown)
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.update(("Cookie", "Accept-Language"))
    new_visitor = g.get("new_visitor")
    if new_visitor:
        cookies.give(response, cookies.VISITOR, new_visitor)
    return response
