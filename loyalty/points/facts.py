"""What earning rules may ask about a purchase and its customer, and the answers."""

from collections.abc import Collection
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from loyalty import customers
from loyalty.criteria import Catalogue, Field, Source, Type
from loyalty.points.rules import add_months

TIER = "customer.tier"
FIRST = "purchase.first"
BIRTHDAY = "customer.birthday"
BIRTHDAY_MONTH = "customer.birthday_month"


def _field(name: str, kind: Type, zh: str, en: str) -> Field:
    return Field(name, kind, Source.PROGRAMME, (zh, en), marketing=True)


CATALOGUE = Catalogue.of(
    [
        _field("purchase.amount", Type.INTEGER, "消费金额(分)", "the amount in minor units"),
        _field("purchase.category", Type.TEXT, "商户类别", "the merchant category"),
        _field("purchase.outlet", Type.TEXT, "网点", "the outlet"),
        _field("purchase.channel", Type.TEXT, "渠道", "the channel"),
        _field("purchase.day", Type.DAY, "消费日期", "the day of the purchase"),
        _field("purchase.weekday", Type.INTEGER, "星期(1 为星期一)", "the weekday (1 is Monday)"),
        _field(FIRST, Type.BOOLEAN, "首次消费", "the customer's first purchase"),
        _field(TIER, Type.TEXT, "客户等级", "the customer's tier"),
        Field(
            BIRTHDAY,
            Type.BOOLEAN,
            Source.CUSTOMER,
            ("客户生日当天", "the customer's birthday"),
            marketing=True,
            data_class="C2",
        ),
        Field(
            BIRTHDAY_MONTH,
            Type.BOOLEAN,
            Source.CUSTOMER,
            ("客户生日当月", "the month of the customer's birthday"),
            marketing=True,
            data_class="C2",
        ),
    ]
)


def gather(
    purchase: Any, zone: ZoneInfo, *, first: bool, tier: str | None, birthday: date | None
) -> dict[str, Any]:
    """Return the value of every field of the catalogue for one purchase.

    `purchase` has `purchased_at`, `amount`, `category`, `outlet` and `channel`.
    """
    day: date = purchase.purchased_at.astimezone(zone).date()
    return {
        "purchase.amount": purchase.amount,
        "purchase.category": purchase.category,
        "purchase.outlet": purchase.outlet,
        "purchase.channel": purchase.channel,
        "purchase.day": day,
        "purchase.weekday": day.isoweekday(),
        FIRST: first,
        TIER: tier,
        BIRTHDAY: None if birthday is None else _is_birthday(birthday, day),
        BIRTHDAY_MONTH: None if birthday is None else birthday.month == day.month,
    }


def read_birthdays(
    session: Session, people: Collection[int], fields: Collection[str]
) -> dict[int, date]:
    """Return the birthdays of these customers, where `fields` ask for them at all."""
    if not {BIRTHDAY, BIRTHDAY_MONTH} & set(fields):
        return {}
    read = customers.read_people(session, people, customers.Purpose.FULFILMENT)
    return {number: person.birthday for number, person in read.items() if person.birthday}


def _is_birthday(birthday: date, day: date) -> bool:
    return add_months(birthday, 12 * (day.year - birthday.year)) == day
