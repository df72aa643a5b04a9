"""Coupons as their owners and staff see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import vault
from loyalty.coupons.issuance import PLACE
from loyalty.coupons.rules import Held, state_at
from loyalty.coupons.series import Series, find_versions
from loyalty.programmes import Programme
from loyalty.web import NotFound

_SELECT = """
SELECT c.id, c.series_id, c.version, c.customer_id, c.batch_id, c.source, c.reference, c.worth,
    c.remaining, c.valid_from, c.valid_until, c.issued_at, c.state, c.held_by, c.held_until,
    clock_timestamp() AS now
FROM loyalty.coupons c JOIN loyalty.coupon_series s ON s.id = c.series_id
"""
WALLET = text(
    f"""{_SELECT}
    WHERE c.customer_id = :customer AND s.programme_id = :programme AND c.id < :before
    ORDER BY c.id DESC LIMIT :limit"""
)
ONE = text(f"{_SELECT} WHERE c.id = :coupon AND s.programme_id = :programme")
OWNED = text(f"{_SELECT} WHERE c.id = :coupon AND c.customer_id = :customer")
CODE = text("SELECT digest, sealed FROM loyalty.coupons WHERE id = :coupon")
EVENTS = text("""
SELECT e.seq, e.kind, e.redemption_id, e.discount, e.worth, e.ours, e.remaining, e.reason, e.at,
    r.partner_id, r.outlet_id
FROM loyalty.coupon_events e LEFT JOIN loyalty.redemptions r ON r.id = e.redemption_id
WHERE e.coupon_id = :coupon ORDER BY e.seq DESC LIMIT :limit
""")
MOST_EVENTS = 200
_ACTS = """
SELECT a.id, a.basket, a.discount, a.recorded_at, CASE
    WHEN f.kind IS NOT NULL THEN f.kind
    WHEN a.kind = 'hold' AND a.lapses_at > clock_timestamp() THEN 'kept'
    WHEN a.kind = 'hold' THEN 'lapsed'
    WHEN (a.recorded_at AT TIME ZONE :zone)::date = (clock_timestamp() AT TIME ZONE :zone)::date
        THEN 'today' ELSE 'done' END AS state
FROM loyalty.redemptions a LEFT JOIN loyalty.redemptions f ON f.follows = a.id
"""
AT_OUTLET = text(f"""{_ACTS}
WHERE a.outlet_id = :outlet AND a.kind IN ('redemption', 'hold')
    AND (a.kind = 'redemption' OR (f.id IS NULL AND a.lapses_at > clock_timestamp()))
ORDER BY a.id DESC LIMIT :limit
""")
ACT = text(f"{_ACTS} WHERE a.id = :number")


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon with the terms under which it was issued; `state` is what counts now."""

    id: int
    series: Series
    customer_id: int | None
    worth: int
    remaining: int
    valid_from: datetime
    valid_until: datetime
    issued_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a coupon after it was issued, and where."""

    seq: int
    kind: str
    redemption_id: int | None
    discount: int
    worth: int
    ours: int
    remaining: int
    reason: str | None
    at: datetime
    partner_id: int | None
    outlet_id: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """A redemption or a hold as a till sees it.

    `state`: `kept`, `lapsed` or `release` of a hold, `today` while a redemption can be voided,
    `done` later, or what undid it; `redemption` of a hold that was redeemed.
    """

    id: int
    basket: int
    discount: int
    recorded_at: datetime
    state: str


def list_coupons(
    session: Session, programme: Programme, customer_id: int, *, before: int | None, limit: int
) -> list[Coupon]:
    """Return a customer's coupons, the newest first, below the number `before`."""
    asked = {
        "programme": programme.id,
        "customer": customer_id,
        "before": 2**62 if before is None else before,
        "limit": limit,
    }
    return _coupons(session, session.execute(WALLET, asked).all())


def find_coupon(session: Session, programme: Programme, coupon_id: int) -> Coupon:
    """Return a coupon. Raises `NotFound`."""
    asked = {"coupon": coupon_id, "programme": programme.id}
    found = _coupons(session, session.execute(ONE, asked).all())
    if not found:
        raise NotFound
    return found[0]


def find_own(session: Session, programme: Programme, customer_id: int, coupon_id: int) -> Coupon:
    """Return a coupon of this customer's. Raises `NotFound` for anybody else's."""
    found = find_coupon(session, programme, coupon_id)
    if found.customer_id != customer_id:
        raise NotFound
    return found


def find_owned(session: Session, customer_id: int, coupon_id: int) -> Coupon:
    """Return a coupon of this customer's in whichever programme. Raises `NotFound`."""
    asked = {"coupon": coupon_id, "customer": customer_id}
    found = _coupons(session, session.execute(OWNED, asked).all())
    if not found:
        raise NotFound
    return found[0]


def read_code(session: Session, coupon_id: int) -> str:
    """Return a coupon's code in clear: for its owner, or to be masked."""
    row = session.execute(CODE, {"coupon": coupon_id}).one()
    return vault.value_key(PLACE).unseal(bytes(row.sealed), bytes(row.digest))


def list_events(session: Session, coupon_id: int) -> list[Event]:
    """Return what happened to a coupon, the latest first."""
    asked = {"coupon": coupon_id, "limit": MOST_EVENTS}
    return [Event(*row) for row in session.execute(EVENTS, asked)]


def list_at_outlet(
    session: Session, programme: Programme, outlet_id: int, limit: int
) -> list[Done]:
    """Return what was redeemed at an outlet, and what is kept there now, the latest first."""
    asked = {"outlet": outlet_id, "zone": programme.zone_name, "limit": limit}
    return [Done(*row) for row in session.execute(AT_OUTLET, asked)]


def find_done(session: Session, programme: Programme, number: int) -> Done:
    """Return what became of a redemption or a hold that exists."""
    asked = {"number": number, "zone": programme.zone_name}
    return Done(*session.execute(ACT, asked).one())


def _coupons(session: Session, rows: Sequence[Any]) -> list[Coupon]:
    series = find_versions(session, {(row.series_id, row.version) for row in rows})
    return [
        Coupon(
            row.id,
            series[row.series_id, row.version],
            row.customer_id,
            row.worth,
            row.remaining,
            row.valid_from,
            row.valid_until,
            row.issued_at,
            _state(row),
        )
        for row in rows
    ]


def _state(row: Any) -> str:
    held = Held(
        row.state,
        row.remaining,
        row.valid_from,
        row.valid_until,
        held_by=row.held_by,
        held_until=row.held_until,
    )
    state = state_at(held, row.now)
    return "not-yet-valid" if state == "issued" and row.now < row.valid_from else state
