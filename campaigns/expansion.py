"""Expanding a launch: each of the audience once, the control group recorded and left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import clicking, giving
from campaigns.clicking import Link
from campaigns.launching import ORIGIN
from campaigns.queries import Campaign, Launch, read_campaign, read_launch
from campaigns.rules import CONTROL
from loyalty import messages, programmes
from loyalty.messages import NewRequest
from loyalty.programmes import Programme
from loyalty.web import ids

AT_ONCE = 500
SOURCE = "campaigns"
STEP = 1
_TIMES = ("starts_at", "ends_at")

_NEXT = text("""
SELECT customer_id, arm, channel, outcome FROM campaigns.preview_members p
WHERE preview_id = :preview AND customer_id > :after AND NOT EXISTS (
    SELECT FROM campaigns.members m
    WHERE m.launch_id = :launch AND m.customer_id = p.customer_id)
ORDER BY customer_id LIMIT :limit
""")
_ENROL = text("""
INSERT INTO campaigns.members (launch_id, customer_id, arm, channel, refusal)
SELECT :launch, * FROM unnest(CAST(:customers AS bigint[]), CAST(:arms AS text[]),
    CAST(:channels AS text[]), CAST(:refusals AS text[]))
""")


@dataclass(frozen=True, slots=True)
class Expanded:
    """What one chunk did, and where it stopped."""

    people: int
    failed: int
    after: int
    is_over: bool


def advance(session: Session, launch_id: int, after: int) -> Expanded:
    """Enrol the next people behind `after`, give them the offer, and ask for their messages.

    Done again it changes nothing: each person is known by launch and number.
    """
    launch = read_launch(session, launch_id)
    asked = {"preview": launch.preview_id, "launch": launch_id, "after": after, "limit": AT_ONCE}
    people = session.execute(_NEXT, asked).all()
    if not people:
        return Expanded(0, 0, after, is_over=True)
    campaign = read_campaign(session, launch.campaign_id, launch.version)
    programme = programmes.find_programme(session, campaign.programme)
    treated = [one for one in people if one.arm != CONTROL]
    refused = giving.give(session, programme, campaign, launch, [p.customer_id for p in treated])
    session.execute(
        _ENROL,
        {
            "launch": launch_id,
            "customers": [one.customer_id for one in people],
            "arms": [one.arm for one in people],
            "channels": [one.channel for one in people],
            "refusals": [refused.get(one.customer_id) for one in people],
        },
    )
    _ask(session, programme, campaign, launch, treated)
    over = len(people) < AT_ONCE
    return Expanded(len(people), len(refused), people[-1].customer_id, is_over=over)


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
    links = _links(session, campaign, launch, people)
    release = launch.means["release"]
    requests = [
        NewRequest(
            source=SOURCE,
            reference=f"{launch.id}:{one.customer_id}:{STEP}",
            customer_id=one.customer_id,
            template=f"{ids.encode('cmp', campaign.id)}-{one.arm}",
            channel=one.channel,
            filling={**filling, **links.get(one.customer_id, {})},
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


def _links(
    session: Session, campaign: Campaign, launch: Launch, people: Sequence[Any]
) -> dict[int, dict[str, str]]:
    """Return what stands for the campaign's link in each message: named only where they agreed."""
    if not campaign.document.get("link"):
        return {}
    places = {one["name"]: place for place, one in enumerate(campaign.document["variants"])}
    by_channel: dict[str, set[int]] = {}
    for one in people:
        by_channel.setdefault(one.channel, set()).add(one.customer_id)
    named = {
        number
        for channel, members in by_channel.items()
        for number in clicking.observable(session, members, channel)
    }
    return {
        one.customer_id: {
            "link": clicking.address_of(
                Link(
                    launch.id,
                    places[one.arm],
                    one.customer_id if one.customer_id in named else clicking.NOBODY,
                )
            )
        }
        for one in people
    }
