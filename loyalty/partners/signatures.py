"""Signed calls (RFC 9421): what a partner's systems sign, checked before anything is done.

The library rebuilds what was signed and checks it; here stands what we demand: which parts are
covered, with whose key, how old, and that a nonce is used once.
"""

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

from loyalty.web import Caller, Refused, ids
from loyalty.web.messages import Message

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

RULES = text("""
SELECT c.signature_required, coalesce((
    SELECT jsonb_agg(jsonb_build_array(k.kid, k.jwk)) FROM loyalty.client_keys k
    WHERE k.client_id = c.client_id AND k.revoked_at IS NULL
), '[]') AS keys
FROM loyalty.partner_clients c WHERE c.client_id = :client
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
        """We sign nothing for partners."""
        raise NotImplementedError(key_id)


def check_signature(session: Session, caller: Caller, message: Message) -> bool:
    """Return whether a message of a partner's client is new; see `web.messages`.

    A client that is set to sign must; one that signs unasked must do it right. Others (staff,
    clerks in their session) sign nothing. Raises `Refused` with `signature-required` or
    `signature-invalid`.
    """
    if not caller.id.startswith("cli_") or caller.partner_id is None:
        return True
    client = ids.decode("cli", caller.id)
    rules = session.execute(RULES, {"client": client}).one_or_none()
    is_signed = any(name.lower().startswith("signature") for name, _ in message.headers.items())
    if not is_signed:
        if rules is not None and rules.signature_required:
            raise Refused("signature-required", headers=ACCEPTED)
        return True
    if not message.url:
        raise Refused("signature-invalid", headers=ACCEPTED)
    result = _verify(message, [] if rules is None else rules.keys)
    return _use_up(session, client, result)


def forget_nonces(session: Session) -> None:
    """Drop the nonces of signatures that are too old to be accepted."""
    session.execute(FORGET)


def _verify(message: Message, keys: list[tuple[str, dict[str, Any]]]) -> VerifyResult:
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
