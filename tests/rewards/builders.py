"""Members with points, and rewards to claim."""

from datetime import timedelta
from typing import Any

import ledger
from loyalty import rewards, tiers
from loyalty.database import transaction
from loyalty.programmes import Member
from loyalty.rewards import Claim
from loyalty.tiers import Ladder, Tier
from tests.coupons.builders import NOW, World, build_world

LADDER = Ladder(
    (Tier("standard", "普通", "Standard", 0), Tier("gold", "金卡", "Gold", 1_000)),
    effective_from=ledger.AT_ONCE,
)
TERMS: dict[str, Any] = {
    "names": {"zh": "咖啡券", "en": "Coffee"},
    "description": {"zh": "一杯", "en": "A cup"},
    "series": None,
    "prices": [{"tier": "*", "points": 1_000, "cash": 0}],
    "stock": 10,
    "per_customer": None,
    "starts_at": None,
    "ends_at": None,
}


def build_rich_world() -> World:
    """Return a world whose members have 10,000 points in two lots each."""
    world = build_world()
    with transaction() as session:
        tiers.create_ladder(session, world.programme, LADDER)
    for member in world.members:
        for number, lapses in enumerate((NOW + timedelta(days=30), NOW + timedelta(days=60))):
            give(world, member, 5_000, f"gift-{number}", ledger.Terms(expires_at=lapses))
    return world


def give(
    world: World, member: Member, amount: int, reference: str, terms: ledger.Terms = ledger.PLAIN
) -> None:
    """Give a member points."""
    move = ledger.Move(world.programme.points.issued, member.points_wallet, amount, terms)
    with transaction() as session:
        entry = ledger.Entry(member.points_wallet, "test", reference, "earn", (move,))
        (outcome,) = ledger.post(session, [entry])
    assert isinstance(outcome, ledger.Posted)


def add_reward(world: World, code: str = "coffee", **changed: Any) -> None:
    """Open a reward, or add a version to it, in force at once."""
    with transaction() as session:
        rewards.add_version(
            session,
            world.programme,
            code,
            {**TERMS, **changed},
            effective_from=NOW - timedelta(days=1),
            agreed_as="test",
        )


def claim(world: World, reference: str = "c1", code: str = "coffee", member: int = 0) -> Claim:
    with transaction() as session:
        return rewards.claim(
            session,
            world.programme,
            world.members[member],
            code,
            source="app",
            reference=reference,
        )


def balance(world: World, member: int = 0) -> ledger.Balance:
    with transaction() as session:
        return ledger.read_balance(session, world.members[member].points_wallet)
