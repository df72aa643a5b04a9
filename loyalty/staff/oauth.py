"""The client credentials grant (RFC 6749, 7523): which client asks, and what it may get.

The refusals here are OAuth's own words, which every OAuth library understands.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_plus

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.staff import people
from loyalty.staff.assertions import TYPE, is_assertion_of
from loyalty.staff.clients import is_secret_of
from loyalty.staff.models import Client
from loyalty.staff.tokens import Issued, issue_client_token
from loyalty.web import Caller, Kind, Refused, ids

PARAMETERS = frozenset(
    {
        "grant_type",
        "scope",
        "client_id",
        "client_secret",
        "client_assertion_type",
        "client_assertion",
    }
)


class OAuthRefused(Exception):
    """The token endpoint says no; `error` is a code of RFC 6749, section 5.2."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Proof(NamedTuple):
    """How a client proves itself: exactly one of `secret` and `assertion` is set."""

    client_id: str
    secret: str = ""
    assertion: str = ""


def grant(
    session: Session,
    form: Mapping[str, str],
    authorization: str | None,
    *,
    audiences: frozenset[str],
    request_id: str,
) -> Issued:
    """Return an access token for the client that proves itself in `form` or `authorization`.

    Raises `OAuthRefused`. An unknown client, a wrong proof and a disabled client look the same.
    """
    if not set(form) <= PARAMETERS:
        raise OAuthRefused("invalid_request")
    if form.get("grant_type") != "client_credentials":
        raise OAuthRefused(
            "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
        )
    client = _authenticate(session, read_proof(form, authorization), audiences)
    wanted = form["scope"].split() if "scope" in form else None
    try:
        issued = issue_client_token(client, wanted)
    except Refused:
        raise OAuthRefused("invalid_scope") from None
    kind = Kind.SYSTEM if client.partner_id is None else Kind.PARTNER
    caller = Caller(kind, ids.encode("cli", client.id), request_id=request_id)
    audit.record(
        session, caller, "token.issued", "client", client.id, {"scopes": list(issued.scopes)}
    )
    return issued


def read_proof(form: Mapping[str, str], authorization: str | None) -> Proof:
    """Return the one proof that a request brings; two at once are refused."""
    proofs = []
    if authorization is not None:
        proofs.append(_read_basic(authorization))
    if "client_secret" in form:
        proofs.append(Proof(form.get("client_id", ""), secret=form["client_secret"]))
    if "client_assertion" in form or "client_assertion_type" in form:
        if form.get("client_assertion_type") != TYPE:
            raise OAuthRefused("invalid_client")
        assertion = form.get("client_assertion", "")
        proofs.append(Proof(form.get("client_id") or _issuer_of(assertion), assertion=assertion))
    if len(proofs) > 1:
        raise OAuthRefused("invalid_request")
    if not proofs or form.get("client_id", proofs[0].client_id) != proofs[0].client_id:
        raise OAuthRefused("invalid_client")
    return proofs[0]


def _read_basic(authorization: str) -> Proof:
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic":
        raise OAuthRefused("invalid_client")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise OAuthRefused("invalid_client") from None
    return Proof(unquote_plus(client_id), secret=unquote_plus(secret))


def _issuer_of(assertion: str) -> str:
    """Return who an assertion claims to be from: only to find whose keys must have signed it."""
    try:
        payload = assertion.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issuer = claims["iss"]
    except (IndexError, ValueError, KeyError, TypeError):
        raise OAuthRefused("invalid_client") from None
    return issuer if isinstance(issuer, str) else ""


def _authenticate(session: Session, proof: Proof, audiences: frozenset[str]) -> Client:
    try:
        number = ids.decode("cli", proof.client_id)
    except ValueError:
        raise OAuthRefused("invalid_client") from None
    if proof.secret:
        proven = is_secret_of(session, number, proof.secret)
    else:
        proven = is_assertion_of(session, number, proof.assertion, audiences)
    client = session.scalar(select(Client).where(Client.id == number))
    if not proven or client is None or client.disabled_at is not None:
        raise OAuthRefused("invalid_client")
    if client.staff_id is not None and not people.is_active(session, client.staff_id):
        raise OAuthRefused("invalid_client")
    return client
