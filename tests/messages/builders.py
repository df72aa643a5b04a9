"""Customers, templates, requests, and the two processes' steps, for the tests of messages."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
from sqlalchemy.orm import Session

from loyalty import consent, customers, messages, policy, staff
from loyalty.consent import NewContact, NewEvent
from loyalty.consent.rules import NOTICE_FIELDS
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.messages import (
    Answer,
    NewRelease,
    NewRequest,
    NewTemplate,
    Terms,
    inbox,
    registered,
)
from loyalty.messages.commands import send_due
from loyalty.messages.handover import Gateway, Kind, Receipt
from loyalty.messages.jobs import dispatch_all
from loyalty.messages.rules import Message
from loyalty.settings import settings
from loyalty.web import Caller

POINTS = "points-expiring"
NEWS = "travel-news"
SERVICE: dict[str, Any] = {
    "code": POINTS,
    "class_": "service",
    "purpose": "service",
    "name_zh": "积分到期提醒",
    "name_en": "Points about to expire",
    "contents": {
        "email": {
            "zh": {
                "subject": "积分到期提醒",
                "body": "{customer_name},您有 {points} 分将于 {day} 到期。",
            },
            "en": {
                "subject": "Your points",
                "body": "{customer_name}, {points} points expire on {day}.",
            },
        },
        "sms": {"zh": {"body": "您有 {points} 分将于 {day} 到期。"}},
        "in_app": {"zh": {"subject": "积分到期提醒", "body": "您有 {points} 分将于 {day} 到期。"}},
    },
    "placeholders": {"customer_name": "person", "points": "whole", "day": "day"},
}
MARKETING: dict[str, Any] = {
    "code": NEWS,
    "class_": "marketing",
    "purpose": "marketing",
    "name_zh": "旅行资讯",
    "name_en": "Travel news",
    "contents": {
        "email": {"zh": {"subject": "春日出行", "body": "{customer_name},{place}限时优惠。"}},
        "sms": {"zh": {"body": "{place}限时优惠。"}},
        "in_app": {"zh": {"subject": "春日出行", "body": "{place}限时优惠。"}},
    },
    "placeholders": {"customer_name": "person", "place": "text"},
}
FILLING = {"points": "120", "day": "2026-12-31"}


CALLER = Caller.job("test")
NOW = datetime.now(UTC)
DIGEST = b"\x01" * 32
_numbers = count(1)


@dataclass
class Recorder:
    """A gateway that keeps what it was given and answers as it is told."""

    name: str = "recorder"
    answer: Receipt = field(default_factory=lambda: Receipt(Kind.ACCEPTED, "ok"))
    given: list[tuple[Message, str]] = field(default_factory=list)

    def is_ready(self) -> bool:
        return True

    def hand_over(self, message: Message, reference: str) -> Receipt:
        self.given.append((message, reference))
        return self.answer


def add_customers(count: int = 1, **changed: Any) -> list[int]:
    """Register customers who can be reached on every channel."""
    people = [
        NewCustomer(
            reference=f"C-{number}",
            **{
                "name": f"王{number}",
                "phone": f"138{number:08d}",
                "email": f"c{number}@example.com",
                "birthday": date(1980, 1, 1),
                **changed,
            },
        )
        for number in range(1, count + 1)
    ]
    with transaction() as session:
        open_purposes(session)
        found = [r.customer_id for r in customers.register(session, people) if r.customer_id]
        consent.add_contacts(
            session,
            [
                NewContact(customer_id=number, kind=kind, value=value, verified_at=NOW)
                for number, person in zip(found, people, strict=True)
                for kind, value in (("PHONE", person.phone), ("EMAIL", person.email))
                if value is not None
            ],
        )
    return found


def open_purposes(session: Session) -> None:
    """Open a purpose that is marketing and one that is not, each with a notice in force.

    Put the shipped policy pack in force, too: without one nothing is decided.
    """
    keys, pack = settings().keys, policy.SHIPPED.read_text("utf-8")
    policy.create_policy_key(keys)
    policy.enact(session, keys, pack, policy.sign_pack(keys, pack), "test")
    bank = staff.add_unit(session, CALLER, "head_office", "总行").id
    for code, is_marketing in (("service", False), ("marketing", True)):
        purpose = consent.open_purpose(
            session,
            code,
            name_zh=code,
            name_en=code,
            controller_id=bank,
            is_marketing=is_marketing,
        )
        consent.publish_notice(
            session,
            purpose,
            body_zh="告知书",
            body_en="Notice",
            fields={lang: dict.fromkeys(NOTICE_FIELDS, "…") for lang in ("zh", "en")},
            approved_by="stf_0000000000001",
            material=True,
            effective_from=NOW - timedelta(days=100),
        )


def say(customer_id: int, action: str = "GRANT", channel: str = "IN_APP") -> None:
    """Record what a customer says about marketing."""
    with transaction() as session:
        purpose = consent.read_purposes(session)["marketing"]
        notice = next(
            n for n in consent.read_notices(session).values() if n.purpose_id == purpose.id
        )
        (recorded,) = consent.record(
            session,
            CALLER,
            [
                NewEvent(
                    customer_id=customer_id,
                    purpose="marketing",
                    channel=channel,
                    action=action,
                    mechanism="BRANCH",
                    source="test",
                    reference=f"say-{next(_numbers)}",
                    notice_id=notice.id if action == "GRANT" else None,
                    proof={"witness": "stf_1"} if action == "GRANT" else None,
                )
            ],
        )
    assert recorded.seq is not None, recorded


def add_release(version_id: int, **changed: Any) -> int:
    """Release a marketing template for the next month, as if a campaign had been approved."""
    with transaction() as session:
        (template,) = registered.templates_by_id(session, [version_id]).values()
        new: dict[str, Any] = {
            "origin_kind": "campaign",
            "origin": "cmp_1",
            "digest": DIGEST,
            "approved_digest": DIGEST,
            "approval": "prp_1",
            "terms": Terms((template.digest.hex(),)),
            "starts_at": NOW - timedelta(days=1),
            "expires_at": NOW + timedelta(days=30),
            **changed,
        }
        return messages.release(session, NewRelease(**new))


def offer(customer_id: int, release_id: int, reference: str = "m1", **changed: Any) -> Answer:
    """Ask for one marketing message by in-app, as a campaign would, at an hour for it."""
    new: dict[str, Any] = {
        "template": NEWS,
        "filling": {"place": "三亚"},
        "origin_kind": "campaign",
        "origin": "cmp_1",
        "origin_digest": DIGEST,
        "release_id": release_id,
        "zone": awake(),
        **changed,
    }
    return ask(customer_id, reference, **new)


def awake() -> str:
    """Return a zone in which it is the middle of the day now."""
    hour = (12 - datetime.now(UTC).hour) % 24
    return f"Etc/GMT{-hour:+d}" if hour <= 12 else f"Etc/GMT{24 - hour:+d}"


def add_template(content: dict[str, Any] | None = None, **changed: Any) -> int:
    """Register a version of a template as if it had been approved; return its id."""
    new = NewTemplate(**{**(content or SERVICE), **changed})
    with transaction() as session:
        return messages.register_template(session, new, "prp_test")


def ask(customer_id: int, reference: str = "r1", **changed: Any) -> Answer:
    """Ask for one service message by in-app, unless said otherwise."""
    new: dict[str, Any] = {
        "source": "test",
        "reference": reference,
        "customer_id": customer_id,
        "template": POINTS,
        "channel": "in_app",
        "filling": FILLING,
        **changed,
    }
    with transaction() as session:
        (answer,) = messages.ask(session, [NewRequest(**new)])
    return answer


def decide() -> messages.Dispatched:
    """Let the gate decide about all that is due."""
    return dispatch_all()


def send(**opened: Gateway) -> int:
    """Let the sender hand over all that may leave."""
    return send_due(dict(opened))


def inbox_of(customer_id: int) -> list[messages.Received]:
    """Return what stands in a customer's inbox."""
    with transaction() as session:
        return list(inbox.read_inbox(session, customer_id, None, 50))


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return what the database itself says, whoever may read it."""
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()
