"""Expanding a launch: each of the audience once, the control group recorded and left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns.launching import ORIGIN
from campaigns.queries import Campaign, read_campaign
from campaigns.rules import CONTROL
from loyalty import benefits, coupons, messages, programmes
from loyalty.coupons import NotIssued, Order
from loyalty.messages import NewRequest
from loyalty.programmes import Programme
from loyalty.web import NotFound, ids

AT_ONCE = 500
SOURCE = "campaigns"
STEP = 1

_FIND = text("""
SELECT id, campaign_id, version, digest, preview_id, means, launched_by, launched_at
FROM campaigns.launches WHERE id = :id
""")
_OF_CAMPAIGN = text("SELECT id FROM campaigns.launches WHERE campaign_id = :campaign")
_NEXT = text("""
SELECT customer_id, arm, channel, outcome FROM campaigns.preview_members
WHERE preview_id = :preview AND customer_id > :after ORDER BY customer_id LIMIT :limit
""")
_ENROL = text("""
INSERT INTO campaigns.members (launch_id, customer_id, arm, channel)
SELECT :launch, * FROM unnest(CAST(:customers AS bigint[]), CAST(:arms AS text[]),
    CAST(:channels AS text[]))
ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Launch:
    """A version that was let go; `means` are the release, rule and budget that it wrote."""

    id: int
    campaign_id: int
    version: int
    digest: bytes
    preview_id: int
    means: dict[str, Any]
    launched_by: int
    launched_at: datetime


@dataclass(frozen=True, slots=True)
class Expanded:
    """What one chunk did, and where it stopped."""

    people: int
    failed: int
    after: int
    is_over: bool


def read_launch(session: Session, launch_id: int) -> Launch:
    """Return a launch. Raises `NotFound`."""
    row = session.execute(_FIND, {"id": launch_id}).one_or_none()
    if row is None:
        raise NotFound
    return Launch(*row)


def find_launch(session: Session, campaign_id: int) -> Launch | None:
    """Return the launch of a campaign, or None where it was not launched."""
    found = session.execute(_OF_CAMPAIGN, {"campaign": campaign_id}).scalar_one_or_none()
    return None if found is None else read_launch(session, found)


def advance(session: Session, launch_id: int, after: int) -> Expanded:
    """Enrol the next people behind `after`, give them the offer, and ask for their messages.

    Done again it changes nothing: each person is known by launch and number.
    """
    launch = read_launch(session, launch_id)
    asked = {"preview": launch.preview_id, "after": after, "limit": AT_ONCE}
    people = session.execute(_NEXT, asked).all()
    if not people:
        return Expanded(0, 0, after, is_over=True)
    session.execute(
        _ENROL,
        {
            "launch": launch_id,
            "customers": [one.customer_id for one in people],
            "arms": [one.arm for one in people],
            "channels": [one.channel for one in people],
        },
    )
    campaign = read_campaign(session, launch.campaign_id, launch.version)
    programme = programmes.find_programme(session, campaign.programme)
    treated = [one for one in people if one.arm != CONTROL]
    failed = _give(session, programme, campaign, launch, [one.customer_id for one in treated])
    _ask(session, programme, campaign, launch, treated)
    return Expanded(len(people), failed, people[-1].customer_id, is_over=len(people) < AT_ONCE)


def _ask(
    session: Session,
    programme: Programme,
    campaign: Campaign,
    launch: Launch,
    people: Sequence[Any],
) -> None:
    """Ask for messages to those whom the gate would let through; it decides at dispatch."""
    schedule = campaign.document["schedule"]
    starts_at, ends_at = (datetime.fromisoformat(schedule[name]) for name in _TIMES)
    filling = {
        "campaign": campaign.document["names"]["zh"],
        "starts_on": starts_at.astimezone(programme.zone).date().isoformat(),
        "ends_on": ends_at.astimezone(programme.zone).date().isoformat(),
    }
    release = launch.means["release"]
    requests = [
        NewRequest(
            source=SOURCE,
            reference=f"{launch.id}:{one.customer_id}:{STEP}",
            customer_id=one.customer_id,
            template=f"{ids.encode('cmp', campaign.id)}-{one.arm}",
            channel=one.channel,
            filling=filling,
            origin_kind=ORIGIN,
            origin=ids.encode("cmp", campaign.id),
            origin_digest=launch.digest,
            release_id=release["id"],
            template_version_id=release["templates"][one.arm],
            due_at=max(starts_at, launch.launched_at),
            expires_at=ends_at,
            zone=programme.zone_name,
        )
        for one in people
        if one.outcome in ("sendable", "deferred")
    ]
    if requests:
        messages.ask(session, requests)


_TIMES = ("starts_at", "ends_at")


def _give(
    session: Session,
    programme: Programme,
    campaign: Campaign,
    launch: Launch,
    customer_ids: Sequence[int],
) -> int:
    """Give the offer's coupon or benefit, whoever takes messages or not; return how many failed."""
    offer = campaign.document.get("offer") or {}
    if "coupon" in offer and customer_ids:
        series = coupons.find_series(session, programme, offer["coupon"]["series"])
        orders = [Order(f"{launch.id}:{number}", number) for number in customer_ids]
        issued = coupons.issue(session, programme, series, f"campaign:{campaign.id}", orders)
        return sum(isinstance(one, NotIssued) for one in issued)
    if "benefit" in offer:
        for number in customer_ids:
            _grant(session, programme, campaign, launch, number)
    return 0


def _grant(
    session: Session, programme: Programme, campaign: Campaign, launch: Launch, customer_id: int
) -> None:
    offer, schedule = campaign.document["offer"]["benefit"], campaign.document["schedule"]
    starts_at, ends_at = (datetime.fromisoformat(schedule[name]) for name in _TIMES)
    benefits.grant_benefit(
        session,
        programme,
        customer_id,
        offer["code"],
        quota=offer["quota"],
        starts_at=starts_at,
        ends_at=ends_at,
        source=SOURCE,
        reference=f"{launch.id}",
        reason=f"campaign {campaign.code}",
    )
