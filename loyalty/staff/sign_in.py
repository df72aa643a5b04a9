"""Signing in: name, password and second factor at once, so that nothing tells which was wrong."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.staff import people, second_factor
from loyalty.staff.passwords import hash_password, is_password
from loyalty.web import Caller, Kind, NotFound, Refused, ids, sessions

INVITED_FOR = timedelta(hours=24)

_FIND = text("""
SELECT s.id, c.password, c.second_factor, c.last_step
FROM loyalty.staff s JOIN loyalty.staff_credentials c ON c.staff_id = s.id
WHERE s.login = :login AND s.disabled_at IS NULL
""")
_BY_ID = text("SELECT second_factor, last_step FROM loyalty.staff_credentials WHERE staff_id = :id")
# Of two who show the same code at once, one waits for the other here and then comes too late.
_USE_STEP = text("""
UPDATE loyalty.staff_credentials SET last_step = :step
WHERE staff_id = :id AND last_step < :step RETURNING staff_id
""")
_INVITE = text("""
INSERT INTO loyalty.staff_invitations (digest, staff_id, second_factor, expires_at)
VALUES (:digest, :id, :second_factor, now() + :life)
""")
_INVITED = text("""
SELECT i.staff_id, s.login, s.name, i.second_factor
FROM loyalty.staff_invitations i JOIN loyalty.staff s ON s.id = i.staff_id
WHERE i.digest = :digest AND i.used_at IS NULL AND i.expires_at > now() AND s.disabled_at IS NULL
""")
_USE_INVITATION = text("""
UPDATE loyalty.staff_invitations SET used_at = now()
WHERE digest = :digest AND used_at IS NULL AND expires_at > now() RETURNING staff_id
""")
_SET = text("""
INSERT INTO loyalty.staff_credentials (staff_id, password, second_factor, last_step)
VALUES (:id, :password, :second_factor, :step)
ON CONFLICT (staff_id) DO UPDATE SET password = excluded.password,
    second_factor = excluded.second_factor, last_step = excluded.last_step, set_at = now()
""")


@dataclass(frozen=True, slots=True)
class Invited:
    """A member of staff who holds a live invitation; `secret` is for their authenticator."""

    staff_id: int
    login: str
    name: str
    secret: bytes


def find_person(session: Session, login: str, password: str, code: str) -> int | None:
    """Return who proved to be `login`, or None; the code is used up where all three are right.

    Every try takes a password's time, whether or not there is such a login.
    """
    row = session.execute(_FIND, {"login": login}).one_or_none()
    proven = is_password(row.password if row else None, password)
    if row is None or not proven:
        return None
    secret = second_factor.unseal(row.second_factor, row.id)
    return row.id if _use_code(session, row.id, secret, row.last_step, code) else None


def confirm(session: Session, caller: Caller, code: str) -> bool:
    """Return whether `code` is this member of staff's now, and use it up if so."""
    staff_id = ids.decode("stf", caller.id)
    row = session.execute(_BY_ID, {"id": staff_id}).one_or_none()
    if row is None:
        return False
    secret = second_factor.unseal(row.second_factor, staff_id)
    return _use_code(session, staff_id, secret, row.last_step, code)


def invite(session: Session, caller: Caller, staff_id: int) -> str:
    """Return the random end of a link with which this person sets password and second factor."""
    token = secrets.token_urlsafe(24)
    sealed = second_factor.seal(second_factor.new_secret(), staff_id)
    session.execute(
        _INVITE,
        {
            "digest": _digest(token),
            "id": staff_id,
            "second_factor": sealed,
            "life": INVITED_FOR,
        },
    )
    audit.record(session, caller, "staff.invited", "staff", staff_id)
    return token


def find_invited(session: Session, token: str) -> Invited:
    """Return whose live invitation this is. Raises `NotFound`."""
    row = session.execute(_INVITED, {"digest": _digest(token)}).one_or_none()
    if row is None:
        raise NotFound
    secret = second_factor.unseal(row.second_factor, row.staff_id)
    return Invited(row.staff_id, row.login, row.name, secret)


def accept(session: Session, token: str, password: str, code: str) -> int:
    """Set password and second factor of who was invited, end their sessions, return who it is.

    Raises `NotFound`, or `Refused` with `weak-password` or `confirmation-failed`.
    """
    invited = find_invited(session, token)
    step = second_factor.find_step(invited.secret, code, last_step=0)
    if step is None:
        raise Refused("confirmation-failed")
    hashed = hash_password(password, invited.login)
    if session.execute(_USE_INVITATION, {"digest": _digest(token)}).one_or_none() is None:
        raise NotFound
    set_credentials(session, invited.staff_id, hashed, invited.secret, step)
    return invited.staff_id


def set_credentials(
    session: Session, staff_id: int, hashed: str, secret: bytes, step: int = 0
) -> None:
    """Write what somebody signs in with from now on; whoever was signed in as them is not."""
    sealed = second_factor.seal(secret, staff_id)
    session.execute(
        _SET, {"id": staff_id, "password": hashed, "second_factor": sealed, "step": step}
    )
    sessions.end(session, Kind.STAFF, staff_id)
    who = Caller(Kind.STAFF, ids.encode("stf", staff_id))
    audit.record(session, who, "staff.credentials_set", "staff", staff_id)


def recognise(session: Session, staff_id: int) -> Caller | None:
    """Return the caller behind a session, with the roles of this moment; None where disabled."""
    if not people.is_active(session, staff_id):
        return None
    roles = people.roles_of(session, staff_id)
    return Caller(Kind.STAFF, ids.encode("stf", staff_id), roles=roles)


def _use_code(session: Session, staff_id: int, secret: bytes, last_step: int, code: str) -> bool:
    step = second_factor.find_step(secret, code, last_step)
    if step is None:
        return False
    return session.execute(_USE_STEP, {"id": staff_id, "step": step}).one_or_none() is not None


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
