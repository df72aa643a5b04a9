"""The credentials of a partner's systems, and what each of them may use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit, staff
from loyalty.web import Caller, NotFound, ids

# What a partner's systems may ask for; nothing else of ours is for them.
SCOPES = (
    "partners:read",
    "coupons:check",
    "coupons:redeem",
    "settlements:read",
    "settlements:dispute",
)

LIMIT = text("""
INSERT INTO loyalty.partner_clients (client_id, partner_id, series, outlets, signature_required)
VALUES (:client, :partner, :series, :outlets, :signed)
""")
FOREIGN_OUTLETS = text("""
SELECT count(*) FROM unnest(CAST(:outlets AS bigint[])) AS asked (id)
WHERE NOT EXISTS (SELECT FROM loyalty.outlets o WHERE o.id = asked.id AND o.partner_id = :partner)
""")
FIND = """
SELECT c.id, p.partner_id, c.name, c.scopes, c.sandbox, c.created_at, c.disabled_at,
    p.series, p.outlets, p.signature_required, (
        SELECT count(*) FROM loyalty.client_secrets s
        WHERE s.client_id = c.id AND s.revoked_at IS NULL
    ) AS secrets, ARRAY(
        SELECT k.kid FROM loyalty.client_keys k
        WHERE k.client_id = c.id AND k.revoked_at IS NULL ORDER BY k.id
    ) AS keys
FROM loyalty.partner_clients p JOIN loyalty.clients c ON c.id = p.client_id
WHERE p.partner_id = :partner
"""
FIND_ALL = text(f"{FIND} AND c.id > :after ORDER BY c.id LIMIT :limit")
FIND_ONE = text(f"{FIND} AND c.id = :client")


@dataclass(frozen=True, slots=True)
class Limits:
    """What of a partner's a client may use; None: all. `signed` calls only, where it is set."""

    series: Sequence[str] | None = None
    outlets: Sequence[int] | None = None
    signature_required: bool = False


def add_credential(
    session: Session,
    caller: Caller,
    partner_id: int,
    name: str,
    scopes: Iterable[str],
    *,
    limits: Limits | None = None,
    sandbox: bool = False,
) -> int:
    """Add a client of an existing partner and return its number; its secret is drawn apart.

    Raises `NotFound` where an outlet is not the partner's, or `Refused` with `name-taken` or
    `invalid-scope`.
    """
    chosen = limits or Limits()
    check_outlets(session, partner_id, chosen.outlets)
    client = staff.open_client(
        session, caller, name, scopes, partner_id=partner_id, sandbox=sandbox
    )
    row = {
        "client": client.id,
        "partner": partner_id,
        "series": None if chosen.series is None else list(chosen.series),
        "outlets": None if chosen.outlets is None else list(chosen.outlets),
        "signed": chosen.signature_required,
    }
    session.execute(LIMIT, row)
    audit.record(
        session,
        caller,
        "partner.credential_added",
        "partner",
        partner_id,
        {"client": ids.encode("cli", client.id), "sandbox": sandbox},
    )
    return client.id


def check_outlets(session: Session, partner_id: int, outlets: Sequence[int] | None) -> None:
    """Return if all of `outlets` are this partner's; raises `NotFound`."""
    asked = {"partner": partner_id, "outlets": list(outlets or ())}
    if session.execute(FOREIGN_OUTLETS, asked).scalar_one():
        raise NotFound


def list_credentials(
    session: Session, partner_id: int, *, after: int = 0, limit: int = 50
) -> list[Any]:
    """Return the clients of a partner, oldest first; never a secret, only how many there are."""
    asked = {"partner": partner_id, "after": after, "limit": limit}
    return list(session.execute(FIND_ALL, asked))


def find_credential(session: Session, partner_id: int, client_id: int) -> Any:
    """Return a client of this partner; raises `NotFound` for everybody else's."""
    asked = {"partner": partner_id, "client": client_id}
    row = session.execute(FIND_ONE, asked).one_or_none()
    if row is None:
        raise NotFound
    return row


def draw_secret(session: Session, caller: Caller, partner_id: int, client_id: int) -> str:
    """Draw a secret, shown this once; an older one works until it is revoked.

    Raises `NotFound`, or `Refused` with `too-many-secrets`.
    """
    find_credential(session, partner_id, client_id)
    return staff.add_secret(session, caller, client_id)


def revoke_older_secrets(session: Session, caller: Caller, partner_id: int, client_id: int) -> None:
    """Leave a client its newest secret alone. Raises `NotFound`."""
    find_credential(session, partner_id, client_id)
    staff.revoke_older_secrets(session, caller, client_id)


def add_key(
    session: Session, caller: Caller, partner_id: int, client_id: int, jwk: dict[str, Any]
) -> str:
    """Register a client's public key and return its id. Raises as `staff.add_key` does."""
    find_credential(session, partner_id, client_id)
    return staff.add_key(session, caller, client_id, jwk)


def revoke_key(session: Session, caller: Caller, partner_id: int, client_id: int, kid: str) -> None:
    """Accept nothing any longer that this key has signed. Raises `NotFound`."""
    find_credential(session, partner_id, client_id)
    staff.revoke_key(session, caller, client_id, kid)


def revoke_credential(session: Session, caller: Caller, partner_id: int, client_id: int) -> None:
    """Refuse a client from now on, for ever. Raises `NotFound`."""
    find_credential(session, partner_id, client_id)
    staff.disable_client(session, caller, client_id)
