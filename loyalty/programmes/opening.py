"""Opening a programme: its row, its two units and their house accounts."""

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.programmes.queries import Programme, read_programmes

OPEN = text("""
INSERT INTO loyalty.programmes (code, name_zh, name_en, zone, currency, points_unit_id,
    status_unit_id, inactivity_months, debt_limit)
VALUES (:code, :name_zh, :name_en, :zone, :currency, :points, :status, :inactivity, :debt)
ON CONFLICT (code) DO NOTHING
""")


def open_programme(
    session: Session,
    code: str,
    *,
    name_zh: str,
    name_en: str,
    zone: str = "Asia/Shanghai",
    currency: str = "CNY",
    inactivity_months: int | None = None,
    debt_limit: int = 0,
) -> Programme:
    """Open a programme with its units `<code>.points` and `<code>.status`, and return it.

    `debt_limit` is how many points below zero a refund may take a wallet. A programme that
    exists is returned as it is.
    """
    session.execute(
        OPEN,
        {
            "code": code,
            "name_zh": name_zh,
            "name_en": name_en,
            "zone": zone,
            "currency": currency,
            "points": ledger.open_unit(session, f"{code}.points", "points"),
            "status": ledger.open_unit(session, f"{code}.status", "status"),
            "inactivity": inactivity_months,
            "debt": debt_limit,
        },
    )
    return read_programmes(session, code)[0]
