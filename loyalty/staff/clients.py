"""Systems that call us, and what they prove themselves with.

A secret is 256 random bits that we draw, so one round of SHA-256 hides it: nobody can try
2^256 values, and a slow hash would only slow down the token endpoint.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, import_key
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.staff.models import Client, ClientKey, ClientSecret
from loyalty.web import Caller, NotFound, Refused

MOST_SECRETS = 2  # the old and the new one, while a client changes over

_SCOPE = re.compile(r"[a-z][a-z_-]*(?::[a-z][a-z_-]*)?")
_CURVES = {"Ed25519": OKPKey, "P-256": ECKey}


def add_client(
    session: Session,
    caller: Caller,
    name: str,
    scopes: Iterable[str],
    staff_id: int | None = None,
) -> tuple[Client, str]:
    """Add a system account and return it with its secret, which is shown this once.

    With `staff_id` the client acts as that member of staff, with their roles. Raises `Refused`
    with `name-taken` or `invalid-scope`.
    """
    client = open_client(session, caller, name, scopes, staff_id=staff_id)
    return client, add_secret(session, caller, client.id)


def open_client(
    session: Session,
    caller: Caller,
    name: str,
    scopes: Iterable[str],
    *,
    staff_id: int | None = None,
    partner_id: int | None = None,
    sandbox: bool = False,
) -> Client:
    """Add a system account that has nothing to prove itself with yet.

    As `add_client`; with `partner_id` it is that partner's, and with `sandbox` only for trying
    things out.
    """
    wanted = sorted(set(scopes))
    if any(not _SCOPE.fullmatch(scope) for scope in wanted):
        raise Refused("invalid-scope")
    if session.scalar(select(Client.id).where(Client.name == name)) is not None:
        raise Refused("name-taken")
    client = Client(
        name=name, scopes=wanted, staff_id=staff_id, partner_id=partner_id, sandbox=sandbox
    )
    session.add(client)
    session.flush()
    audit.record(session, caller, "client.added", "client", client.id, {"scopes": wanted})
    return client


def add_secret(session: Session, caller: Caller, client_id: int) -> str:
    """Draw one more secret for a client and return it; the older one keeps working.

    Raises `NotFound`, or `Refused` with `too-many-secrets` where two are live.
    """
    _lock(session, client_id)
    live = select(func.count()).where(
        ClientSecret.client_id == client_id, ClientSecret.revoked_at.is_(None)
    )
    if session.execute(live).scalar_one() >= MOST_SECRETS:
        raise Refused("too-many-secrets")
    secret = secrets.token_urlsafe(32)
    session.add(ClientSecret(client_id=client_id, digest=digest(secret)))
    session.flush()
    audit.record(session, caller, "client.secret_added", "client", client_id)
    return secret


def revoke_older_secrets(session: Session, caller: Caller, client_id: int) -> None:
    """Leave a client only the secret that was drawn last; ends a changeover."""
    _lock(session, client_id)
    newest = (
        select(func.max(ClientSecret.id))
        .where(ClientSecret.client_id == client_id)
        .scalar_subquery()
    )
    session.execute(
        update(ClientSecret)
        .where(
            ClientSecret.client_id == client_id,
            ClientSecret.revoked_at.is_(None),
            ClientSecret.id < newest,
        )
        .values(revoked_at=func.now())
    )
    audit.record(session, caller, "client.secrets_revoked", "client", client_id)


def add_key(session: Session, caller: Caller, client_id: int, jwk: dict[str, Any]) -> str:
    """Register a client's public key (Ed25519 or P-256) for assertions; return its key id.

    Raises `NotFound`, or `Refused` with `invalid-key` on another kind or a private key.
    """
    _lock(session, client_id)
    try:
        if "d" in jwk or jwk.get("crv") not in _CURVES:
            raise Refused("invalid-key")
        key = import_key(jwk)
        public = key.as_dict(private=False)
        kid = key.thumbprint()
    except (JoseError, ValueError, TypeError, KeyError):
        raise Refused("invalid-key") from None
    known = select(ClientKey.id).where(ClientKey.client_id == client_id, ClientKey.kid == kid)
    if session.scalar(known) is None:
        session.add(ClientKey(client_id=client_id, kid=kid, jwk=public))
        session.flush()
        audit.record(session, caller, "client.key_added", "client", client_id, {"kid": kid})
    return kid


def revoke_key(session: Session, caller: Caller, client_id: int, kid: str) -> None:
    """Trust a client's public key no longer. Raises `NotFound` where it has no such live key."""
    statement = (
        update(ClientKey)
        .where(
            ClientKey.client_id == client_id, ClientKey.kid == kid, ClientKey.revoked_at.is_(None)
        )
        .values(revoked_at=func.now())
        .returning(ClientKey.id)
    )
    if session.execute(statement).first() is None:
        raise NotFound
    audit.record(session, caller, "client.key_revoked", "client", client_id, {"kid": kid})


def disable_client(session: Session, caller: Caller, client_id: int) -> None:
    """Refuse a client from now on; tokens that it got die within half a minute."""
    statement = (
        update(Client)
        .where(Client.id == client_id, Client.disabled_at.is_(None))
        .values(disabled_at=func.now())
        .returning(Client.id)
    )
    if session.execute(statement).first() is None:
        raise NotFound
    audit.record(session, caller, "client.disabled", "client", client_id)


def find_client(session: Session, name: str) -> Client:
    """Return the client called `name`; raises `NotFound`."""
    client = session.scalar(select(Client).where(Client.name == name))
    if client is None:
        raise NotFound
    return client


def is_secret_of(session: Session, client_id: int, secret: str) -> bool:
    """Return whether `secret` is a live secret of this client."""
    live = select(ClientSecret.digest).where(
        ClientSecret.client_id == client_id, ClientSecret.revoked_at.is_(None)
    )
    offered = digest(secret)
    # Every stored digest is compared: the time taken tells only how many there are.
    matches = [hmac.compare_digest(stored, offered) for stored in session.scalars(live)]
    return any(matches)


def digest(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return sha256(secret.encode()).digest()


def _lock(session: Session, client_id: int) -> None:
    statement = select(Client.id).where(Client.id == client_id).with_for_update(key_share=True)
    if session.scalar(statement) is None:
        raise NotFound
