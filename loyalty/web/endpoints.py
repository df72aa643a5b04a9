"""One declaration per route: who may call it, what it takes, what it answers, what it promises.

`endpoint` is for JSON; `page` is for everything else that answers under a path. Everything that
can be known before a request is worked out when the route is declared.
"""

import inspect
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from flask import Blueprint, Response, current_app, request
from marshmallow import Schema
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType

from loyalty.database import driver, reading, transaction
from loyalty.web import etags, idempotency, ids, messages, strictjson, uploads, validation
from loyalty.web.access import Access, Caller, Kind, resolve_path
from loyalty.web.errors import Refused
from loyalty.web.gathering import Call, Gatherer
from loyalty.web.problems import Bilingual

LARGEST_BODY = 1024 * 1024
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
JSON_TYPE = "application/json"
# How long a list of requests may wait for a lock before each goes alone: much longer than a
# transaction takes, much shorter than those notice whom the lock does not concern.
IMPATIENT = "SET LOCAL lock_timeout = '150ms'"

View = TypeVar("View", bound=Callable[..., Any])
_PARAMETER = re.compile(r"\{(\w+)\}")
_DUMP_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_STRICT_INTEGER


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view returns where a body alone does not say it: another status, or headers."""

    body: Any
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The declaration of one route. `path` is written as in OpenAPI: `/v1/things/{thing_id}`."""

    method: str
    path: str
    access: Access
    summary: str | Bilingual | tuple[str, str]
    view: Callable[..., Any]
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    answer: type[Schema] | None = None
    status: int = 200
    idempotent: bool = False
    not_idempotent: str = ""
    problems: Sequence[str] = ()
    limit: int = LARGEST_BODY
    reading: bool = False
    upload: bool = False
    media_type: str = JSON_TYPE
    form: type[Schema] | None = None
    refusals: Mapping[int, type[Schema]] = field(default_factory=dict)
    signed: messages.Signing | None = None
    tagged: bool = False
    edits: etags.ReadLocked | None = None
    needs_match: bool = True

    def __post_init__(self) -> None:
        """Refuse a declaration that leaves a question open."""
        if self.idempotent and (self.method not in WRITES or self.access.kind == Kind.PUBLIC):
            raise ValueError(f"{self.name}: only a known caller's write has an idempotency key")
        if self.reading and self.method != "GET":
            raise ValueError(f"{self.name}: only a GET merely reads")
        if self.method in WRITES and not (self.idempotent or self.not_idempotent):
            raise ValueError(f"{self.name}: take an idempotency key, or say why not")
        if self.signed is not None and not self.idempotent:
            raise ValueError(f"{self.name}: a signature covers the idempotency key")
        if self.tagged and self.method != "GET":
            raise ValueError(f"{self.name}: only what a GET answers has a tag")
        if self.edits is not None and not self.idempotent:
            raise ValueError(f"{self.name}: an edit that is sent again meets its own change")

    @property
    def name(self) -> str:
        """Method and path, as people say them."""
        return f"{self.method} {self.path}"

    @property
    def rule(self) -> str:
        """The path as Flask writes it."""
        return _PARAMETER.sub(r"<\1>", self.path)

    @property
    def parameters(self) -> list[str]:
        """The names of the path's parameters, in order."""
        return _PARAMETER.findall(self.path)

    @property
    def id_parameters(self) -> tuple[str, ...]:
        """Those of the path's parameters that are public ids; views get the row's number."""
        return tuple(
            name
            for name in self.parameters
            if name.endswith("_id") and name.removesuffix("_id") in ids.PREFIXES
        )


def endpoint(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    access: Access,
    summary: str | tuple[str, str],
    body: type[Schema] | None = None,
    query: type[Schema] | None = None,
    answer: type[Schema] | None = None,
    status: int = 200,
    idempotent: bool = False,
    not_idempotent: str = "",
    problems: Sequence[str] = (),
    limit: int = LARGEST_BODY,
    reading: bool = False,
    upload: bool = False,
    together: Callable[[Caller, dict[str, Any]], Hashable] | None = None,
    signed: messages.Signing | None = None,
    tagged: bool = False,
    edits: etags.ReadLocked | None = None,
    needs_match: bool = True,
) -> Callable[[View], View]:
    """Make a function the view of a JSON route.

    The view names those of `session`, `caller`, `body` and `query` that it wants as parameters,
    and each parameter of the path; it returns what JSON can say, an `Answer`, or None for an
    empty 204. A view that takes `session` runs inside one transaction, which commits when it
    returns. `limit` is the largest body in bytes; `problems` are the codes that this route adds
    to those that every route has. Writes are `idempotent`, or say why not. `reading` promises
    that a GET writes nothing, not even an audit row: then no transaction is opened and each of
    its statements stands by itself.

    With `upload` the body is a file: the view takes its path as `upload`, with `session` and
    `caller`, and the file is gone when the view returns.

    With `together` requests that come at the same moment share a transaction: it returns of
    which (caller and body) by a key that they have in common, or None for alone. The view then
    takes `session` and `calls` and returns for each call what other views return, or the
    `Refused` of that call.

    With `signed` the message's signature is checked before anything is done: see
    `partners.SIGNED`. Who has to sign and does not is refused in the transaction of the view.

    A GET that is `tagged` carries an `ETag`, and answers 304 to whoever has it already. A write
    `edits` what such a GET answers: `edits` holds the row and returns that answer, with which
    the request's `If-Match` is compared before the view runs. Without `If-Match` the edit is
    refused, unless not `needs_match`; the answer carries the new tag.
    """

    def declare(view: View) -> View:
        declared = Endpoint(
            method=method,
            path=re.sub(r"<(\w+)>", r"{\1}", path),
            access=access,
            summary=summary,
            view=view,
            body=body,
            query=query,
            answer=answer,
            status=status,
            idempotent=idempotent,
            not_idempotent=not_idempotent,
            problems=tuple(problems),
            limit=limit,
            reading=reading,
            upload=upload,
            signed=signed,
            tagged=tagged,
            edits=edits,
            needs_match=needs_match,
        )
        if upload:
            respond = _receive(declared)
        elif together is not None:
            respond = _gather(declared, together)
        else:
            respond = _compile(declared)
        add(blueprint, declared, respond)
        return view

    return declare


def page(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    access: Access,
    summary: str | tuple[str, str],
    media_type: str = "text/html",
    not_idempotent: str = "",
    form: type[Schema] | None = None,
    answer: type[Schema] | None = None,
    refusals: Mapping[int, type[Schema]] | None = None,
    problems: Sequence[str] = (),
) -> Callable[[View], View]:
    """Make a function the view of a route that is no JSON endpoint: pages, probes, OAuth.

    Access is checked here; the view reads Flask's request itself, takes `caller` if it names
    it, and answers as Flask views do. It opens its own transaction where it needs one.
    `refusals` are the shapes by status of what another standard than ours words.
    """

    def declare(view: View) -> View:
        declared = Endpoint(
            method=method,
            path=path,
            access=access,
            summary=summary,
            view=view,
            media_type=media_type,
            not_idempotent=not_idempotent,
            form=form,
            answer=answer,
            refusals=refusals or {},
            problems=tuple(problems),
        )
        takes_caller = "caller" in inspect.signature(view).parameters

        def respond(**arguments: Any) -> Any:
            caller = _find_caller(declared, arguments)
            if takes_caller:
                arguments["caller"] = caller
            return view(**arguments)

        add(blueprint, declared, respond)
        return view

    return declare


def add(blueprint: Blueprint, declared: Endpoint, respond: Callable[..., Any]) -> None:
    """Put a declared route on its blueprint."""
    respond.declared = declared  # type: ignore[attr-defined]
    name = f"{declared.view.__module__.replace('.', '_')}_{declared.view.__name__}"
    blueprint.add_url_rule(
        declared.rule, endpoint=name, view_func=respond, methods=[declared.method]
    )


def _compile(declared: Endpoint) -> Callable[..., Response]:
    """Return the function that Flask calls: it does only what this declaration asks for."""
    takes = set(inspect.signature(declared.view).parameters)
    takes_session, takes_caller = "session" in takes, "caller" in takes
    body_schema = declared.body() if declared.body else None
    query_schema = declared.query() if declared.query else None
    view = declared.view
    open_session = reading if declared.reading else transaction

    def respond(**arguments: Any) -> Response:
        caller = _find_caller(declared, arguments)
        raw = _read_body(declared) if declared.method in WRITES else b""
        claim = _read_claim(declared, caller, raw) if declared.idempotent else None
        if claim is not None and declared.signed is not None and messages.is_signed():
            earlier = messages.find_answer(declared.signed, caller, claim, raw)
            if earlier is not None:
                return _replay(earlier)
        if body_schema is not None:
            arguments["body"] = validation.load_body(body_schema, strictjson.parse(raw))
        elif raw:
            raise Refused("bad-request", ("此接口不接受请求体。", "This route takes no body."))
        if query_schema is not None or request.query_string:
            query = validation.load_query(query_schema, request.args)
            if query_schema is not None:
                arguments["query"] = query
        if takes_caller:
            arguments["caller"] = caller
        if not takes_session and claim is None:
            return _answer(declared, _dump(declared, view(**arguments)))
        with open_session() as session:
            if claim is not None:
                earlier = _take(session, declared, caller, claim)
                if earlier is not None:
                    return _replay(earlier)
            if takes_session:
                arguments["session"] = session
            given = _run(declared, arguments)
            if claim is not None:
                idempotency.keep(session, claim, given)
        return _answer(declared, given)

    return respond


def _run(declared: Endpoint, arguments: dict[str, Any]) -> idempotency.Kept:
    """Run the view, and where it edits, only in view of what the caller saw."""
    if declared.edits is None:
        return _dump(declared, declared.view(**arguments))
    session, path = arguments["session"], {name: arguments[name] for name in declared.parameters}
    etags.check_unmoved(_encode(declared.edits(session, **path)))
    given = _dump(declared, declared.view(**arguments))
    tag = etags.tag_of(_encode(declared.edits(session, **path)))
    return given._replace(headers={**given.headers, "ETag": tag})


def _take(
    session: Session, declared: Endpoint, caller: Caller, claim: idempotency.Claim
) -> idempotency.Kept | None:
    """Claim the key for a caller who signed, or need not sign."""
    if declared.signed is not None and not messages.is_signed():
        declared.signed.refuse_unsigned(session, caller)
    return idempotency.take(session, claim)


def _receive(declared: Endpoint) -> Callable[..., Response]:
    """Return the function that Flask calls for a route whose body is a file."""
    assert declared.body is None and declared.query is None and not declared.idempotent
    view = declared.view

    def respond(**arguments: Any) -> Response:
        caller = _find_caller(declared, arguments)
        if request.query_string:
            validation.load_query(None, request.args)
        with uploads.received(declared.limit) as path, transaction() as session:
            answer = view(session=session, caller=caller, upload=path, **arguments)
            given = _dump(declared, answer)
        return _respond(given)

    return respond


def _gather(
    declared: Endpoint, key_of: Callable[[Caller, dict[str, Any]], Hashable]
) -> Callable[..., Response]:
    """Return the function that Flask calls for a route whose requests share transactions."""
    assert declared.body is not None and declared.idempotent and not declared.parameters
    body_schema = declared.body()
    gatherer = Gatherer(lambda calls, patient: _answer_together(declared, calls, patient))

    def respond() -> Response:
        caller = _find_caller(declared, {})
        raw = _read_body(declared)
        claim = _read_claim(declared, caller, raw)
        is_signed = declared.signed is not None and messages.is_signed()
        if declared.signed is not None and is_signed:
            earlier = messages.find_answer(declared.signed, caller, claim, raw)
            if earlier is not None:
                return _replay(earlier)
        if request.query_string:
            validation.load_query(None, request.args)
        body = validation.load_body(body_schema, strictjson.parse(raw))
        call = Call(caller, body, claim, key_of(caller, body), is_signed=is_signed)
        gatherer.run(call)
        assert call.answer is not None, "a call without a fault has an answer"
        return _replay(call.answer) if call.is_replay else _respond(call.answer)

    return respond


def _answer_together(declared: Endpoint, calls: Sequence[Call], patient: bool) -> None:
    """Give each call its answer or its refusal, all in one transaction."""
    answers: dict[Call, idempotency.Kept | Refused] = {}
    with transaction() as session:
        if not patient:
            driver(session).execute(IMPATIENT)
        answers.update(_refuse_unsigned(session, declared, calls))
        asked = [call.claim for call in calls if call not in answers]
        earlier = idempotency.take_many(session, asked) if asked else {}
        fresh = [c for c in calls if c not in answers and c.claim not in earlier]
        returned = declared.view(session, fresh) if fresh else []
        for call, one in zip(fresh, returned, strict=True):
            answers[call] = one if isinstance(one, Refused) else _dump(declared, one)
        kept = {c.claim: a for c, a in answers.items() if isinstance(a, idempotency.Kept)}
        idempotency.keep_many(session, kept)
        idempotency.drop_many(session, [c.claim for c in fresh if c.claim not in kept])
    for call in calls:
        call.is_replay = call.claim in earlier
        answer = earlier[call.claim] if call.is_replay else answers[call]
        if isinstance(answer, Refused):
            call.fault = answer
        else:
            call.answer = answer


def _refuse_unsigned(
    session: Session, declared: Endpoint, calls: Sequence[Call]
) -> dict[Call, Refused]:
    """Return the refusal of each call that had to be signed and is not; asks once per caller."""
    if declared.signed is None:
        return {}
    unsigned: dict[str, list[Call]] = {}
    for call in calls:
        if not call.is_signed:
            unsigned.setdefault(call.caller.id, []).append(call)
    refused: dict[Call, Refused] = {}
    for same in unsigned.values():
        try:
            declared.signed.refuse_unsigned(session, same[0].caller)
        except Refused as refusal:
            refused.update(dict.fromkeys(same, refusal))
    return refused


def _find_caller(declared: Endpoint, path: dict[str, Any]) -> Caller:
    environ = request.environ
    environ["quanyi.route"] = declared.path
    environ["quanyi.declared"] = declared.name
    request_id = environ["quanyi.request_id"]
    access = declared.access
    if access.kind == Kind.PUBLIC:
        caller = Caller.public(request_id)
    else:
        wiring = current_app.extensions["quanyi"]
        caller = wiring.tokens.find_caller(environ.get("HTTP_AUTHORIZATION"), request_id)
        environ["quanyi.caller"] = caller
        environ["quanyi.rate"] = wiring.rates.admit(caller)
        access.check(caller)
    if path:
        resolve_path(caller, path, declared.id_parameters)
    return caller


def _read_claim(declared: Endpoint, caller: Caller, raw: bytes) -> idempotency.Claim:
    if declared.edits is not None and declared.needs_match:
        etags.check_named()
    key = request.headers.get("Idempotency-Key")
    return idempotency.read_claim(caller, key, declared.method, request.full_path, raw)


def _read_body(declared: Endpoint) -> bytes:
    request.max_content_length = declared.limit
    raw = request.get_data(cache=False)
    if raw or declared.body is not None:
        charset = request.mimetype_params.get("charset", "utf-8").lower()
        if request.mimetype != JSON_TYPE or charset not in ("utf-8", "utf8"):
            raise UnsupportedMediaType
    return raw


def _dump(declared: Endpoint, returned: Any) -> idempotency.Kept:
    status, headers = declared.status, {}
    if isinstance(returned, Answer):
        status = returned.status or status
        headers, returned = dict(returned.headers), returned.body
    if returned is None:
        return idempotency.Kept(204 if status == declared.status else status, b"", headers)
    answer = _encode(returned)
    if current_app.config["CHECK_ANSWERS"]:
        _check_answer(declared, answer)
    return idempotency.Kept(status, answer, headers)


def _encode(returned: Any) -> bytes:
    return orjson.dumps(returned, option=_DUMP_OPTIONS)


def _check_answer(declared: Endpoint, answer: bytes) -> None:
    """Hold an answer against its schema, in tests only: so the documents cannot lie."""
    assert declared.answer is not None, f"{declared.name} answers without a schema"
    wrong = declared.answer().validate(orjson.loads(answer))
    assert not wrong, f"{declared.name} answers other than it says: {wrong}"


def _answer(declared: Endpoint, given: idempotency.Kept) -> Response:
    if not declared.tagged:
        return _respond(given)
    tag = etags.tag_of(given.answer)
    about_one = declared.access.kind == Kind.CUSTOMER
    kept = "no-store" if about_one else etags.REVALIDATE
    headers = {"Cache-Control": kept, **given.headers, "ETag": tag}
    if etags.is_known(tag):
        return Response(status=304, headers=headers)
    return _respond(given._replace(headers=headers))


def _respond(given: idempotency.Kept) -> Response:
    response = Response(given.answer, given.status, content_type=JSON_TYPE)
    for name, value in given.headers.items():
        response.headers[name] = value
    return response


def _replay(kept: idempotency.Kept) -> Response:
    response = _respond(kept)
    response.headers["Idempotent-Replayed"] = "true"
    return response
