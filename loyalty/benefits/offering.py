"""Offering benefits: opening one, its terms by tier, and grants to single customers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused

OPEN = text("""
INSERT INTO loyalty.benefits (programme_id, code, kind, name_zh, name_en)
VALUES (:programme, :code, :kind, :name_zh, :name_en)
ON CONFLICT (programme_id, code) DO NOTHING
""")

FIND = text("""
SELECT b.id, b.kind, b.name_zh, b.name_en, t.period
FROM loyalty.benefits b
LEFT JOIN loyalty.benefit_terms t ON t.benefit_id = b.id AND t.version = 1
WHERE b.programme_id = :programme AND b.code = :code
""")

ADD_TERMS = text("""
INSERT INTO loyalty.benefit_terms (benefit_id, version, effective_from, period, tiers,
    promise_minutes)
SELECT :benefit, coalesce(max(version), 0) + 1, :since, :period, CAST(:tiers AS jsonb), :promise
FROM loyalty.benefit_terms WHERE benefit_id = :benefit
ON CONFLICT (benefit_id, version) DO NOTHING RETURNING version
""")

GRANT = text("""
INSERT INTO loyalty.entitlements (customer_id, benefit_id, quota, starts_at, ends_at, source,
    reference, reason)
VALUES (:customer, :benefit, :quota, :starts_at, :ends_at, :source, :reference, :reason)
ON CONFLICT (customer_id, benefit_id, source, reference) DO NOTHING RETURNING id
""")

GRANTED = text("""
SELECT id, quota, starts_at, ends_at FROM loyalty.entitlements
WHERE customer_id = :customer AND benefit_id = :benefit AND source = :source
    AND reference = :reference
""")


def offer_benefit(
    session: Session,
    programme: Programme,
    code: str,
    *,
    kind: str,
    name_zh: str,
    name_en: str,
    period: str,
    tiers: Mapping[str, Mapping[str, Any]],
    effective_from: datetime,
    promise_minutes: int | None = None,
) -> int:
    """Open a benefit if it is new, add a version of its terms, and return the version.

    `tiers` maps a tier's code to {"quota": uses a period or None for any, "guests": a use}.
    What a benefit is called and the period in which its uses count never change. Raises `Refused`
    with `reference-reused` where the code stands for another benefit, or `terms-exist`.
    """
    names = {"kind": kind, "name_zh": name_zh, "name_en": name_en}
    session.execute(OPEN, {"programme": programme.id, "code": code, **names})
    row = session.execute(FIND, {"programme": programme.id, "code": code}).one()
    # In another period uses would be counted anew, and the quota given twice.
    same = (row.kind, row.name_zh, row.name_en, row.period or period)
    if same != (kind, name_zh, name_en, period):
        raise Refused("reference-reused")
    version: int | None = session.execute(
        ADD_TERMS,
        {
            "benefit": row.id,
            "since": effective_from,
            "period": period,
            "tiers": ledger.dump_json(tiers),
            "promise": promise_minutes,
        },
    ).scalar_one_or_none()
    if version is None:
        raise Refused("terms-exist")
    return version


def grant_benefit(
    session: Session,
    programme: Programme,
    customer_id: int,
    code: str,
    *,
    quota: int,
    starts_at: datetime,
    ends_at: datetime,
    source: str,
    reference: str,
    reason: str,
) -> int:
    """Grant a customer `quota` uses beside their tier's, and return the entitlement's id.

    They are added to the quota of each of the benefit's periods while the grant lasts.
    Raises `NotFound` (no such benefit) or `Refused` with `reference-reused`.
    """
    row = session.execute(FIND, {"programme": programme.id, "code": code}).one_or_none()
    if row is None:
        raise NotFound
    grant = {
        "customer": customer_id,
        "benefit": row.id,
        "quota": quota,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "source": source,
        "reference": reference,
        "reason": reason,
    }
    number: int | None = session.execute(GRANT, grant).scalar_one_or_none()
    if number is not None:
        return number
    earlier = session.execute(GRANTED, grant).one()
    if (earlier.quota, earlier.starts_at, earlier.ends_at) != (quota, starts_at, ends_at):
        raise Refused("reference-reused")
    return int(earlier.id)
