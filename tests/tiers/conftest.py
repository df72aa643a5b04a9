"""A programme with a ladder, members, and status points put into their wallets."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from sqlalchemy.orm import Session

import ledger
from loyalty import customers, programmes, tiers
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.programmes import Member, Programme
from loyalty.tiers.qualification import Change
from loyalty.tiers.rules import Ladder, Tier

TIERS = (
    Tier("standard", "普通", "Standard", 0),
    Tier("gold", "金卡", "Gold", 1_000),
    Tier("platinum", "白金卡", "Platinum", 5_000),
    Tier("diamond", "钻石卡", "Diamond", 20_000),
)
ROLLING = Ladder(TIERS)
CALENDAR = Ladder(TIERS, window="calendar")
ANNIVERSARY = Ladder(TIERS, window="anniversary")

_references = count()


@dataclass(frozen=True)
class World:
    """A programme and its members, first to last."""

    programme: Programme
    members: tuple[Member, ...]

    @property
    def member(self) -> Member:
        """The first member."""
        return self.members[0]


def build_world(ladder: Ladder | None = ROLLING, members: int = 1) -> World:
    """Open a programme with a ladder and enrol members."""
    with transaction() as session:
        programme = programmes.open_programme(session, "vip", name_zh="贵宾", name_en="VIP")
        if ladder is not None:
            tiers.create_ladder(session, programme, ladder)
        names = [f"C-{number:04}" for number in range(members)]
        customers.register(session, [NewCustomer(reference=name) for name in names])
        enrolled = programmes.find_or_enrol(session, programme, names)
        return World(programme, tuple(enrolled[name] for name in names))


def post_status(
    session: Session,
    world: World,
    member: Member,
    points: int,
    purchased_at: datetime | None = None,
) -> None:
    """Give status points for a purchase (now, unless said), on the ladder's terms."""
    ladder = tiers.ladder_in_force(session, world.programme)
    at = purchased_at or datetime.now(UTC)
    terms = tiers.status_terms(ladder, world.programme, member.joined_at, at)
    move = ledger.Move(world.programme.status.issued, member.status_wallet, points, terms)
    reference = f"purchase-{next(_references)}"
    entry = ledger.Entry(member.status_wallet, "test", reference, "earn", (move,))
    outcome = ledger.post(session, [entry])[0]
    assert isinstance(outcome, ledger.Posted), outcome


def buy(
    world: World, points: int, purchased_at: datetime | None = None, member: Member | None = None
) -> list[Change]:
    """Give status points and requalify, in one transaction, as a purchase does."""
    buyer = member or world.member
    with transaction() as session:
        post_status(session, world, buyer, points, purchased_at)
        return tiers.requalify(
            session, world.programme, [buyer], lambda _: {"kind": "purchase", "purchases": [1]}
        )


def review(world: World, at: datetime | None = None, member: Member | None = None) -> list[str]:
    """Review a member and return the reasons of what changed."""
    with transaction() as session:
        changed = tiers.review(
            session, world.programme, [(member or world.member).customer_id], at=at
        )
        return [change.reason for change in changed]


def tier_of(world: World, member: Member | None = None) -> str:
    """Return the tier that a member is in."""
    customer_id = (member or world.member).customer_id
    with transaction() as session:
        return tiers.current(session, world.programme, [customer_id])[customer_id]
