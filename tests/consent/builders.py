"""Customers of whom nothing is known, purposes with notices, and what customers say of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from loyalty import consent, customers, staff
from loyalty.consent import NewEvent, Notice, Purpose, Recorded, Shown, Snapshot
from loyalty.consent.rules import NOTICE_FIELDS, SENSITIVE_FIELDS
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.web import Caller

CALLER = Caller.job("test")
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=2000)
FIELDS = {lang: dict.fromkeys((*NOTICE_FIELDS, *SENSITIVE_FIELDS), "…") for lang in ("zh", "en")}
PROOF = {"form": "f1", "session": "s1"}
_references = count(1)


@dataclass(frozen=True)
class World:
    """Marketing of two kinds, use of sensitive data, sharing with partners; two customers."""

    offers: Purpose
    news: Purpose
    sensitive: Purpose
    sharing: Purpose
    notices: Mapping[str, Notice]
    wang: int
    li: int


def build_world() -> World:
    """Open the purposes with a notice each, and register two customers."""
    with transaction() as session:
        bank = staff.add_unit(session, CALLER, "head_office", "总行").id
        purposes = {
            code: consent.open_purpose(
                session, code, name_zh=zh, name_en=en, controller_id=bank, **more
            )
            for code, zh, en, more in (
                ("offers", "优惠活动", "offers", {}),
                ("news", "产品资讯", "news", {}),
                (
                    "sensitive-data",
                    "使用敏感信息",
                    "use of sensitive data",
                    {
                        "sensitivity": "sensitive",
                        "needs_separate": True,
                        "by_channel": False,
                        "is_marketing": False,
                    },
                ),
                (
                    "partner-sharing",
                    "向合作方提供信息",
                    "sharing with a partner",
                    {"needs_separate": True, "by_channel": False, "is_marketing": False},
                ),
            )
        }
        notices = {
            code: publish(session, purpose, effective_from=LONG_AGO)
            for code, purpose in purposes.items()
        }
        people = [NewCustomer(reference="C-1"), NewCustomer(reference="C-2")]
        registered = customers.register(session, people)
    wang, li = (one.customer_id for one in registered)
    assert wang is not None and li is not None
    return World(*purposes.values(), notices, wang, li)


def publish(session: Any, purpose: Purpose, **changed: Any) -> Notice:
    """Publish a notice of a purpose within a transaction, material unless said otherwise."""
    content: dict[str, Any] = {
        "body_zh": f"告知书:{purpose.name_zh}",
        "body_en": f"Notice: {purpose.name_en}",
        "fields": FIELDS,
        "approved_by": "stf_0000000000001",
        "material": True,
        **changed,
    }
    return consent.publish_notice(session, purpose, **content)


def show(world: World, customer_id: int, purpose: str = "offers", **changed: Any) -> int:
    """Show a customer the first notice of a purpose and return the presentation's number."""
    shown: dict[str, Any] = {
        "customer_id": customer_id,
        "notice_id": world.notices[purpose].id,
        "channel": "SMS",
        "lang": "zh",
        "surface": "app",
        "form_version": "1",
        "shown_at": LONG_AGO,
        **changed,
    }
    with transaction() as session:
        return consent.present(session, [Shown(**shown)])[0]


def event(world: World, action: str, customer_id: int | None = None, **changed: Any) -> NewEvent:
    """Return an event as a branch would report it, about offers by SMS unless said otherwise."""
    purpose = changed.get("purpose", "offers")
    agreeing = action in ("GRANT", "IMPORT")
    content: dict[str, Any] = {
        "customer_id": world.wang if customer_id is None else customer_id,
        "purpose": purpose,
        "channel": "SMS",
        "action": action,
        "mechanism": "IMPORT" if action == "IMPORT" else "BRANCH",
        "source": "bank",
        "reference": f"r-{next(_references)}",
        "occurred_at": NOW - timedelta(days=1),
        "notice_id": world.notices[purpose].id if agreeing else None,
        "proof": {"witness": "stf_1"} if agreeing else None,
        **changed,
    }
    if action == "IMPORT" and "proof" not in changed:
        content["proof"] = {
            "collected_by": "branch-7",
            "collected_how": "paper-form",
            "evidence": "scan-123",
        }
    return NewEvent(**content)


def say(world: World, action: str, customer_id: int | None = None, **changed: Any) -> Recorded:
    """Record one event."""
    return record(event(world, action, customer_id, **changed))[0]


def record(*events: NewEvent) -> list[Recorded]:
    """Record events in one transaction."""
    with transaction() as session:
        return consent.record(session, CALLER, events)


def snapshot(customer_id: int, purpose: str = "offers", channel: str = "SMS") -> Snapshot:
    """Return what is known of a customer for messages of one purpose by one channel."""
    with transaction() as session:
        found = consent.read_snapshot(session, [customer_id], purpose=purpose, channel=channel)
    return found[customer_id]


def code_of(recorded: Recorded) -> str:
    """Return why an event was refused; empty where it was not."""
    return getattr(recorded.refusal, "code", "") if recorded.refusal is not None else ""
