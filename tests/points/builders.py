"""Plain functions that build what tests of points start from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

import ledger
from loyalty import customers, points, programmes
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.points.redemption import redeem
from loyalty.programmes import Member, Programme

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
YESTERDAY = datetime.now(UTC) - timedelta(days=1)

BASE: dict[str, Any] = {"gives": "per_amount", "points": 1, "per": 100, "rounding": "floor"}


@dataclass(frozen=True)
class World:
    """A programme with a base rule and two customers, 00001 and 00002."""

    programme: Programme
    customers: dict[str, int]

    def member(self, session: Session, reference: str) -> Member:
        number = self.customers[reference]
        return programmes.enrol(session, self.programme, [number])[number]


def build_world(
    *rules: tuple[str, dict[str, Any]], base: dict[str, Any] | None = BASE, debt_limit: int = 0
) -> World:
    with transaction() as session:
        programme = programmes.open_programme(
            session, "sample", name_zh="样例", name_en="Sample", debt_limit=debt_limit
        )
        found = customers.register(
            session, [NewCustomer(reference="00001"), NewCustomer(reference="00002")]
        )
        agreed = [("base", base)] if base else []
        for code, document in [*agreed, *rules]:
            agree(session, programme, code, document)
        return World(programme, {one.reference: one.customer_id or 0 for one in found})


def agree(
    session: Session,
    programme: Programme,
    code: str,
    document: dict[str, Any],
    since: datetime = LONG_AGO,
) -> None:
    rule = points.propose_rule(
        session, programme, code=code, document=document, effective_from=since, proposed_by="a"
    )
    points.decide_rule(session, rule, "approved", decided_by="b")


def purchase(
    reference: str, amount: int, customer: str = "00001", at: datetime = YESTERDAY, **more: Any
) -> points.NewPurchase:
    return points.NewPurchase(reference, customer, at, amount, **more)


def record(world: World, *purchases: points.NewPurchase) -> list[points.Outcome]:
    with transaction() as session:
        return points.record_purchases(session, world.programme, "bank", purchases)


def recorded(world: World, one: points.NewPurchase) -> points.Recorded:
    (outcome,) = record(world, one)
    assert isinstance(outcome, points.Recorded), outcome
    return outcome


def refund(
    world: World, reference: str, of: str, amount: int | None = None, **more: Any
) -> points.Refunded:
    new = points.NewRefund(reference, of, datetime.now(UTC), amount, **more)
    with transaction() as session:
        return points.record_refund(session, world.programme, "bank", new)


def spend(world: World, reference: str, amount: int, customer: str = "00001") -> ledger.Posted:
    with transaction() as session:
        member = world.member(session, customer)
        return redeem(session, world.programme, member, "bank", reference, amount)


def balance(world: World, reference: str = "00001") -> ledger.Balance:
    with transaction() as session:
        return ledger.read_balance(session, world.member(session, reference).points_wallet)


def status(world: World, reference: str = "00001") -> int:
    with transaction() as session:
        member = world.member(session, reference)
        return ledger.read_balance(session, member.status_wallet).posted
