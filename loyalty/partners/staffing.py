"""The people at a partner's counters: their accounts and their passwords."""

import secrets
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit, staff
from loyalty.web import Bilingual, Caller, Kind, NotFound, Refused, ids

ADD = text("""
INSERT INTO loyalty.partner_staff (partner_id, outlet_id, login, name, password_hash)
SELECT :partner, o.id, :login, :name, :hash FROM loyalty.outlets o
WHERE o.id = :outlet AND o.partner_id = :partner
ON CONFLICT (login) DO NOTHING RETURNING id
""")
HAS_OUTLET = text("SELECT id FROM loyalty.outlets WHERE id = :outlet AND partner_id = :partner")
FIND = """
SELECT s.id, s.partner_id, s.outlet_id, s.login, s.name, s.password_hash,
    s.is_enabled AND p.state = 'active' AS may_enter, o.name_zh, o.name_en
FROM loyalty.partner_staff s JOIN loyalty.partners p ON p.id = s.partner_id
JOIN loyalty.outlets o ON o.id = s.outlet_id
"""
BY_LOGIN = text(f"{FIND} WHERE s.login = :login")
BY_ID = text(f"{FIND} WHERE s.id = :clerk")
ENABLE = text("""
UPDATE loyalty.partner_staff SET is_enabled = :enabled
WHERE id = :clerk AND partner_id = :partner RETURNING id
""")
SET_PASSWORD = text("""
UPDATE loyalty.partner_staff SET password_hash = :hash
WHERE id = :clerk AND partner_id = :partner RETURNING id
""")


@dataclass(frozen=True, slots=True)
class CounterClerk:
    """Somebody who may work at a counter, and what its outlet is called; public as `clk_…`."""

    id: int
    partner_id: int
    outlet_id: int
    login: str
    name: str
    outlet: Bilingual


def add_clerk(
    session: Session, caller: Caller, partner_id: int, outlet_id: int, login: str, name: str
) -> tuple[int, str]:
    """Add somebody to an outlet's counter; return their number and password, shown this once.

    Raises `NotFound` where the partner has no such outlet, or `Refused` with `login-taken`.
    """
    place = {"partner": partner_id, "outlet": outlet_id}
    if session.execute(HAS_OUTLET, place).first() is None:
        raise NotFound
    password, login = secrets.token_urlsafe(15), normal_login(login)
    hashed = staff.hash_password(password, login)
    account = {**place, "login": login, "name": name, "hash": hashed}
    clerk: int | None = session.execute(ADD, account).scalar_one_or_none()
    if clerk is None:
        raise Refused("login-taken")
    audit.record(session, caller, "clerk.added", "clerk", clerk)
    return clerk, password


def find_staff(session: Session, clerk_id: int) -> CounterClerk | None:
    """Return who this is while they may work: enabled, and their partner is active."""
    row = session.execute(BY_ID, {"clerk": clerk_id}).one_or_none()
    return _clerk(row) if row is not None and row.may_enter else None


def recognise(session: Session, clerk_id: int) -> Caller | None:
    """Return the caller behind a session at the counter; None once they may not work there."""
    clerk = find_staff(session, clerk_id)
    if clerk is None:
        return None
    return Caller(Kind.PARTNER, ids.encode("clk", clerk.id), partner_id=clerk.partner_id)


def verify_password(session: Session, login: str, password: str) -> CounterClerk | None:
    """Return who signs in with `login` and `password`; None for every reason not to let them in.

    One hash is checked in every case, so neither the answer nor the time it takes tells whether
    somebody has this login. Limit the tries before calling this.
    """
    row = session.execute(BY_LOGIN, {"login": normal_login(login)}).one_or_none()
    fits = staff.is_password(None if row is None else row.password_hash, password)
    return _clerk(row) if fits and row is not None and row.may_enter else None


def reset_password(session: Session, caller: Caller, partner_id: int, clerk_id: int) -> str:
    """Draw a new password for somebody, and return it this once. Raises `NotFound`."""
    password = secrets.token_urlsafe(15)
    _set_password(session, partner_id, clerk_id, staff.hash_password(password, ""))
    audit.record(session, caller, "clerk.password_reset", "clerk", clerk_id)
    return password


def change_password(session: Session, caller: Caller, clerk: CounterClerk, password: str) -> None:
    """Give somebody the password that they chose.

    Raises `Refused` with `weak-password`.
    """
    hashed = staff.hash_password(password, clerk.login)
    _set_password(session, clerk.partner_id, clerk.id, hashed)
    audit.record(session, caller, "clerk.password_changed", "clerk", clerk.id)


def enable_clerk(
    session: Session, caller: Caller, partner_id: int, clerk_id: int, *, enabled: bool
) -> None:
    """Let somebody work at the counter, or no longer. Raises `NotFound`."""
    change = {"partner": partner_id, "clerk": clerk_id, "enabled": enabled}
    if session.execute(ENABLE, change).first() is None:
        raise NotFound
    action = "clerk.enabled" if enabled else "clerk.disabled"
    audit.record(session, caller, action, "clerk", clerk_id)


def normal_login(login: str) -> str:
    """Return the one spelling of a login: full-width and upper-case letters are no other name."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def _set_password(session: Session, partner_id: int, clerk_id: int, hashed: str) -> None:
    change = {"partner": partner_id, "clerk": clerk_id, "hash": hashed}
    if session.execute(SET_PASSWORD, change).first() is None:
        raise NotFound


def _clerk(row: Any) -> CounterClerk:
    outlet = Bilingual(row.name_zh, row.name_en)
    return CounterClerk(row.id, row.partner_id, row.outlet_id, row.login, row.name, outlet)
