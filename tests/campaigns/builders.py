"""A house with members who agreed, refused or said nothing, and the people around a campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

import campaigns.jobs
import ledger
from campaigns import clicking
from loyalty import consent, coupons, customers, messages, outbox, policy, programmes, staff, tiers
from loyalty.consent.rules import NOTICE_FIELDS
from loyalty.customers import NewCustomer
from loyalty.database import GATE_ROLE, transaction
from loyalty.demo.coupons import SERIES
from loyalty.messages import Dispatched
from loyalty.messages.commands import send_due
from loyalty.messages.handover import Gateway
from loyalty.programmes import Member, Programme
from loyalty.settings import settings
from loyalty.tiers import Ladder, Tier
from tests.callers import ADMIN, Client, add_person

_numbers = count(1)
assert campaigns.jobs, "registers what previews and expands"

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
    notice: int = 0
    controller: int = 0

    def draft(self, code: str = "spring", kind: str = "points_bonus", **changed: Any) -> Any:
        """Open a campaign over HTTP, complete but for what is said; return the answer's body."""
        answer = self.post_draft(code, kind, **changed)
        assert answer.status_code == 201, answer.data
        return answer.json

    def preview(self, draft: Any) -> Any:
        """Preview a draft's version to the end and return it."""
        path = f"/v1/campaigns/{draft['campaign_id']}/previews"
        answer = self.maker.post(path, {"version": draft["version"]})
        assert answer.status_code == 202, answer.data
        outbox.advance("campaigns.preview", 60)
        found = self.maker.get(f"/v1/campaign-previews/{answer.json['preview_id']}").json
        assert found["total"] is not None, found
        return found

    def submit(self, draft: Any, preview: Any) -> TestResponse:
        """Put a draft with its preview before those who approve."""
        body = {"version": draft["version"], "preview_id": preview["preview_id"]}
        return self.maker.post(f"/v1/campaigns/{draft['campaign_id']}/submissions", body)

    def decide(self, person: Client, proposal: Any, decision: str = "approve") -> TestResponse:
        """Decide about a proposal as `person`."""
        body = {"decision": decision, "digest": proposal["digest"]}
        return person.post(f"/v1/proposals/{proposal['proposal_id']}/decisions", body)

    def approve(self, draft: Any, preview: Any) -> Any:
        """Have every seat agree to a draft; return the proposal as it ended."""
        proposal = self.submit(draft, preview)
        assert proposal.status_code == 201, proposal.data
        for person in (self.business, self.protection):
            answer = self.decide(person, proposal.json)
            assert answer.status_code == 200, answer.data
        assert answer.json["state"] == "applied", answer.json
        return answer.json

    def launch(self, draft: Any, preview: Any) -> TestResponse:
        """Launch a version on a preview."""
        body = {"version": draft["version"], "preview_id": preview["preview_id"]}
        return self.maker.post(f"/v1/campaigns/{draft['campaign_id']}/launch", body)

    def run(self, **changed: Any) -> tuple[Any, Any]:
        """Bring a campaign from draft to launch, with everybody reached; return draft, preview."""
        draft = self.draft(**changed)
        preview = self.preview(draft)
        self.approve(draft, preview)
        answer = self.launch(draft, preview)
        assert answer.status_code == 201, answer.data
        outbox.advance("campaigns.expand", 60)
        return draft, preview

    def dispatch(self) -> Dispatched:
        """Let the gate decide about what is due when the last campaign has begun."""
        with transaction(GATE_ROLE) as session:
            begins = session.scalar(
                text("SELECT greatest(max(due_at), clock_timestamp()) FROM loyalty.send_queue")
            )
            return messages.dispatch(session, now=begins)

    def deliver(self, **opened: Gateway) -> int:
        """Let the gate decide and the adapter hand over, to inboxes at least; return how many."""
        self.dispatch()
        return send_due(dict(opened))

    def agree(self, *references: str, channel: str = "IN_APP") -> None:
        """Have members agree to offers by a channel, on paper at the branch."""
        self._say("GRANT", references, channel)

    def refuse(self, *references: str, channel: str = "IN_APP") -> None:
        """Have members take back what they agreed to."""
        self._say("WITHDRAW", references, channel)

    def agree_to_analysis(self, *references: str) -> None:
        """Have members agree that their clicks are looked at."""
        with transaction() as session:
            purpose = consent.open_purpose(
                session,
                clicking.PURPOSE,
                name_zh="使用分析",
                name_en="Analysis of use",
                controller_id=self.controller,
                is_marketing=False,
            )
            notice = publish(session, purpose)
        self._say("GRANT", references, "IN_APP", clicking.PURPOSE, notice)

    def _say(
        self,
        action: str,
        references: Sequence[str],
        channel: str,
        purpose: str = "offers",
        notice: int | None = None,
    ) -> None:
        with transaction() as session:
            events = [
                consent.NewEvent(
                    customer_id=self.members[reference].customer_id,
                    purpose=purpose,
                    channel=channel,
                    action=action,
                    mechanism="PAPER",
                    source="test",
                    reference=f"{action}-{reference}-{next(_numbers)}",
                    notice_id=(notice or self.notice) if action == "GRANT" else None,
                    proof={"scan_sha256": "0" * 64},
                    separate=True,
                )
                for reference in references
            ]
            answers = consent.record(session, ADMIN, events)
            assert all(answer.refusal is None for answer in answers), answers

    def post_draft(
        self, code: str = "spring", kind: str = "points_bonus", **changed: Any
    ) -> TestResponse:
        body = {"code": code, "type": kind, "document": document(**changed)}
        return self.maker.post("/v1/campaigns", body)


def notice(**changed: Any) -> dict[str, Any]:
    """Return all that is published of a draw of three prizes."""
    ends = datetime.now(UTC) + timedelta(days=21)
    said = {"zh": "见公示", "en": "As published"}
    names = (
        *("kinds", "conditions", "way", "draw_way", "odds", "redeem_way", "delivery"),
        *("waiver", "organiser", "contact"),
    )
    return {
        **dict.fromkeys(names, said),
        "drawn_at": ends.isoformat(),
        "redeem_until": (ends + timedelta(days=30)).isoformat(),
        "prizes": [
            {"name": {"zh": "雨伞", "en": "Umbrella"}, "count": 1, "value": 5_000},
            {
                "name": {"zh": "一百积分", "en": "A hundred points"},
                "count": 2,
                "value": 100,
                "gives": {"points": 100},
            },
        ],
        **changed,
    }


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


def where_it_is_day() -> str:
    """Return a zone where nobody is asleep now: some hour of the day is always noon somewhere."""
    east = (12 - datetime.now(UTC).hour) % 24
    offset = east - 24 if east > 12 else east
    return f"Etc/GMT{-offset:+d}" if offset else "UTC"


def build_house(application: FlaskClient, size: int = 4) -> House:
    """Open the programme with `size` members and the people who make and decide campaigns."""
    with transaction() as session:
        programme = programmes.open_programme(
            session, "vip", name_zh="贵宾", name_en="VIP", zone=where_it_is_day()
        )
        tiers.create_ladder(session, programme, LADDER)
        names = [f"C-{number}" for number in range(1, size + 1)]
        customers.register(session, [NewCustomer(reference=name, name="王小明") for name in names])
        members = programmes.find_or_enrol(session, programme, names)
        keys, pack = settings().keys, policy.SHIPPED.read_text("utf-8")
        policy.create_policy_key(keys)
        policy.enact(session, keys, pack, policy.sign_pack(keys, pack), "test")
        bank = staff.add_unit(session, ADMIN, "head_office", "总行")
        offers = consent.open_purpose(
            session, "offers", name_zh="优惠活动", name_en="Offers", controller_id=bank.id
        )
        notice = publish(session, offers)
    people = (
        add_person(application, role)
        for role in ("marketing_maker", "marketing_checker", "consumer_protection", "publicity")
    )
    return House(application, programme, members, *people, notice=notice, controller=bank.id)


def open_series(house: House) -> None:
    """Put the sample's coupon of twenty off into force."""
    with transaction() as session:
        coupons.add_version(
            session,
            house.programme,
            "twenty-off",
            SERIES["twenty-off"],
            effective_from=datetime.now(UTC) - timedelta(days=1),
            agreed_as="test",
        )


def publish(session: Session, purpose: consent.Purpose) -> int:
    """Publish a notice of a purpose and return its number."""
    told = dict.fromkeys(NOTICE_FIELDS, "x")
    return consent.publish_notice(
        session,
        purpose,
        body_zh="告知书",
        body_en="Notice",
        fields={"zh": told, "en": told},
        approved_by="stf_test",
        material=False,
    ).id
