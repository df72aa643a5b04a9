"""A house with members who agreed, refused or said nothing, and the people around a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import ledger
from loyalty import consent, customers, programmes, staff, tiers
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.programmes import Member, Programme
from loyalty.tiers import Ladder, Tier
from tests.callers import ADMIN, Client, add_person

LADDER = Ladder(
    (Tier("standard", "普通", "Standard", 0), Tier("gold", "金卡", "Gold", 1_000)),
    effective_from=ledger.AT_ONCE,
)
EVERYBODY = {"field": "points.balance", "is": "ge", "value": 0}
WORDS = {
    "zh": {"subject": "会员活动 {campaign}", "body": "{customer_name}您好,活动到 {ends_on} 为止。"},
    "en": {"subject": "For members: {campaign}", "body": "Dear {customer_name}, until {ends_on}."},
}
BONUS = {
    "gives": "multiplier",
    "times": [2, 1],
    "status": False,
    "names": {"zh": "双倍积分", "en": "Twice the points"},
}


@dataclass(frozen=True)
class House:
    """The application, its programme and members by reference, and marketing staff."""

    application: FlaskClient
    programme: Programme
    members: dict[str, Member]
    maker: Client
    business: Client
    protection: Client
    publicity: Client

    def draft(self, code: str = "spring", kind: str = "points_bonus", **changed: Any) -> Any:
        """Open a campaign over HTTP, complete but for what is said; return the answer's body."""
        answer = self.post_draft(code, kind, **changed)
        assert answer.status_code == 201, answer.data
        return answer.json

    def post_draft(
        self, code: str = "spring", kind: str = "points_bonus", **changed: Any
    ) -> TestResponse:
        body = {"code": code, "type": kind, "document": document(**changed)}
        return self.maker.post("/v1/campaigns", body)


def document(**changed: Any) -> dict[str, Any]:
    """Return a complete document of a points bonus; parts given as None are left out."""
    starts = datetime.now(UTC) + timedelta(seconds=2)
    whole = {
        "names": {"zh": "春季双倍积分", "en": "Twice the points in spring"},
        "purpose": "offers",
        "audience": EVERYBODY,
        "offer": {"earning_rule": BONUS},
        "variants": [{"name": "a", "weight": 1, "contents": {"in_app": WORDS}}],
        "channels": ["in_app"],
        "schedule": {
            "starts_at": starts.isoformat(),
            "ends_at": (starts + timedelta(days=20)).isoformat(),
        },
        "budget": {"unit": "points", "amount": 1_000_000},
        **changed,
    }
    return {name: part for name, part in whole.items() if part is not None}


def build_house(application: FlaskClient, size: int = 4) -> House:
    """Open the programme with `size` members and the people who make and decide campaigns."""
    with transaction() as session:
        programme = programmes.open_programme(session, "vip", name_zh="贵宾", name_en="VIP")
        tiers.create_ladder(session, programme, LADDER)
        names = [f"C-{number}" for number in range(1, size + 1)]
        customers.register(session, [NewCustomer(reference=name, name="王小明") for name in names])
        members = programmes.find_or_enrol(session, programme, names)
        bank = staff.add_unit(session, ADMIN, "head_office", "总行")
        consent.open_purpose(
            session, "offers", name_zh="优惠活动", name_en="Offers", controller_id=bank.id
        )
    people = (
        add_person(application, role)
        for role in ("marketing_maker", "marketing_checker", "consumer_protection", "publicity")
    )
    return House(application, programme, members, *people)
