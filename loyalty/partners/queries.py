"""Partners, their outlets and their clerks, to whoever may see them."""

from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from loyalty.web import NotFound

FIND = """
SELECT p.id, p.code, p.name_zh, p.name_en, p.currency, p.state, p.opened_at, e.reason, e.at
FROM loyalty.partners p JOIN LATERAL (
    SELECT reason, at FROM loyalty.partner_events e
    WHERE e.partner_id = p.id ORDER BY e.number DESC LIMIT 1
) e ON true
"""
ONE = text(f"{FIND} WHERE p.id = :partner")
ALL = text(f"{FIND} WHERE p.id > :after ORDER BY p.id LIMIT :limit")
OUTLETS = text("""
SELECT id, partner_id, code, name_zh, name_en, address, zone, opening_hours, is_open
FROM loyalty.outlets WHERE partner_id = :partner AND id > :after ORDER BY id LIMIT :limit
""")
_OUTLET = """
SELECT id, partner_id, code, name_zh, name_en, address, zone, opening_hours, is_open
FROM loyalty.outlets WHERE partner_id = :partner AND id = :id
"""
CLERKS = text("""
SELECT id, outlet_id, login, name, is_enabled, created_at FROM loyalty.partner_staff
WHERE partner_id = :partner AND id > :after ORDER BY id LIMIT :limit
""")
_CLERK = """
SELECT id, outlet_id, login, name, is_enabled, created_at FROM loyalty.partner_staff
WHERE partner_id = :partner AND id = :id
"""
_HELD = " FOR NO KEY UPDATE"
OUTLET, OUTLET_HELD = text(_OUTLET), text(_OUTLET + _HELD)
CLERK, CLERK_HELD = text(_CLERK), text(_CLERK + _HELD)


def read_partner(session: Session, partner_id: int) -> Any:
    """Return a partner with why it is in its state. Raises `NotFound`."""
    row = session.execute(ONE, {"partner": partner_id}).one_or_none()
    if row is None:
        raise NotFound
    return row


def list_partners(session: Session, *, after: int, limit: int) -> list[Any]:
    """Return up to `limit` partners, oldest first, that came after the number `after`."""
    return list(session.execute(ALL, {"after": after, "limit": limit}))


def list_outlets(session: Session, partner_id: int, *, after: int, limit: int) -> list[Any]:
    """Return up to `limit` outlets of a partner, oldest first, after the number `after`."""
    asked = {"partner": partner_id, "after": after, "limit": limit}
    return list(session.execute(OUTLETS, asked))


def read_outlet(session: Session, partner_id: int, outlet_id: int, *, hold: bool = False) -> Any:
    """Return one outlet of a partner, held until the commit where asked. Raises `NotFound`."""
    return _read_one(session, OUTLET_HELD if hold else OUTLET, partner_id, outlet_id)


def read_clerk(session: Session, partner_id: int, clerk_id: int, *, hold: bool = False) -> Any:
    """Return somebody at a partner's counters, held where asked. Raises `NotFound`."""
    return _read_one(session, CLERK_HELD if hold else CLERK, partner_id, clerk_id)


def list_clerks(session: Session, partner_id: int, *, after: int, limit: int) -> list[Any]:
    """Return up to `limit` people at a partner's counters, oldest first."""
    asked = {"partner": partner_id, "after": after, "limit": limit}
    return list(session.execute(CLERKS, asked))


def _read_one(session: Session, statement: TextClause, partner_id: int, number: int) -> Any:
    row = session.execute(statement, {"partner": partner_id, "id": number}).one_or_none()
    if row is None:
        raise NotFound
    return row
