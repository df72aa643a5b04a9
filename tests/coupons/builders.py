"""A programme with two members, a shop that takes coupons, and series to issue from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import text

import ledger
from loyalty import coupons, customers, partners, programmes, vault
from loyalty.coupons import Desk, Line, Order, Series, Ticket
from loyalty.coupons.issuance import PLACE
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.programmes import Member, Programme
from tests.partners.builders import Shop, open_shop
from tests.servers import Database

NOW = datetime.now(UTC)

TERMS: dict[str, Any] = {
    "names": {"zh": "满百减二十", "en": "20 off 100"},
    "conditions": {"zh": "全场通用", "en": "For everything"},
    "value": {"kind": "amount", "amount": 2_000, "basis_points": None},
    "minimum": 10_000,
    "categories": [],
    "partners": [],
    "outlets": [],
    "validity": {"starts_at": None, "ends_at": None, "days": 30, "weekdays": [], "hours": None},
    "limits": {"total": None, "day": None, "customer": None, "uses_per_day": None},
    "budget": 1_000_000,
    "stackable": False,
    "bound": True,
    "refundable": True,
    "divisible": False,
    "claimable": True,
    "short_code": False,
    "ours": 10_000,
}


def terms(**changed: Any) -> dict[str, Any]:
    """Return the terms of a series, but for what is said; `value` and the like in parts."""
    nested = {
        name: {**TERMS[name], **value}
        for name, value in changed.items()
        if isinstance(TERMS[name], dict)
    }
    return {**TERMS, **changed, **nested}


@dataclass(frozen=True)
class World:
    """A programme with two members and a partner that takes its coupons."""

    programme: Programme
    members: tuple[Member, Member]
    shop: Shop

    @property
    def desk(self) -> Desk:
        return desk_of(self.shop)


def desk_of(shop: Shop) -> Desk:
    return Desk(shop.partner, shop.account.client_id, "CNY")


def build_world() -> World:
    with transaction() as session:
        programme = programmes.open_programme(session, "vip", name_zh="贵宾", name_en="VIP")
        names = ["C-1", "C-2"]
        customers.register(session, [NewCustomer(reference=name) for name in names])
        found = programmes.find_or_enrol(session, programme, names)
    return World(programme, (found["C-1"], found["C-2"]), open_shop("mall"))


def add_series(world: World, code: str = "spring", **changed: Any) -> Series:
    """Open a series, or add a version to it, in force at once."""
    with transaction() as session:
        coupons.add_version(
            session,
            world.programme,
            code,
            terms(**changed),
            effective_from=NOW - timedelta(days=1),
            agreed_as="test",
        )
    with transaction() as session:
        return coupons.find_series(session, world.programme, code)


def issue(
    world: World, series: Series, count: int = 1, member: int | None = 0, source: str = "test"
) -> list[coupons.Issued | coupons.NotIssued]:
    """Issue coupons to a member, or with None to nobody, under references of their own."""
    customer = None if member is None else world.members[member].customer_id
    with transaction() as session:
        (known,) = session.execute(text("SELECT count(*) FROM loyalty.coupons")).one()
        orders = [Order(f"o{known + number}", customer) for number in range(count)]
        return coupons.issue(session, world.programme, series, source, orders)


def issue_codes(world: World, series: Series, count: int = 1, member: int | None = 0) -> list[str]:
    """Issue coupons and return their codes."""
    issued = issue(world, series, count, member)
    assert all(isinstance(one, coupons.Issued) for one in issued), issued
    return [code_of(one.coupon_id) for one in issued if isinstance(one, coupons.Issued)]


def code_of(coupon_id: int) -> str:
    """Return the code of a coupon as its owner sees it."""
    with transaction() as session:
        row = session.execute(
            text("SELECT digest, sealed FROM loyalty.coupons WHERE id = :id"), {"id": coupon_id}
        ).one()
    return vault.value_key(PLACE).unseal(bytes(row.sealed), bytes(row.digest))


def basket(*amounts: int, category: str = "") -> tuple[Line, ...]:
    return tuple(Line(amount, category) for amount in amounts or (12_000,))


def ticket(
    world: World,
    codes: Sequence[str],
    reference: str = "t1",
    lines: tuple[Line, ...] | None = None,
    **more: Any,
) -> Ticket:
    return Ticket(
        reference, world.shop.outlet, tuple(codes), basket() if lines is None else lines, **more
    )


def check(world: World, one: Ticket, desk: Desk | None = None) -> list[coupons.Verdict]:
    with transaction() as session:
        return coupons.check(session, world.programme, desk or world.desk, one)


def redeem(
    world: World, *tickets: Ticket, desk: Desk | None = None
) -> list[coupons.Act | coupons.Rejected]:
    with transaction() as session:
        return coupons.redeem(session, world.programme, desk or world.desk, tickets)


def redeemed(world: World, one: Ticket) -> coupons.Act:
    (outcome,) = redeem(world, one)
    assert isinstance(outcome, coupons.Act), outcome
    return outcome


def reasons(outcome: coupons.Act | coupons.Rejected) -> tuple[str, list[tuple[str, ...]]]:
    """Return why a ticket was refused: its code and the reasons of each coupon."""
    assert isinstance(outcome, coupons.Rejected), outcome
    return outcome.code, [verdict.answer.reasons for verdict in outcome.verdicts]


def state(coupon_id: int) -> tuple[str, int]:
    """Return a coupon's state and what it has left."""
    with transaction() as session:
        row = session.execute(
            text("SELECT state, remaining FROM loyalty.coupons WHERE id = :id"), {"id": coupon_id}
        ).one()
        return row.state, row.remaining


def let_days_pass(database: Database, coupon_id: int) -> None:
    """Let the days of a coupon be over, as if it had been given long ago."""
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(
            "UPDATE loyalty.coupons SET seq = seq + 1,"
            " valid_from = valid_from - interval '9 years',"
            " valid_until = valid_until - interval '8 years' WHERE id = %s",
            (coupon_id,),
        )


def budget_left(series: Series) -> int:
    with transaction() as session:
        return ledger.read_balance(session, series.budget).available


def owed(shop: Shop) -> int:
    """Return what we owe a partner now."""
    with transaction() as session:
        account = partners.payable_account(session, shop.partner, "CNY")
        return ledger.read_balance(session, account).posted
