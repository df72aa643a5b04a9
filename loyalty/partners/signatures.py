"""Signed calls (RFC 9421): what a partner's systems sign, checked before anything is done.

The library rebuilds what was signed and checks it; here stands what we demand: which parts are
covered, with whose key, how old, and that a nonce is used once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    HTTPSignatureKeyResolver,
    VerifyResult,
    algorithms,
)
from joserfc.jwk import import_key
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import driver
from loyalty.web import Caller, Refused, ids
from loyalty.web.messages import Message, Signing

COVERED = ("@method", "@target-uri", "content-digest", "idempotency-key")
LONGEST_AGE = timedelta(seconds=300)
SKEW = timedelta(seconds=30)
SHORTEST_NONCE, LONGEST_NONCE = 16, 200
ALGORITHMS: dict[str, type[HTTPSignatureAlgorithm]] = {
    "Ed25519": algorithms.ED25519,
    "P-256": algorithms.ECDSA_P256_SHA256,
}
_ASKED = " ".join(f'"{name}"' for name in COVERED)
ACCEPTED = {"Accept-Signature": f"quanyi=({_ASKED});created;keyid;nonce"}

REQUIRED = "SELECT signature_required FROM loyalty.partner_clients WHERE client_id = %s"
KEYS = text("""
SELECT k.kid, k.jwk FROM loyalty.client_keys k JOIN loyalty.partner_clients c USING (client_id)
WHERE c.client_id = :client AND k.revoked_at IS NULL
""")
USE = text("""
INSERT INTO loyalty.used_nonces (client_id, nonce, expires_at)
VALUES (:client, :nonce, :expires_at) ON CONFLICT DO NOTHING RETURNING client_id
""")
FORGET = text("DELETE FROM loyalty.used_nonces WHERE expires_at < now()")


class Verifier(HTTPMessageVerifier):
    """The library's verifier, with our tolerance for clocks."""

    max_clock_skew = SKEW


@dataclass(frozen=True, slots=True)
class OneKey(HTTPSignatureKeyResolver):
    """Knows one public key by its id, and no other."""

    kid: str
    key: Any

    def resolve_public_key(self, key_id: str) -> Any:
        """Return the key if it is the one asked for."""
        return self.key if key_id == self.kid else None

    def resolve_private_key(self, key_id: str) -> Any:
        """Raise: the library's interface demands this method, and verifying never calls it."""
        raise NotImplementedError(key_id)


def check_signature(session: Session, caller: Caller, message: Message) -> bool:
    """Return whether a signed message of a partner's client is new; see `web.messages`.

    A client that signs unasked must do it right as well. Others (staff, clerks in their session)
    sign nothing. Raises `Refused` with `signature-invalid`.
    """
    client = _client_of(caller)
    if client is None:
        return True
    if not message.url:
        raise Refused("signature-invalid", headers=ACCEPTED)
    keys = session.execute(KEYS, {"client": client}).all()
    return _use_up(session, client, _verify(message, keys))


def refuse_unsigned(session: Session, caller: Caller) -> None:
    """Return if the caller need not sign. Raises `Refused` with `signature-required`."""
    client = _client_of(caller)
    if client is None:
        return
    row = driver(session).execute(REQUIRED, (client,)).fetchone()
    if row is not None and row[0]:
        raise Refused("signature-required", headers=ACCEPTED)


SIGNED = Signing(check_signature, refuse_unsigned)
"""Calls that a partner's client signs, and has to where it is set so."""


def _client_of(caller: Caller) -> int | None:
    is_client = caller.id.startswith("cli_") and caller.partner_id is not None
    return ids.decode("cli", caller.id) if is_client else None


def forget_nonces(session: Session) -> None:
    """Drop the nonces of signatures that are too old to be accepted."""
    session.execute(FORGET)


def _verify(message: Message, keys: Sequence[Any]) -> VerifyResult:
    for kid, jwk in keys:
        key: Any = import_key(jwk)
        verifier = Verifier(
            signature_algorithm=ALGORITHMS[jwk["crv"]], key_resolver=OneKey(kid, key.public_key)
        )
        try:
            (result,) = verifier.verify(
                message, max_age=LONGEST_AGE, require_components=COVERED, body=message.body
            )
        except (HTTPMessageSignaturesException, ValueError):
            continue  # another of the client's keys may have signed
        return result
    raise Refused("signature-invalid", headers=ACCEPTED)


def _use_up(session: Session, client: int, result: VerifyResult) -> bool:
    nonce = result.nonce
    if nonce is None or not SHORTEST_NONCE <= len(nonce) <= LONGEST_NONCE:
        raise Refused("signature-invalid", headers=ACCEPTED)
    created = datetime.fromtimestamp(int(result.parameters["created"]), UTC)
    use = {
        "client": client,
        "nonce": nonce,
        "expires_at": created + LONGEST_AGE + 2 * SKEW,
    }
    return session.execute(USE, use).first() is not None
