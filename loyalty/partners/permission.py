"""At which counter a caller stands, and what it may take there."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from loyalty.database import fetch
from loyalty.partners.models import ACTIVE
from loyalty.partners.rules import is_open_at
from loyalty.web import Caller, NotFound, Refused, ids

_AT = """
SELECT p.id AS partner_id, p.state, p.currency, o.is_open, o.opening_hours, o.zone, {columns}
FROM loyalty.{table} c JOIN loyalty.partners p ON p.id = c.partner_id
LEFT JOIN loyalty.outlets o ON o.id = %(outlet)s AND o.partner_id = c.partner_id
"""
_CLIENT = (
    _AT.format(table="partner_clients", columns="c.series, c.outlets, c.signature_required")
    + " WHERE c.client_id = %(number)s"
)
_CLERK = (
    _AT.format(
        table="partner_staff",
        columns="NULL AS series, ARRAY[c.outlet_id] AS outlets, false AS signature_required",
    )
    + " WHERE c.id = %(number)s AND c.is_enabled"
)


@dataclass(frozen=True, slots=True)
class Counter:
    """Where a caller stands: an open outlet of an active partner. `series` None means all."""

    partner_id: int
    outlet_id: int
    currency: str
    series: frozenset[str] | None
    signature_required: bool

    def takes(self, series_code: str) -> bool:
        """Return whether coupons of this series may be taken here by this caller."""
        return self.series is None or series_code in self.series


def admit(session: Session, caller: Caller, outlet_id: int, at: datetime | None = None) -> Counter:
    """Return the counter at which `caller`, a partner's client or clerk, stands.

    Raises `NotFound` for an outlet of somebody else or outside the caller's scope, exactly as
    for one that does not exist, and `Refused` with `partner-not-active` or `outlet-closed`.
    """
    row = _read(session, caller, outlet_id)
    if row is None or row.is_open is None or not (row.outlets is None or outlet_id in row.outlets):
        raise NotFound
    if row.state != ACTIVE:
        raise Refused("partner-not-active")
    if not row.is_open or not is_open_at(row.opening_hours, row.zone, at or datetime.now(UTC)):
        raise Refused("outlet-closed")
    series = None if row.series is None else frozenset(row.series)
    return Counter(row.partner_id, outlet_id, row.currency, series, row.signature_required)


def may_use(session: Session, caller: Caller, series_code: str, outlet_id: int) -> bool:
    """Return whether `caller` may take coupons of this series at this outlet now."""
    try:
        return admit(session, caller, outlet_id).takes(series_code)
    except Refused:
        return False


def _read(session: Session, caller: Caller, outlet_id: int) -> Any:
    prefix = caller.id.partition("_")[0]
    query = {"cli": _CLIENT, "clk": _CLERK}.get(prefix)
    if query is None or caller.partner_id is None:
        return None
    asked = {"number": ids.decode(prefix, caller.id), "outlet": outlet_id}
    rows = fetch(session, query, asked)
    return rows[0] if rows and rows[0].partner_id == caller.partner_id else None
