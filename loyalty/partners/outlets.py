"""Outlets: opening, changing and closing a partner's shops."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import audit
from loyalty.partners.rules import Hours
from loyalty.web import Caller, NotFound, Refused

OPEN = text("""
INSERT INTO loyalty.outlets (partner_id, code, name_zh, name_en, address, zone, opening_hours)
VALUES (:partner, :code, :name_zh, :name_en, :address, :zone, CAST(:hours AS jsonb))
ON CONFLICT (partner_id, code) DO NOTHING RETURNING id
""")
CHANGE = text("""
UPDATE loyalty.outlets SET name_zh = coalesce(:name_zh, name_zh),
    name_en = coalesce(:name_en, name_en), address = coalesce(:address, address),
    opening_hours = CASE WHEN :new_hours THEN CAST(:hours AS jsonb) ELSE opening_hours END,
    is_open = coalesce(:is_open, is_open)
WHERE id = :outlet AND partner_id = :partner RETURNING id
""")


def open_outlet(
    session: Session,
    caller: Caller,
    partner_id: int,
    code: str,
    *,
    name_zh: str,
    name_en: str,
    address: str,
    zone: str = "Asia/Shanghai",
    opening_hours: Hours | None = None,
) -> int:
    """Open an outlet of an existing partner and return its number.

    Raises `Refused` with `partner-code-taken` where the partner has one with this code.
    """
    outlet: int | None = session.execute(
        OPEN,
        {
            "partner": partner_id,
            "code": code,
            "name_zh": name_zh,
            "name_en": name_en,
            "address": address,
            "zone": zone,
            "hours": _json(opening_hours),
        },
    ).scalar_one_or_none()
    if outlet is None:
        raise Refused("partner-code-taken")
    audit.record(session, caller, "outlet.opened", "outlet", outlet)
    return outlet


def change_outlet(
    session: Session, caller: Caller, partner_id: int, outlet_id: int, changes: Mapping[str, Any]
) -> None:
    """Change what `changes` names: name_zh, name_en, address, opening_hours, is_open.

    Raises `NotFound` where the partner has no such outlet.
    """
    wanted = {
        "partner": partner_id,
        "outlet": outlet_id,
        **{name: changes.get(name) for name in ("name_zh", "name_en", "address", "is_open")},
        "new_hours": "opening_hours" in changes,
        "hours": _json(changes.get("opening_hours")),
    }
    if session.execute(CHANGE, wanted).first() is None:
        raise NotFound
    audit.record(session, caller, "outlet.changed", "outlet", outlet_id, {"fields": [*changes]})


def _json(hours: Hours | None) -> str | None:
    return None if hours is None else ledger.dump_json(hours)
