"""A campaign of the sample bank, submitted: whoever looks round finds where they are approved.

It stands on what the demo opened below: members, purposes with their notices, and consents.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import approval, drafting, previewing
from campaigns.queries import Campaign, read_campaign
from campaigns.schemas import CampaignDocumentSchema
from loyalty import programmes, staff
from loyalty.programmes import Programme
from loyalty.web import Caller, ids

PROGRAMME = "sample"  # as `loyalty demo load` opens it
CODE = "double-points"
MAKER = "sample-maker"
BEGINS, LASTS = time(10), timedelta(days=30)
PREVIEWED_BY = "sample"

_WORDS = {
    "zh": {
        "subject": "双倍积分",
        "body": "{customer_name}您好:{starts_on} 至 {ends_on},每笔消费得双倍积分。",
    },
    "en": {
        "subject": "Twice the points",
        "body": "Dear {customer_name}, from {starts_on} to {ends_on} purchases earn double points.",
    },
}
_SHORT = {
    "zh": {"body": "{starts_on} 至 {ends_on},每笔消费得双倍积分。"},
    "en": {"body": "From {starts_on} to {ends_on} purchases earn double points."},
}
_KNOWN = text("SELECT id FROM campaigns.campaigns WHERE programme_id = :p AND code = :code")


def open_sample(session: Session) -> Campaign | None:
    """Draft the sample's campaign for tomorrow and return it; None where it is there already."""
    programme = programmes.find_programme(session, PROGRAMME)
    known = session.execute(_KNOWN, {"p": programme.id, "code": CODE}).scalar_one_or_none()
    if known is not None:
        return None
    content = CampaignDocumentSchema().load(_document(programme))
    document = CampaignDocumentSchema().dump(content)
    return drafting.open_campaign(
        session, _maker(session), programme, CODE, "points_bonus", document
    )


def _maker(session: Session) -> Caller:
    person = staff.find_staff(session, MAKER)
    return Caller("staff", ids.encode("stf", person.id), roles=frozenset({"marketing_maker"}))


def _document(programme: Programme) -> dict[str, Any]:
    tomorrow = datetime.now(UTC).astimezone(programme.zone).date() + timedelta(days=1)
    starts_at = datetime.combine(tomorrow, BEGINS, programme.zone)
    return {
        "names": {"zh": "黄金及以上双倍积分", "en": "Twice the points for gold and above"},
        "purpose": "offers",
        "audience": {
            "field": "customer.tier",
            "is": "in",
            "value": ["gold", "platinum", "diamond"],
        },
        "offer": {
            "earning_rule": {
                "gives": "multiplier",
                "times": [2, 1],
                "status": False,
                "when": {"field": "customer.tier", "is": "ne", "value": "standard"},
                "caps": {"month": 5_000},
                "expiry": {"months": 24, "round": "month"},
                "names": {"zh": "活动双倍积分", "en": "Double points of the campaign"},
            }
        },
        "variants": [
            {
                "name": "a",
                "weight": 1,
                "contents": {"in_app": _WORDS, "sms": _SHORT},
            }
        ],
        "channels": ["in_app", "sms"],
        "schedule": {
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + LASTS).isoformat(),
        },
        "quiet_hours": {"from": 20, "until": 9},
        "caps": {"day": 1, "week": 2},
        "budget": {"unit": "points", "amount": 5_000_000},
        "control_parts": 1_000,
    }


def start_preview(session: Session, campaign_id: int) -> int | None:
    """Begin the preview of the sample's campaign; None where something blocks it."""
    campaign = read_campaign(session, campaign_id)
    if campaign.blocking:
        return None
    maker = staff.find_staff(session, MAKER)
    return previewing.start(session, campaign, maker.id, PREVIEWED_BY)


def submit(session: Session, campaign_id: int, preview_id: int) -> bool:
    """Put the sample's campaign before those who approve; return whether anybody is reached."""
    campaign = read_campaign(session, campaign_id)
    preview = previewing.read_preview(session, preview_id)
    if not preview.sendable and not preview.deferred:
        return False
    approval.submit(session, _maker(session), campaign, preview_id)
    return True
