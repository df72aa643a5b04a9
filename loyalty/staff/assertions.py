"""Clients that prove themselves with a signature (RFC 7523) instead of a shared secret."""

import base64
import time
from datetime import UTC, datetime
from typing import Any

import orjson
from joserfc.jwk import ECKey, OKPKey, import_key
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from loyalty.staff.models import Client, ClientKey, UsedAssertion
from loyalty.staff.signing import BadSignature, PinnedAlgorithms, open_token
from loyalty.web import ids

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE = 300  # seconds
SKEW = 60
# Ed25519 is the newer name of what many libraries still call EdDSA.
_ALGORITHMS = PinnedAlgorithms("EdDSA", "Ed25519", "ES256")
_HEADER = frozenset({"alg", "typ", "kid"})


def is_assertion_of(
    session: Session, client_id: int, assertion: str, audiences: frozenset[str]
) -> bool:
    """Return whether `assertion` proves this client now, and use it up if so.

    It must be signed by one of the client's live keys, name the client as issuer and subject
    and one of `audiences`, end within five minutes, and never have been used.
    """
    claims = _open(session, client_id, assertion, audiences)
    if claims is None or claims["sub"] != claims["iss"]:
        return False
    return _use_up(session, client_id, claims["jti"], claims["exp"])


def open_hand_over(
    session: Session, assertion: str, audiences: frozenset[str], scope: str
) -> dict[str, Any] | None:
    """Return the claims with which a client that holds `scope` vouches for somebody, once.

    The same kind of assertion as above but for its subject, which the client chooses. None where
    it is forged, late, used before, or from a client that may not.
    """
    client_id = _claimed_client(assertion)
    if client_id is None or not _holds(session, client_id, scope):
        return None
    claims = _open(session, client_id, assertion, audiences)
    if claims is None or not _use_up(session, client_id, claims["jti"], claims["exp"]):
        return None
    return claims


def _claimed_client(assertion: str) -> int | None:
    """Return which client an assertion says it is from; its signature is checked afterwards."""
    try:
        body = assertion.split(".")[1]
        claims = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return ids.decode("cli", str(claims["iss"]))
    except (ValueError, IndexError, KeyError, TypeError):
        return None


def _holds(session: Session, client_id: int, scope: str) -> bool:
    held = select(Client.scopes).where(Client.id == client_id, Client.disabled_at.is_(None))
    return scope in (session.scalar(held) or ())


def _open(
    session: Session, client_id: int, assertion: str, audiences: frozenset[str]
) -> dict[str, Any] | None:
    """Return the claims of an assertion that this client signed and that fits now, or None."""
    rows = session.scalars(
        select(ClientKey.jwk).where(
            ClientKey.client_id == client_id, ClientKey.revoked_at.is_(None)
        )
    ).all()
    keys: list[OKPKey | ECKey] = [_import(jwk) for jwk in rows]
    if not keys:
        return None
    try:
        header, claims = open_token(assertion, keys, _ALGORITHMS)
    except BadSignature:
        return None
    fits = set(header) <= _HEADER and _fits(claims, ids.encode("cli", client_id), audiences)
    return claims if fits else None


def _import(jwk: dict[str, Any]) -> OKPKey | ECKey:
    key = import_key(jwk)
    assert isinstance(key, OKPKey | ECKey), "only these kinds are registered"
    return key


def _fits(claims: dict[str, Any], client: str, audiences: frozenset[str]) -> bool:
    now = time.time()
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    issued = claims.get("iat", 0)
    if any(type(instant) is not int for instant in (expires, begins, issued)):
        return False
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    jti = claims.get("jti")
    return (
        claims.get("iss") == client
        and isinstance(claims.get("sub"), str)
        and 0 < len(claims["sub"]) <= 200
        and any(isinstance(name, str) and name in audiences for name in named)
        and now - SKEW < claims["exp"] <= now + LONGEST_LIFE + SKEW
        and begins <= now + SKEW
        and issued <= now + SKEW
        and isinstance(jti, str)
        and 0 < len(jti) <= 200
        and jti.isprintable()
    )


def _use_up(session: Session, client_id: int, jti: str, expires: int) -> bool:
    """Return whether nobody used `jti` before. Kept past its end by the clocks' tolerance."""
    session.execute(
        delete(UsedAssertion).where(
            UsedAssertion.client_id == client_id, UsedAssertion.expires_at < func.now()
        )
    )
    kept_until = datetime.fromtimestamp(expires + 2 * SKEW, UTC)
    statement = (
        insert(UsedAssertion)
        .values(client_id=client_id, jti=jti, expires_at=kept_until)
        .on_conflict_do_nothing()
        .returning(UsedAssertion.jti)
    )
    return session.execute(statement).first() is not None
