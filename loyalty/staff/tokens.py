"""Access tokens (RFC 9068): short, signed, and only as strong as their owner is now.

A token names its owner; what the owner may do is looked up when the token is verified, so a
role taken away or a client disabled is gone as soon as no process believes the token unseen.
"""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.settings import settings
from loyalty.staff import people
from loyalty.staff.models import Client
from loyalty.staff.signing import BadSignature, signing_keys
from loyalty.web import Caller, Kind, Refused, ids
from loyalty.web.bearer import Verified

LIFETIME = 600  # seconds
SKEW = 60  # seconds by which another host's clock may be off
DEVELOPMENT = "development"
"""The client id in tokens from the command line; no token of production carries it."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as it is handed out; `expires_in` in seconds, `scopes` those it really has."""

    token: str
    expires_in: int
    scopes: tuple[str, ...]


def issue_client_token(client: Client, scopes: Iterable[str] | None = None) -> Issued:
    """Return a token for a client, or for the member of staff that it acts as.

    Without `scopes` it gets all that the client has. Raises `Refused` with `insufficient-scope`
    where more is asked for.
    """
    wanted = sorted(set(client.scopes if scopes is None else scopes))
    if not set(wanted) <= set(client.scopes):
        raise Refused("insufficient-scope")
    client_id = ids.encode("cli", client.id)
    subject = client_id if client.staff_id is None else ids.encode("stf", client.staff_id)
    return _issue(subject, client_id, wanted)


def issue_customer_token(caller: Caller, customer_id: int, scopes: Iterable[str]) -> Issued:
    """Return a token with which customer `customer_id` alone can be seen.

    `caller` is the bank's system that answers for the customer's login, or the command line.
    The caller must have checked that the customer exists.
    """
    return _issue(ids.encode("cus", customer_id), caller.id, sorted(set(scopes)))


def issue_staff_token(staff_id: int, client_id: str = DEVELOPMENT) -> Issued:
    """Return a token for a member of staff; what it allows follows their roles."""
    return _issue(ids.encode("stf", staff_id), client_id, [])


def verify_token(session: Session, token: str) -> Verified:
    """Return who `token` stands for, with the scopes and roles that they have at this moment.

    Raises `Refused` with `unauthenticated` on a token that is not ours, is over, or whose
    owner or client is disabled.
    """
    try:
        claims = signing_keys().open(token)
    except BadSignature:
        raise Refused("unauthenticated") from None
    expires_at = _check_claims(claims)
    scopes = frozenset(str(claims.get("scope", "")).split())
    client = _client_behind(session, str(claims.get("client_id")))
    caller = _describe(session, str(claims.get("sub")), scopes, client, _fingerprint(token))
    return Verified(caller, expires_at)


def _issue(subject: str, client_id: str, scopes: list[str]) -> Issued:
    now = int(time.time())
    claims = {
        "iss": settings().issuer,
        "aud": settings().issuer,
        "sub": subject,
        "client_id": client_id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": secrets.token_hex(16),
        "scope": " ".join(scopes),
    }
    return Issued(signing_keys().sign(claims), LIFETIME, tuple(scopes))


def _check_claims(claims: dict[str, Any]) -> int:
    """Return when the token ends; only whole seconds count as times."""
    now = time.time()
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int:
        raise Refused("unauthenticated")
    ours = claims.get("iss") == claims.get("aud") == settings().issuer
    if not ours or not issued - SKEW <= now < expires or expires - issued > LIFETIME:
        raise Refused("unauthenticated")
    return expires


def _client_behind(session: Session, client_id: str) -> Client | None:
    """Return the client that got the token; None stands for the command line."""
    if client_id == DEVELOPMENT and not settings().is_production:
        return None
    try:
        number = ids.decode("cli", client_id)
    except ValueError:
        raise Refused("unauthenticated") from None
    client = session.scalar(select(Client).where(Client.id == number))
    if client is None or client.disabled_at is not None:
        raise Refused("unauthenticated")
    return client


def _describe(
    session: Session, subject: str, scopes: frozenset[str], client: Client | None, fingerprint: str
) -> Caller:
    kind, number = _read_subject(subject)
    if kind == "cus":
        return Caller(
            Kind.CUSTOMER,
            subject,
            scopes=scopes,
            customer_id=number,
            token_fingerprint=fingerprint,
        )
    if kind == "stf":
        acts_for_another = client is not None and client.staff_id != number
        if acts_for_another or not people.is_active(session, number):
            raise Refused("unauthenticated")
        roles = people.roles_of(session, number)
        return Caller(Kind.STAFF, subject, roles=roles, token_fingerprint=fingerprint)
    if client is None or client.id != number or client.staff_id is not None:
        raise Refused("unauthenticated")
    return Caller(
        Kind.SYSTEM if client.partner_id is None else Kind.PARTNER,
        subject,
        scopes=scopes & frozenset(client.scopes),
        token_fingerprint=fingerprint,
        partner_id=client.partner_id,
        sandbox=client.sandbox,
    )


def _read_subject(subject: str) -> tuple[str, int]:
    prefix = subject.partition("_")[0]
    if prefix in ("cli", "cus", "stf"):
        try:
            return prefix, ids.decode(prefix, subject)
        except ValueError:
            pass
    raise Refused("unauthenticated")


def _fingerprint(token: str) -> str:
    return sha256(token.encode()).hexdigest()[:32]
