"""Plain functions that build what ledger tests start from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.database import transaction

SOON = datetime.now(UTC) + timedelta(days=30)
LATER = datetime.now(UTC) + timedelta(days=300)
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """A unit with its house accounts and one wallet."""

    house: ledger.House
    wallet: int


def build_world(holder: str = "cus:1", *, floor: int = 0) -> World:
    with transaction() as session:
        unit = ledger.open_unit(session, "test.points", "points")
        wallet = ledger.open_wallets(session, unit, [holder], floor=floor)[holder]
        return World(ledger.house(session, unit), wallet)


def earn(
    world: World,
    amount: int,
    reference: str,
    *,
    expires_at: datetime = ledger.NEVER,
    available_from: datetime = ledger.AT_ONCE,
    wallet: int | None = None,
) -> ledger.Entry:
    wallet = wallet or world.wallet
    terms = ledger.Terms(available_from=available_from, expires_at=expires_at)
    move = ledger.Move(world.house.issued, wallet, amount, terms)
    return ledger.Entry(wallet, "test", reference, "earn", (move,))


def redeem(world: World, amount: int, reference: str, *, wallet: int | None = None) -> ledger.Entry:
    wallet = wallet or world.wallet
    move = ledger.Move(wallet, world.house.redeemed, amount)
    return ledger.Entry(wallet, "test", reference, "redeem", (move,))


def act(world: World, reference: str, kind: str, *acts: ledger.Act) -> ledger.Entry:
    return ledger.Entry(world.wallet, "test", reference, kind, acts)


def post_one(entry: ledger.Entry) -> ledger.Outcome:
    with transaction() as session:
        return ledger.post(session, [entry])[0]


def posted(entry: ledger.Entry) -> ledger.Posted:
    outcome = post_one(entry)
    assert isinstance(outcome, ledger.Posted), outcome
    return outcome


def refused(entry: ledger.Entry) -> str:
    outcome = post_one(entry)
    assert isinstance(outcome, ledger.Refusal), outcome
    return outcome.code


def scalar(session: Session, sql: str, **parameters: object) -> object:
    return session.execute(text(sql), parameters).scalar_one()
