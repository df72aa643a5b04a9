"""Coupons of the sample: a partner with two outlets, series, rewards, and some coupons given."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from loyalty import coupons, partners, rewards
from loyalty.coupons import Order
from loyalty.programmes import Programme
from loyalty.web import Caller

DEMO = Caller.job("demo")
PARTNER = "sample-mall"
AGREED = "demo"
LONG_AGO = datetime(1996, 1, 1, tzinfo=UTC)
OUTLETS: dict[str, dict[str, Any]] = {
    "nanjing-road": {
        "name_zh": "南京路店",
        "name_en": "Nanjing Road",
        "address": "上海市南京东路 1 号",
    },
    "lujiazui": {"name_zh": "陆家嘴店", "name_en": "Lujiazui", "address": "上海市世纪大道 1 号"},
}
_COMMON: dict[str, Any] = {
    "conditions": {"zh": "一次使用,不找零", "en": "For one purchase; no change is given"},
    "minimum": 0,
    "categories": [],
    "partners": [],
    "outlets": [],
    "validity": {"starts_at": None, "ends_at": None, "days": 90, "weekdays": [], "hours": None},
    "limits": {"total": 10_000, "day": None, "customer": 5, "uses_per_day": None},
    "budget": 20_000_000,
    "stackable": True,
    "bound": True,
    "refundable": True,
    "divisible": False,
    "claimable": False,
    "short_code": False,
    "ours": 10_000,
}
SERIES: dict[str, dict[str, Any]] = {
    "twenty-off": {
        **_COMMON,
        "names": {"zh": "满一百减二十", "en": "20 off 100"},
        "value": {"kind": "amount", "amount": 2_000, "basis_points": None},
        "minimum": 10_000,
        "claimable": True,
        "ours": 6_000,
    },
    "tenth-off": {
        **_COMMON,
        "names": {"zh": "九折券", "en": "10 % off"},
        "value": {"kind": "percent", "amount": 5_000, "basis_points": 1_000},
        "stackable": False,
    },
    "coffee": {
        **_COMMON,
        "names": {"zh": "咖啡一杯", "en": "A cup of coffee"},
        "value": {"kind": "goods", "amount": 1_800, "basis_points": None},
    },
}
_TEXTS = {"zh": "用积分兑换", "en": "For points"}
REWARDS: dict[str, dict[str, Any]] = {
    "coffee": {
        "names": SERIES["coffee"]["names"],
        "description": _TEXTS,
        "series": "coffee",
        "prices": [
            {"tier": "*", "points": 200, "cash": 0},
            {"tier": "diamond", "points": 150, "cash": 0},
        ],
        "stock": 1_000,
        "per_customer": 5,
        "starts_at": None,
        "ends_at": None,
    },
    "umbrella": {
        "names": {"zh": "雨伞", "en": "Umbrella"},
        "description": {"zh": "积分加现金", "en": "Points and some money"},
        "series": None,
        "prices": [{"tier": "*", "points": 300, "cash": 1_990}],
        "stock": 100,
        "per_customer": 1,
        "starts_at": None,
        "ends_at": None,
    },
}


def open_coupons(session: Session, programme: Programme) -> None:
    """Open the sample's partner, series and rewards; nothing where they are there already."""
    if coupons.list_series(session, programme, before=None, limit=1):
        return
    partner = partners.open_partner(
        session, DEMO, PARTNER, name_zh="样例商场", name_en="Sample Mall"
    )
    for code, words in OUTLETS.items():
        partners.open_outlet(session, DEMO, partner, code, **words)
    for code, terms in SERIES.items():
        coupons.add_version(
            session, programme, code, terms, effective_from=LONG_AGO, agreed_as=AGREED
        )
    for code, terms in REWARDS.items():
        rewards.add_version(
            session, programme, code, terms, effective_from=LONG_AGO, agreed_as=AGREED
        )


def give_coupons(session: Session, programme: Programme, customer_ids: Sequence[int]) -> None:
    """Give each of these customers a coupon of each series, once."""
    for code in SERIES:
        series = coupons.find_series(session, programme, code)
        orders = [Order(f"welcome-{number}", number) for number in customer_ids]
        coupons.issue(session, programme, series, "demo", orders)
