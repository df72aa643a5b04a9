"""Ladders: the tiers of a programme in versions that never change, and the one in force."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import Engine, Row, text
from sqlalchemy.orm import Session

from loyalty.database import after_commit
from loyalty.programmes import Programme
from loyalty.tiers.rules import BASIC, Ladder, Tier, find_fault
from loyalty.web import Refused

FRESH_SECONDS = 15.0
_OWN = "tiers.ladder_created"

NO_LADDER = Ladder((Tier(BASIC, "普通", "Standard", 0),))
"""What a programme has before its first ladder: one tier. Status points count all the same."""

READ = text("""
SELECT version, effective_from, window_kind, window_months, grace_days, downgrade, tiers, digest
FROM loyalty.tier_ladders WHERE programme_id = :programme ORDER BY version
""")

INSERT = text("""
INSERT INTO loyalty.tier_ladders (programme_id, version, effective_from, window_kind,
    window_months, grace_days, downgrade, tiers, digest)
VALUES (:programme, :version, :effective_from, :window, :months, :grace_days, :downgrade,
    CAST(:tiers AS jsonb), :digest)
ON CONFLICT (programme_id, version) DO NOTHING RETURNING version
""")


@dataclass(frozen=True, slots=True)
class _Versions:
    read_at: float
    ladders: tuple[Ladder, ...]


_known: WeakKeyDictionary[Engine, dict[int, _Versions]] = WeakKeyDictionary()


def create_ladder(session: Session, programme: Programme, ladder: Ladder) -> Ladder:
    """Add the next version of a programme's ladder, and return it with its version.

    It is in force from `effective_from`, in every process within half a minute. The first may
    begin in the past; a later one begins now at the earliest, so that no decision ever rests on
    terms that came after it. Raises `Refused` with `invalid-ladder` or `ladder-exists`.
    """
    versions = list_ladders(session, programme)
    before = versions[-1] if versions else None
    if before is not None:
        # Not the transaction's beginning: the version before may have been added since then.
        now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        ladder = replace(ladder, effective_from=max(ladder.effective_from, now))
    fault = find_fault(ladder, before)
    if fault is not None:
        raise Refused("invalid-ladder", fault)
    ladder = replace(ladder, version=len(versions) + 1, digest=_digest(programme, ladder))
    inserted = session.execute(
        INSERT,
        {
            "programme": programme.id,
            "version": ladder.version,
            "effective_from": ladder.effective_from,
            "window": ladder.window,
            "months": ladder.window_months,
            "grace_days": ladder.grace_days,
            "downgrade": ladder.downgrade,
            "tiers": orjson.dumps(ladder.tiers).decode(),
            "digest": ladder.digest,
        },
    )
    if inserted.first() is None:
        raise Refused("ladder-exists")
    # Only this transaction sees the row yet, so what it reads must not reach the others.
    session.info[_OWN] = True
    engine = session.get_bind().engine
    after_commit(session, lambda: _forget(engine, programme.id))
    return ladder


def ladder_in_force(session: Session, programme: Programme, at: datetime | None = None) -> Ladder:
    """Return the ladder in force at `at` (None: now); `NO_LADDER` where there is none yet.

    Usually without a statement: each process reads a programme's versions every 15 seconds.
    """
    return choose(_versions(session, programme), at or datetime.now(UTC))


def ladder_versions(session: Session, programme: Programme) -> dict[int, Ladder]:
    """Return every version of a programme's ladder by its number."""
    return {ladder.version: ladder for ladder in list_ladders(session, programme)}


def list_ladders(session: Session, programme: Programme) -> list[Ladder]:
    """Return every version of a programme's ladder, oldest first, as the database has them."""
    return [_load(row) for row in session.execute(READ, {"programme": programme.id})]


def choose(versions: tuple[Ladder, ...], at: datetime) -> Ladder:
    """Return the last of `versions` (oldest first) that is in force at `at`."""
    for ladder in reversed(versions):
        if ladder.effective_from <= at:
            return ladder
    return NO_LADDER


def _versions(session: Session, programme: Programme) -> tuple[Ladder, ...]:
    if session.info.get(_OWN):
        return tuple(list_ladders(session, programme))
    known = _known.setdefault(session.get_bind().engine, {})
    found = known.get(programme.id)
    now = time.monotonic()
    if found is None or now - found.read_at > FRESH_SECONDS:
        found = known[programme.id] = _Versions(now, tuple(list_ladders(session, programme)))
    return found.ladders


def _forget(engine: Engine, programme_id: int) -> None:
    _known.get(engine, {}).pop(programme_id, None)


def _load(row: Row[Any]) -> Ladder:
    return Ladder(
        tiers=tuple(Tier(**tier) for tier in row.tiers),
        window=row.window_kind,
        window_months=row.window_months,
        grace_days=row.grace_days,
        downgrade=row.downgrade,
        effective_from=row.effective_from,
        version=row.version,
        digest=bytes(row.digest),
    )


def _digest(programme: Programme, ladder: Ladder) -> bytes:
    """Return the hash that status points carry: the terms under which they were given."""
    content = {
        "kind": "tier-ladder/1",
        "programme": programme.code,
        "tiers": ladder.tiers,
        "window": ladder.window,
        "window_months": ladder.window_months,
        "grace_days": ladder.grace_days,
        "downgrade": ladder.downgrade,
        "effective_from": ladder.effective_from.astimezone(UTC).isoformat(),
    }
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
