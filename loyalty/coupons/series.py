"""Series of coupons: opened once, their terms in versions that nobody changes, their budget.

A budget is a wallet in the programme's money that cannot go below zero. What a coupon can cost
moves from it to `reserved` when the coupon is issued, and from there to the partner who took it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import ledger
from loyalty.coupons.rules import Terms, read_terms
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused

BUDGET, RESERVED = "coupon_budget", "coupon_reserved"
SOURCE = "coupons"

OPEN = text("""
INSERT INTO loyalty.coupon_series (programme_id, code) VALUES (:programme, :code)
ON CONFLICT (programme_id, code) DO NOTHING
""")
FIND = text("""
SELECT id FROM loyalty.coupon_series WHERE programme_id = :programme AND code = :code
""")
ADD_TERMS = text("""
INSERT INTO loyalty.coupon_terms (series_id, version, effective_from, document, digest, agreed_as)
SELECT :series, coalesce(max(version), 0) + 1, greatest(:since, clock_timestamp()),
    CAST(:document AS jsonb), :digest, :agreed_as
FROM loyalty.coupon_terms WHERE series_id = :series
ON CONFLICT (series_id, version) DO NOTHING RETURNING version
""")
_SERIES = """
SELECT s.id, s.programme_id, s.code, t.version, t.effective_from, t.document,
    budget.id AS budget, reserved.id AS reserved,
    coalesce((SELECT h.kind = 'halt' FROM loyalty.coupon_halts h WHERE h.series_id = s.id
        ORDER BY h.number DESC LIMIT 1), false) AS is_halted
FROM loyalty.coupon_series s
JOIN loyalty.coupon_terms t ON t.series_id = s.id
JOIN loyalty.programmes p ON p.id = s.programme_id
JOIN ledger.units u ON u.code = p.currency AND u.kind = 'money'
JOIN ledger.accounts budget ON budget.unit_id = u.id AND budget.role = 'coupon_budget'
    AND budget.holder = 'series:' || s.id
JOIN ledger.accounts reserved ON reserved.unit_id = u.id AND reserved.role = 'coupon_reserved'
    AND reserved.holder = 'series:' || s.id
"""
IN_FORCE = text(
    f"""{_SERIES}
    WHERE s.programme_id = :programme AND s.code = :code AND t.effective_from <= clock_timestamp()
    ORDER BY t.version DESC LIMIT 1"""
)
LIST = text(
    f"""{_SERIES}
    WHERE s.programme_id = :programme AND s.id < :before AND t.version = (
        SELECT max(n.version) FROM loyalty.coupon_terms n
        WHERE n.series_id = s.id AND n.effective_from <= clock_timestamp())
    ORDER BY s.id DESC LIMIT :limit"""  # noqa: S608
)
VERSIONS = text(
    f"""{_SERIES} WHERE (s.id, t.version) IN (
        SELECT * FROM unnest(CAST(:series AS integer[]), CAST(:versions AS integer[])))"""  # noqa: S608
)
HALT = text("""
INSERT INTO loyalty.coupon_halts (series_id, number, kind, reason, by)
SELECT :series, coalesce(max(number), 0) + 1, :kind, :reason, :by
FROM loyalty.coupon_halts WHERE series_id = :series
""")


@dataclass(frozen=True, slots=True)
class Series:
    """A series with one version of its terms; `budget` and `reserved` are ledger accounts."""

    id: int
    programme_id: int
    code: str
    version: int
    effective_from: datetime
    document: dict[str, Any]
    budget: int
    reserved: int
    is_halted: bool
    terms: Terms

    @property
    def names(self) -> dict[str, str]:
        """What the series is called in Chinese and English."""
        names: dict[str, str] = self.document["names"]
        return names


_versions: WeakKeyDictionary[Engine, dict[tuple[int, int], Series]] = WeakKeyDictionary()


def money_unit(session: Session, programme: Programme) -> int:
    """Return the unit of the programme's currency, opening it if it is new."""
    return ledger.open_unit(session, programme.currency, "money")


def add_version(
    session: Session,
    programme: Programme,
    code: str,
    document: dict[str, Any],
    *,
    effective_from: datetime,
    agreed_as: str,
) -> int:
    """Open a series if it is new, add a version of its terms, and return the version.

    `document` has passed its schema; `agreed_as` names who agreed (the proposal). Its `budget`
    is added to what the series has left. Raises `Refused` with `terms-exist`.
    """
    session.execute(OPEN, {"programme": programme.id, "code": code})
    series: int = session.execute(FIND, {"programme": programme.id, "code": code}).scalar_one()
    written = ledger.dump_json(document)
    version: int | None = session.execute(
        ADD_TERMS,
        {
            "series": series,
            "since": effective_from,
            "document": written,
            "digest": hashlib.sha256(written.encode()).digest(),
            "agreed_as": agreed_as,
        },
    ).scalar_one_or_none()
    if version is None:
        raise Refused("terms-exist")
    _fund(session, programme, series, version, document["budget"])
    return version


def _fund(
    session: Session, programme: Programme, series: int, version: int, amount: int | None
) -> None:
    unit = money_unit(session, programme)
    holder = f"series:{series}"
    ledger.open_account(session, unit, RESERVED, holder)
    budget = ledger.open_wallets(session, unit, [holder], role=BUDGET)[holder]
    if not amount:
        return
    move = ledger.Move(ledger.house(session, unit).issued, budget, amount)
    cause = {"series": series, "version": version}
    entry = ledger.Entry(budget, SOURCE, f"fund:{version}", "fund", (move,), cause=cause)
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused(outcome.code)


def find_series(session: Session, programme: Programme, code: str) -> Series:
    """Return a series with the version in force. Raises `NotFound` where none is in force."""
    row = session.execute(IN_FORCE, {"programme": programme.id, "code": code}).one_or_none()
    if row is None:
        raise NotFound
    return _series(row)


def list_series(
    session: Session, programme: Programme, *, before: int | None, limit: int
) -> list[Series]:
    """Return series with the version in force, the newest first, below the number `before`."""
    asked = {"programme": programme.id, "before": before or 2**31 - 1, "limit": limit}
    return [_series(row) for row in session.execute(LIST, asked)]


def find_versions(
    session: Session, keys: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Series]:
    """Return series by number and version; versions never change, so they are read once.

    Whether a series is halted may be as old as the process: ask `halted` for that.
    """
    known = _versions.setdefault(session.get_bind().engine, {})
    missing = sorted(set(keys) - known.keys())
    if missing:
        asked = {"series": [key[0] for key in missing], "versions": [key[1] for key in missing]}
        for row in session.execute(VERSIONS, asked):
            known[row.id, row.version] = _series(row)
    return known


def _series(row: Any) -> Series:
    return Series(**row._asdict(), terms=read_terms(row.document))


def halt_series(session: Session, series: Series, reason: str, by: str) -> None:
    """Stop a series at once: nothing more is issued and nothing redeemed until it goes on."""
    session.execute(HALT, {"series": series.id, "kind": "halt", "reason": reason, "by": by})


def resume_series(session: Session, series: Series, reason: str, by: str) -> None:
    """Let a halted series go on."""
    session.execute(HALT, {"series": series.id, "kind": "resume", "reason": reason, "by": by})
