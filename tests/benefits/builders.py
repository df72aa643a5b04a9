"""A programme with a ladder, two members, and benefits to use."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import ledger
from loyalty import benefits, customers, programmes, tiers
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.programmes import Member, Programme
from loyalty.tiers import Ladder, Tier

NOW = datetime.now(UTC)
LADDER = Ladder(
    (
        Tier("standard", "普通", "Standard", 0),
        Tier("gold", "金卡", "Gold", 1_000),
        Tier("diamond", "钻石卡", "Diamond", 20_000),
    ),
    effective_from=ledger.AT_ONCE,
)
LOUNGE: dict[str, Any] = {
    "gold": {"quota": 4, "guests": 1},
    "diamond": {"quota": None, "guests": 3},
}


@dataclass(frozen=True)
class World:
    """A programme with two members: one in `gold`, one in the lowest tier."""

    programme: Programme
    gold: Member
    plain: Member


def build_world() -> World:
    """Open the programme with its ladder and a lounge that gold may use four times a month."""
    with transaction() as session:
        programme = programmes.open_programme(session, "vip", name_zh="贵宾", name_en="VIP")
        tiers.create_ladder(session, programme, LADDER)
        names = ["C-1", "C-2"]
        customers.register(session, [NewCustomer(reference=name) for name in names])
        members = programmes.find_or_enrol(session, programme, names)
        world = World(programme, members["C-1"], members["C-2"])
    lift(world, world.gold, 1_000)
    offer(world)
    return world


def lift(world: World, member: Member, points: int) -> None:
    """Give a member status points and the tier that they lead to."""
    move = ledger.Move(world.programme.status.issued, member.status_wallet, points)
    with transaction() as session:
        entry = ledger.Entry(member.status_wallet, "test", f"lift-{points}", "earn", (move,))
        ledger.post(session, [entry])
        tiers.requalify(session, world.programme, [member], lambda _: {"kind": "purchase"})


def offer(world: World, **changed: Any) -> int:
    """Offer the lounge, but for what is said; return the version of its terms."""
    terms: dict[str, Any] = {
        "code": "lounge",
        "kind": "service",
        "name_zh": "贵宾室",
        "name_en": "Lounge",
        "period": "month",
        "tiers": LOUNGE,
        "effective_from": NOW - timedelta(days=1),
        **changed,
    }
    with transaction() as session:
        return benefits.offer_benefit(session, world.programme, terms.pop("code"), **terms)


def grant(world: World, member: Member, quota: int, reference: str = "g1", **changed: Any) -> int:
    """Grant uses of the lounge beside the tier's, for a month unless said otherwise."""
    terms: dict[str, Any] = {
        "quota": quota,
        "starts_at": NOW - timedelta(hours=1),
        "ends_at": NOW + timedelta(days=30),
        "source": "test",
        "reference": reference,
        "reason": "goodwill",
        **changed,
    }
    with transaction() as session:
        return benefits.grant_benefit(
            session, world.programme, member.customer_id, "lounge", **terms
        )


def use(
    world: World, reference: str, member: Member | None = None, code: str = "lounge", **more: Any
) -> benefits.Used:
    """Use a benefit, the lounge unless said otherwise."""
    customer = (member or world.gold).customer_id
    with transaction() as session:
        return benefits.use_benefit(
            session,
            world.programme,
            customer,
            code,
            **{"source": "door", "reference": reference, **more},
        )


def reverse(world: World, use_id: int, reference: str = "undo", source: str = "door") -> int:
    """Undo a use of the gold member."""
    with transaction() as session:
        return benefits.reverse_use(
            session,
            world.programme,
            world.gold.customer_id,
            use_id,
            source=source,
            reference=reference,
        )


def standings(world: World, member: Member | None = None) -> dict[str, benefits.Standing]:
    """Return a member's benefits by code."""
    customer = (member or world.gold).customer_id
    with transaction() as session:
        found = benefits.read_benefits(session, world.programme, customer)
    return {standing.code: standing for standing in found}


def lounge(world: World, member: Member | None = None) -> benefits.Standing:
    """Return how a member stands with the lounge; nothing that the clock changes."""
    return replace(standings(world, member)["lounge"], period_ends_at=None)
