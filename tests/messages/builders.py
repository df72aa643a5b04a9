"""Customers, templates, requests, and the two processes' steps, for the tests of messages."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg

from loyalty import customers, messages
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.messages import Answer, NewRequest, NewTemplate, inbox
from loyalty.messages.commands import send_due
from loyalty.messages.handover import Gateway, Kind, Receipt
from loyalty.messages.jobs import dispatch_all
from loyalty.messages.rules import Message

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
        return [r.customer_id for r in customers.register(session, people) if r.customer_id]


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
