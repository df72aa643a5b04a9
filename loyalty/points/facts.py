"""What earning rules may ask about a purchase and its customer."""

from loyalty.criteria import Catalogue, Field, Source, Type

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
