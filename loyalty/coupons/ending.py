"""The end of coupons: taken back by whoever gave them, withdrawn by staff, or lapsed in time.

What a coupon could still have cost goes back to the budget of its series.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

import ledger
from loyalty.coupons.issuance import count_back
from loyalty.coupons.series import SOURCE, Series, find_versions
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused

VOIDED, EXPIRED, WITHDRAWN = "voided", "expired", "withdrawn"
OVER_AT_ONCE = 500

_COUPONS = """
SELECT c.id, c.series_id, c.version, c.state, c.seq, c.remaining, c.worth, c.customer_id,
    c.issued_at, greatest(0, c.reserved - coalesce((
        SELECT sum(CASE e.kind WHEN 'redeemed' THEN e.ours WHEN 'restored' THEN -e.ours END)
        FROM loyalty.coupon_events e WHERE e.coupon_id = c.id
    ), 0))::bigint AS left_reserved
FROM loyalty.coupons c
"""
ONE = text(
    f"""{_COUPONS} JOIN loyalty.coupon_series s ON s.id = c.series_id
    WHERE c.id = :coupon AND s.programme_id = :programme FOR NO KEY UPDATE OF c"""
)
OVER = text(
    f"""{_COUPONS} WHERE c.state IN ('issued', 'held') AND c.valid_until <= clock_timestamp()
    ORDER BY c.valid_until LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED"""
)
# Used for less than it could have cost, and nobody can use it any more, even if it comes back.
USED = text(
    f"""{_COUPONS} WHERE c.state = 'redeemed' AND c.reserved > 0
    AND c.valid_until <= clock_timestamp()
    ORDER BY c.valid_until LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED"""
)
FREE = text("""
WITH changed AS (
    UPDATE loyalty.coupons SET reserved = 0, seq = seq + 1
    WHERE id = ANY(:coupons) RETURNING id, seq, remaining
)
INSERT INTO loyalty.coupon_events (coupon_id, seq, kind, remaining, reason)
SELECT id, seq, 'freed', remaining, 'over' FROM changed
""")
END = text("""
WITH steps AS (
    SELECT * FROM unnest(CAST(:coupons AS bigint[])) AS coupon_id
), changed AS (
    UPDATE loyalty.coupons c SET state = :state, seq = c.seq + 1, held_by = NULL,
        held_until = NULL
    FROM steps WHERE c.id = steps.coupon_id RETURNING c.id, c.seq, c.remaining
)
INSERT INTO loyalty.coupon_events (coupon_id, seq, kind, remaining, reason)
SELECT id, seq, :state, remaining, :reason FROM changed
""")


def cancel(session: Session, programme: Programme, coupon_id: int, reason: str) -> None:
    """Take an unused coupon back for whoever gave it; its place under the limits is free again.

    Raises `NotFound`, or `Refused` with `coupon-used` where it was used or has ended already.
    """
    row, series = _lock_unused(session, programme, coupon_id)
    _end(session, [(row, series)], VOIDED, reason)
    count_back(session, programme, series, row.customer_id, row.issued_at)


def withdraw(session: Session, programme: Programme, coupon_id: int, reason: str) -> None:
    """Withdraw a coupon that was given in error or stolen. Raises as `cancel` does."""
    row, series = _lock_unused(session, programme, coupon_id)
    _end(session, [(row, series)], WITHDRAWN, reason)


def expire_coupons(session: Session, limit: int = OVER_AT_ONCE) -> int:
    """End up to `limit` coupons whose time is over, and return how many.

    They could not be redeemed before either: this gives their budget back.
    """
    over = _read(session, OVER, limit)
    _end(session, over, EXPIRED, "over")
    return len(over)


def free_reserves(session: Session, limit: int = OVER_AT_ONCE) -> int:
    """Give back what up to `limit` used coupons did not cost, their time being over; how many.

    Not before: until then a reversal gives the coupon back whole, without asking the budget.
    What a later reversal brings goes to the budget at once.
    """
    over = _read(session, USED, limit)
    if over:
        session.execute(FREE, {"coupons": [row.id for row, _ in over]})
        _give_back_all(session, over, "freed")
    return len(over)


def free_reserve(session: Session, series: Series, coupon_id: int) -> None:
    """Give back at once what a used coupon has in reserve that stays used for good."""
    asked = {"coupon": coupon_id, "programme": series.programme_id}
    row = session.execute(ONE, asked).one()
    session.execute(FREE, {"coupons": [coupon_id]})
    _give_back_all(session, [(row, series)], "freed")


def _read(session: Session, statement: TextClause, limit: int) -> list[tuple[Any, Series]]:
    rows = session.execute(statement, {"limit": limit}).all()
    series = find_versions(session, {(row.series_id, row.version) for row in rows})
    return [(row, series[row.series_id, row.version]) for row in rows]


def _lock_unused(session: Session, programme: Programme, coupon_id: int) -> tuple[Any, Series]:
    asked = {"coupon": coupon_id, "programme": programme.id}
    row = session.execute(ONE, asked).one_or_none()
    if row is None:
        raise NotFound
    if row.state not in ("issued", "held") or row.remaining < row.worth:
        raise Refused("coupon-used")
    key = (row.series_id, row.version)
    return row, find_versions(session, [key])[key]


def _end(session: Session, over: Sequence[tuple[Any, Series]], state: str, reason: str) -> None:
    if not over:
        return
    coupons = [row.id for row, _ in over]
    session.execute(END, {"coupons": coupons, "state": state, "reason": reason})
    _give_back_all(session, over, state)


def _give_back_all(session: Session, over: Sequence[tuple[Any, Series]], why: str) -> None:
    """Give each series back in one movement what its coupons have left in reserve."""
    freed: dict[int, tuple[Series, int]] = {}
    for row, series in over:
        before = freed.get(series.id, (series, 0))[1]
        freed[series.id] = (series, before + row.left_reserved)
    ledger.lock(session, [series.budget for series, _ in freed.values()])
    first = min(row.id for row, _ in over)
    for series, amount in freed.values():
        give_back(session, series, amount, f"{why}:{first}:{len(over)}")


def give_back(session: Session, series: Series, amount: int, reference: str) -> None:
    """Move what was reserved and is not needed any more back to the budget of a series."""
    if amount <= 0:
        return
    move = ledger.Move(series.reserved, series.budget, amount)
    entry = ledger.Entry(series.budget, SOURCE, reference, "unreserve", (move,))
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused(outcome.code)
