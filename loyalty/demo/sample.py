"""The sample programme: its rule, its tiers and the people of the sample bank.

Of the 23,570 customers 10.0 % have 120 status points or more in the last twelve months of their
purchases, 4.1 % have 250 and 1.0 % have 600: so many are gold or higher, platinum or higher,
diamond.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import benefits, points, programmes, staff, tiers
from loyalty.programmes import Programme
from loyalty.web import Caller, NotFound, ids

CODE = "sample"
SOURCE = "cdnow"
CLIENT = "sample-bank"
DEMO = Caller.job("demo")

RULE = {
    "gives": "per_amount",
    "points": 1,
    "per": 100,
    "rounding": "floor",
    "status": True,
    "expiry": {"months": 24, "round": "month"},
    "names": {"zh": "每消费一元得一分", "en": "One point for each whole unit of money"},
}
LADDER = tiers.Ladder(
    (
        tiers.Tier("standard", "普通", "Standard", 0),
        tiers.Tier("gold", "黄金", "Gold", 120),
        tiers.Tier("platinum", "白金", "Platinum", 250),
        tiers.Tier("diamond", "钻石", "Diamond", 600),
    )
)
LONG_AGO = datetime(1996, 1, 1, tzinfo=UTC)
BENEFITS: dict[str, dict[str, Any]] = {
    "airport-lounge": {
        "kind": "service",
        "name_zh": "机场贵宾厅",
        "name_en": "Airport lounge",
        "period": "year",
        "tiers": {
            "platinum": {"quota": 2, "guests": 0},
            "diamond": {"quota": 6, "guests": 1},
        },
    },
    "green-channel": {
        "kind": "lane",
        "name_zh": "绿色通道",
        "name_en": "Green channel",
        "period": "ever",
        "promise_minutes": 60,
        "tiers": {
            "gold": {"quota": None, "guests": 0},
            "platinum": {"quota": None, "guests": 0},
            "diamond": {"quota": None, "guests": 0},
        },
    },
    "birthday-gift": {
        "kind": "goods",
        "name_zh": "生日礼",
        "name_en": "Birthday gift",
        "period": "year",
        "tiers": {tier: {"quota": 1, "guests": 0} for tier in ("gold", "platinum", "diamond")},
    },
}
STAFF = {
    "sample-maker": ("样例营销经办", "marketing_maker"),
    "sample-checker": ("样例营销复核", "marketing_checker"),
    "sample-support": ("样例客服", "support"),
    "sample-branch": ("样例支行", "branch"),
    "sample-head-office": ("样例总行", "head_office"),
    "sample-auditor": ("样例审计", "auditor"),
    "sample-protection": ("样例消保", "consumer_protection"),
    "sample-compliance": ("样例合规", "compliance"),
    "sample-publicity": ("样例办公室", "publicity"),
    "sample-finance": ("样例财务", "finance"),
    "sample-partners": ("样例合作方经理", "partner_manager"),
}
SCOPES = (
    "benefits:read",
    "benefits:use",
    "confirmations:write",
    "coupons:claim",
    "coupons:code",
    "coupons:issue",
    "coupons:read",
    "customers:read",
    "customers:tokens",
    "customers:write",
    "imports:write",
    "points:read",
    "points:spend",
    "purchases:write",
    "rewards:claim",
    "rewards:deliver",
    "rewards:read",
    "tiers:read",
)
HEAD_OFFICE = text("""
SELECT min(id) FROM loyalty.organisation_units WHERE kind = 'head_office'
""")
SHARES = text("""
SELECT tier, count(*) AS customers FROM loyalty.tier_states
WHERE programme_id = :programme GROUP BY tier
""")


def open_sample(session: Session) -> Programme:
    """Open the sample programme with everything in it but customers; nothing the second time."""
    try:
        return programmes.find_programme(session, CODE)
    except NotFound:
        pass
    programme = programmes.open_programme(
        session, CODE, name_zh="样例计划", name_en="Sample", debt_limit=1_000_000
    )
    unit = staff.add_unit(session, DEMO, "head_office", "样例银行总行")
    people = {
        login: staff.add_staff(session, DEMO, login=login, name=name, unit_id=unit.id, roles=[role])
        for login, (name, role) in STAFF.items()
    }
    staff.add_client(session, DEMO, CLIENT, SCOPES)
    rule = points.propose_rule(
        session,
        programme,
        code="base",
        document=RULE,
        effective_from=LONG_AGO,
        proposed_by=ids.encode("stf", people["sample-maker"].id),
    )
    points.decide_rule(
        session, rule, "approved", decided_by=ids.encode("stf", people["sample-checker"].id)
    )
    tiers.create_ladder(session, programme, LADDER)
    for code, offer in BENEFITS.items():
        benefits.offer_benefit(session, programme, code, effective_from=LONG_AGO, **offer)
    return programme


def head_office(session: Session) -> int:
    """Return the unit that answers for the sample bank."""
    number: int = session.execute(HEAD_OFFICE).scalar_one()
    return number


def count_tiers(session: Session, programme: Programme) -> dict[str, int]:
    """Return how many customers are in each tier above the lowest, by the tier's code."""
    rows = session.execute(SHARES, {"programme": programme.id})
    return {row.tier: row.customers for row in rows}
