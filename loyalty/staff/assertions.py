"""Clients that prove themselves with a signature (RFC 7523) instead of a shared secret."""

import time
from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey, OKPKey, import_key
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from loyalty.staff.models import ClientKey, UsedAssertion
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
    rows = session.scalars(
        select(ClientKey.jwk).where(
            ClientKey.client_id == client_id, ClientKey.revoked_at.is_(None)
        )
    ).all()
    keys: list[OKPKey | ECKey] = [_import(jwk) for jwk in rows]
    if not keys:
        return False
    try:
        header, claims = open_token(assertion, keys, _ALGORITHMS)
    except BadSignature:
        return False
    if not set(header) <= _HEADER or not _fits(claims, ids.encode("cli", client_id), audiences):
        return False
    return _use_up(session, client_id, claims["jti"], claims["exp"])


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
        claims.get("iss") == claims.get("sub") == client
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
