"""The catalogue: rewards in versions that nobody changes, with their stock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import programmes, proposals
from loyalty.programmes import Programme
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, NotFound, Refused, ids

EVERY_TIER = "*"
MAKERS = frozenset({"coupon_operations", "marketing_maker"})

OPEN = text("""
INSERT INTO loyalty.rewards (programme_id, code) VALUES (:programme, :code)
ON CONFLICT (programme_id, code) DO NOTHING
""")
FIND = text("SELECT id FROM loyalty.rewards WHERE programme_id = :programme AND code = :code")
ADD_TERMS = text("""
INSERT INTO loyalty.reward_terms (reward_id, version, effective_from, document, digest, agreed_as)
SELECT :reward, coalesce(max(version), 0) + 1, greatest(:since, clock_timestamp()),
    CAST(:document AS jsonb), :digest, :agreed_as
FROM loyalty.reward_terms WHERE reward_id = :reward
ON CONFLICT (reward_id, version) DO NOTHING RETURNING version
""")
STOCK = text("""
INSERT INTO loyalty.reward_stocks AS s (reward_id, stock) VALUES (:reward, :stock)
ON CONFLICT (reward_id) DO UPDATE SET stock = greatest(s.claimed, s.stock + excluded.stock)
""")
_IN_FORCE = """
SELECT r.id, r.code, t.version, t.effective_from, t.document, s.stock - s.claimed AS left_in_stock
FROM loyalty.rewards r
JOIN LATERAL (
    SELECT * FROM loyalty.reward_terms t
    WHERE t.reward_id = r.id AND t.effective_from <= clock_timestamp()
    ORDER BY t.version DESC LIMIT 1
) t ON true
JOIN loyalty.reward_stocks s ON s.reward_id = r.id
WHERE r.programme_id = :programme
"""
ONE = text(f"{_IN_FORCE} AND r.code = :code")
LIST = text(f"{_IN_FORCE} AND r.id < :before ORDER BY r.id DESC LIMIT :limit")
NEWEST = text("""
SELECT coalesce(max(t.version), 0) FROM loyalty.rewards r
JOIN loyalty.programmes p ON p.id = r.programme_id
LEFT JOIN loyalty.reward_terms t ON t.reward_id = r.id
WHERE p.code = :programme AND r.code = :code
""")


@dataclass(frozen=True, slots=True)
class Price:
    """What a reward costs: points, and money in minor units that the customer pays beside."""

    points: int
    cash: int


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward with the terms in force and how many are left."""

    id: int
    code: str
    version: int
    effective_from: datetime
    document: dict[str, Any]
    left_in_stock: int

    @property
    def series(self) -> str | None:
        """The series of the coupon that is given; None for goods."""
        found: str | None = self.document["series"]
        return found

    def price_for(self, tier: str) -> Price | None:
        """Return what it costs in this tier; None: it is not for this tier."""
        prices = {price["tier"]: price for price in self.document["prices"]}
        found = prices.get(tier, prices.get(EVERY_TIER))
        return None if found is None else Price(found["points"], found["cash"])

    def is_open_at(self, at: datetime) -> bool:
        """Return whether it may be claimed at `at`."""
        starts, ends = (self.document[name] for name in ("starts_at", "ends_at"))
        return (starts is None or datetime.fromisoformat(starts) <= at) and (
            ends is None or at < datetime.fromisoformat(ends)
        )


def add_version(
    session: Session,
    programme: Programme,
    code: str,
    document: dict[str, Any],
    *,
    effective_from: datetime,
    agreed_as: str,
) -> int:
    """Open a reward if it is new, add a version of its terms and its stock; return the version.

    `stock` of the document is added to what there is. Raises `Refused` with `terms-exist`.
    """
    session.execute(OPEN, {"programme": programme.id, "code": code})
    reward: int = session.execute(FIND, {"programme": programme.id, "code": code}).scalar_one()
    written = ledger.dump_json(document)
    version: int | None = session.execute(
        ADD_TERMS,
        {
            "reward": reward,
            "since": effective_from,
            "document": written,
            "digest": hashlib.sha256(written.encode()).digest(),
            "agreed_as": agreed_as,
        },
    ).scalar_one_or_none()
    if version is None:
        raise Refused("terms-exist")
    session.execute(STOCK, {"reward": reward, "stock": document["stock"]})
    return version


def find_reward(session: Session, programme: Programme, code: str) -> Reward:
    """Return a reward with the terms in force. Raises `NotFound`."""
    row = session.execute(ONE, {"programme": programme.id, "code": code}).one_or_none()
    if row is None:
        raise NotFound
    return Reward(*row)


def list_rewards(
    session: Session, programme: Programme, *, before: int | None, limit: int
) -> list[Reward]:
    """Return rewards whose terms are in force, the newest first, below the number `before`."""
    asked = {"programme": programme.id, "before": before or 2**31 - 1, "limit": limit}
    return [Reward(*row) for row in session.execute(LIST, asked)]


def _newest_version(session: Session, _subject: str, content: Mapping[str, Any]) -> int:
    asked = {"programme": content["programme"], "code": content["code"]}
    return int(session.execute(NEWEST, asked).scalar_one())


def _apply_terms(session: Session, _caller: Caller, proposal: Proposal) -> dict[str, Any]:
    content = proposal.content
    since = content["effective_from"]
    version = add_version(
        session,
        programmes.find_programme(session, content["programme"]),
        content["code"],
        content["terms"],
        effective_from=datetime.now(UTC) if since is None else datetime.fromisoformat(since),
        agreed_as=ids.encode("prp", proposal.id),
    )
    return {"version": version}


TERMS = proposals.register(
    Kind(
        name="reward.terms",
        title=Bilingual("礼品条款", "The terms of a reward"),
        makers=MAKERS,
        seats=(Seat.of("second", "budget_approver", "marketing_checker"),),
        apply=_apply_terms,
        look=_newest_version,
    )
)
