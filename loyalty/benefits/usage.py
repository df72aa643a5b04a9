"""Using benefits: each use once, never more than the quota, whoever asks at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import tiers
from loyalty.benefits.rules import Allowance, allowance_of, period_end, period_of
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused

BENEFITS = text("""
SELECT b.id, b.code, b.kind, b.name_zh, b.name_en, t.version, t.period, t.tiers,
    t.promise_minutes, clock_timestamp() AS now, (
        SELECT coalesce(sum(e.quota), 0)::bigint FROM loyalty.entitlements e
        WHERE e.customer_id = :customer AND e.benefit_id = b.id
            AND e.starts_at <= clock_timestamp() AND e.ends_at > clock_timestamp()
    ) AS granted
FROM loyalty.benefits b JOIN LATERAL (
    SELECT * FROM loyalty.benefit_terms t
    WHERE t.benefit_id = b.id AND t.effective_from <= clock_timestamp()
    ORDER BY t.version DESC LIMIT 1
) t ON true
WHERE b.programme_id = :programme AND (CAST(:code AS text) IS NULL OR b.code = :code)
ORDER BY b.id
""")

OPEN_COUNTER = text("""
INSERT INTO loyalty.benefit_counters (customer_id, benefit_id, period)
VALUES (:customer, :benefit, :period) ON CONFLICT DO NOTHING
""")

LOCK_COUNTER = text("""
SELECT used FROM loyalty.benefit_counters
WHERE customer_id = :customer AND benefit_id = :benefit AND period = :period
FOR NO KEY UPDATE
""")

COUNT = text("""
UPDATE loyalty.benefit_counters SET used = used + :units, quota = :quota
WHERE customer_id = :customer AND benefit_id = :benefit AND period = :period
""")

UNCOUNT = text("""
UPDATE loyalty.benefit_counters SET used = used - :units
WHERE customer_id = :customer AND benefit_id = :benefit AND period = :period
""")

FIND_USE = text("""
SELECT id, period, units, guests, used_at, reverses FROM loyalty.benefit_uses
WHERE customer_id = :customer AND benefit_id = :benefit AND source = :source
    AND reference = :reference
""")

USE_BY_ID = text("""
SELECT u.id, u.benefit_id, u.period, u.units, u.guests, u.tier, u.terms_version, u.reverses,
    EXISTS (SELECT FROM loyalty.benefit_uses r WHERE r.reverses = u.id) AS reversed
FROM loyalty.benefit_uses u JOIN loyalty.benefits b ON b.id = u.benefit_id
WHERE u.id = :id AND u.customer_id = :customer AND u.source = :source
    AND b.programme_id = :programme
""")

RECORD = text("""
INSERT INTO loyalty.benefit_uses (customer_id, benefit_id, period, source, reference, units,
    guests, tier, terms_version, reverses)
VALUES (:customer, :benefit, :period, :source, :reference, :units, :guests, :tier, :version,
    :reverses)
RETURNING id, used_at
""")

USED = text("""
SELECT benefit_id, period, used FROM loyalty.benefit_counters WHERE customer_id = :customer
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """A benefit as a customer has it now; `quota` and `left` are None where there is no limit."""

    code: str
    kind: str
    name_zh: str
    name_en: str
    period: str
    period_ends_at: datetime | None
    quota: int | None
    used: int
    guests: int
    promise_minutes: int | None

    @property
    def left(self) -> int | None:
        """How many uses are left in this period."""
        return None if self.quota is None else max(0, self.quota - self.used)


@dataclass(frozen=True, slots=True)
class Used:
    """A use on record, and what is left after it (None: any number)."""

    use_id: int
    code: str
    units: int
    guests: int
    used_at: datetime
    left: int | None


def read_benefits(session: Session, programme: Programme, customer_id: int) -> list[Standing]:
    """Return the benefits that a customer has by their tier or by grants, with what is left."""
    rows = _benefits(session, programme, customer_id, None)
    if not rows:
        return []
    tier = tiers.current(session, programme, [customer_id])[customer_id]
    used = {
        (row.benefit_id, row.period): row.used
        for row in session.execute(USED, {"customer": customer_id})
    }
    found = []
    for row in rows:
        allowance = allowance_of(row.tiers, tier, row.granted)
        if allowance is not None:
            period = period_of(row.period, row.now, programme.zone)
            found.append(_standing(programme, row, allowance, used.get((row.id, period), 0)))
    return found


def _standing(programme: Programme, row: Any, allowance: Allowance, used: int) -> Standing:
    return Standing(
        code=row.code,
        kind=row.kind,
        name_zh=row.name_zh,
        name_en=row.name_en,
        period=row.period,
        period_ends_at=period_end(row.period, row.now, programme.zone),
        quota=allowance.quota,
        used=used,
        guests=allowance.guests,
        promise_minutes=row.promise_minutes,
    )


def use_benefit(
    session: Session,
    programme: Programme,
    customer_id: int,
    code: str,
    *,
    source: str,
    reference: str,
    units: int = 1,
    guests: int = 0,
) -> Used:
    """Use a benefit `units` times; the same reference of the same source uses it once.

    Raises `NotFound` (no such benefit), or `Refused`: `not-entitled`, `quota-used-up`,
    `too-many-guests`, `reference-reused`.
    """
    rows = _benefits(session, programme, customer_id, code)
    if not rows:
        raise NotFound
    row = rows[0]
    key = {
        "customer": customer_id,
        "benefit": row.id,
        "period": period_of(row.period, row.now, programme.zone),
    }
    session.execute(OPEN_COUNTER, key)
    used: int = session.execute(LOCK_COUNTER, key).scalar_one()
    earlier = session.execute(
        FIND_USE, {**key, "source": source, "reference": reference}
    ).one_or_none()
    tier = tiers.current(session, programme, [customer_id])[customer_id]
    allowance = allowance_of(row.tiers, tier, row.granted)
    if earlier is not None:
        if earlier.reverses is not None or (earlier.units, earlier.guests) != (units, guests):
            raise Refused("reference-reused")
        left = _left(allowance, used)
        return Used(earlier.id, code, units, guests, earlier.used_at, left)
    if allowance is None:
        raise Refused("not-entitled")
    if guests > allowance.guests * units:
        raise Refused("too-many-guests")
    if allowance.quota is not None and used + units > allowance.quota:
        raise Refused("quota-used-up")
    session.execute(COUNT, {**key, "units": units, "quota": allowance.quota})
    written = session.execute(
        RECORD,
        {
            **key,
            "source": source,
            "reference": reference,
            "units": units,
            "guests": guests,
            "tier": tier,
            "version": row.version,
            "reverses": None,
        },
    ).one()
    left = _left(allowance, used + units)
    return Used(written.id, code, units, guests, written.used_at, left)


def reverse_use(
    session: Session,
    programme: Programme,
    customer_id: int,
    use_id: int,
    *,
    source: str,
    reference: str,
) -> int:
    """Undo a use, once; what it counted is free again in its period. Returns the new row's id.

    A source undoes its own uses alone. Raises `NotFound`, or `Refused` with `already-reversed` or
    `reference-reused`.
    """
    key = {"id": use_id, "customer": customer_id, "programme": programme.id, "source": source}
    row = session.execute(USE_BY_ID, key).one_or_none()
    if row is None or row.reverses is not None:
        raise NotFound
    counter = {"customer": customer_id, "benefit": row.benefit_id, "period": row.period}
    session.execute(LOCK_COUNTER, counter).scalar_one()
    asked = {**counter, "source": source, "reference": reference}
    earlier = session.execute(FIND_USE, asked).one_or_none()
    if earlier is not None:
        if earlier.reverses != use_id:
            raise Refused("reference-reused")
        return int(earlier.id)
    if session.execute(USE_BY_ID, key).one().reversed:
        raise Refused("already-reversed")
    session.execute(UNCOUNT, {**counter, "units": row.units})
    undone: int = (
        session.execute(
            RECORD,
            {
                **asked,
                "units": row.units,
                "guests": row.guests,
                "tier": row.tier,
                "version": row.terms_version,
                "reverses": use_id,
            },
        )
        .one()
        .id
    )
    return undone


def _left(allowance: Allowance | None, used: int) -> int | None:
    if allowance is None:
        return 0
    return None if allowance.quota is None else max(0, allowance.quota - used)


def _benefits(
    session: Session, programme: Programme, customer_id: int, code: str | None
) -> list[Any]:
    asked = {"customer": customer_id, "programme": programme.id, "code": code}
    return list(session.execute(BENEFITS, asked))
