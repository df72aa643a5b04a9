"""Whom a campaign may be for: the fields that criteria may ask about, and the set they choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, true
from sqlalchemy.orm import Session

from ledger.models import Wallet
from loyalty import criteria, tiers
from loyalty.criteria import Catalogue, Criteria, Field, Source, Type
from loyalty.customers.models import CustomerRow
from loyalty.points.models import PurchaseRow
from loyalty.programmes import Programme
from loyalty.programmes.models import MembershipRow
from loyalty.tiers.models import TierState

YEAR = timedelta(days=365)
_PURCHASES = "purchases."


def _field(name: str, kind: Type, zh: str, en: str, source: Source = Source.PROGRAMME) -> Field:
    return Field(name, kind, source, (zh, en), marketing=True)


def _refused(name: str, kind: Type, zh: str, en: str, source: Source) -> Field:
    return Field(name, kind, source, (zh, en), data_class="C2")


CATALOGUE = Catalogue.of(
    [
        _field("customer.tier", Type.TEXT, "客户等级", "the customer's tier"),
        _field("customer.joined_on", Type.DAY, "入会日期", "the day the customer joined"),
        _field("points.balance", Type.INTEGER, "积分余额", "the balance of points"),
        _field("purchases.count", Type.INTEGER, "近一年消费笔数", "purchases in a year"),
        _field("purchases.amount", Type.INTEGER, "近一年消费金额(分)", "money spent in a year"),
        _field("purchases.last_on", Type.DAY, "近一年最近消费日期", "the last purchase in a year"),
        # Declared so that whoever tries them is told why not.
        _refused("customer.risk_grade", Type.INTEGER, "风险等级", "risk grade", Source.FINANCIAL),
        _refused("accounts.deposits", Type.INTEGER, "存款余额", "deposits", Source.FINANCIAL),
        _refused("complaints.open", Type.INTEGER, "在办投诉", "open complaints", Source.CUSTOMER),
        _refused("credit.score", Type.INTEGER, "征信评分", "credit score", Source.CREDIT_BUREAU),
        _refused("device.country", Type.TEXT, "设备所在地", "device country", Source.FRAUD_MONITOR),
    ]
)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is meant: the criteria, in a programme, as things stood at an instant."""

    programme: Programme
    basic_tier: str
    criteria: Criteria
    as_of: datetime


def audience_of(
    session: Session, programme: Programme, document: Mapping[str, Any], as_of: datetime
) -> Audience:
    """Return the audience that a campaign's document describes.

    Raises `InvalidCriteria` where it asks about what marketing may not use (any more).
    """
    parsed = criteria.parse(document, CATALOGUE, criteria.MARKETING)
    basic = tiers.ladder_in_force(session, programme).tiers[0].code
    return Audience(programme, basic, parsed, as_of)


def choose(audience: Audience) -> Select[Any]:
    """Return a query for the numbers of all customers in `audience`, as `customer_id`."""
    zone = audience.programme.zone_name
    columns: dict[str, ColumnElement[Any]] = {
        "customer.tier": func.coalesce(TierState.tier, audience.basic_tier),
        "customer.joined_on": _day(MembershipRow.joined_at, zone),
        "points.balance": Wallet.__table__.c.posted,
    }
    chosen = (
        select(CustomerRow.id.label("customer_id"))
        .join(MembershipRow, MembershipRow.customer_id == CustomerRow.id)
        .join(Wallet, Wallet.account_id == MembershipRow.points_wallet_id)
        .outerjoin(
            TierState,
            (TierState.customer_id == CustomerRow.id)
            & (TierState.programme_id == audience.programme.id),
        )
        .where(CustomerRow.state == "active", MembershipRow.programme_id == audience.programme.id)
    )
    if any(name.startswith(_PURCHASES) for name in criteria.field_names(audience.criteria)):
        year = _purchases(audience)
        chosen = chosen.outerjoin(year, true())
        columns |= {
            "purchases.count": year.c.count,
            "purchases.amount": year.c.amount,
            "purchases.last_on": _day(year.c.last_at, zone),
        }
    return chosen.where(criteria.compile(audience.criteria, columns))


def _purchases(audience: Audience) -> Any:
    """Return what each customer bought in the year before, as a lateral subquery."""
    return (
        select(
            func.count().label("count"),
            func.coalesce(func.sum(PurchaseRow.amount), 0).label("amount"),
            func.max(PurchaseRow.purchased_at).label("last_at"),
        )
        .where(
            PurchaseRow.customer_id == CustomerRow.id,
            PurchaseRow.programme_id == audience.programme.id,
            PurchaseRow.purchased_at > audience.as_of - YEAR,
            PurchaseRow.purchased_at <= audience.as_of,
        )
        .lateral("year")
    )


def _day(at: Any, zone: str) -> ColumnElement[Any]:
    return func.date(func.timezone(literal(zone), at))
