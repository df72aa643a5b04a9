"""Approval: others agree to exactly one version, its preview and policy pack, or to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import linting, previewing, rules
from campaigns.previewing import Preview
from campaigns.queries import Campaign, read_campaign
from loyalty import proposals
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, Refused, ids

_NOW = text("SELECT clock_timestamp()")
_WRITE = text("""
WITH written AS (
    INSERT INTO campaigns.approvals (campaign_id, version, digest, bundle, preview_id, proposal_id,
        pack, approved_at, expires_at)
    VALUES (:campaign, :version, :digest, :bundle, :preview, :proposal, :pack, :now, :until)
    RETURNING id
)
UPDATE campaigns.states SET state = 'approved' FROM written
WHERE campaign_id = :campaign RETURNING written.id
""")
_BEFORE = text("""
SELECT max(version) FROM campaigns.approvals WHERE campaign_id = :campaign AND version < :version
""")
_FIND = text("""
SELECT a.id, a.campaign_id, a.version, a.digest, a.bundle, a.preview_id, a.proposal_id, a.pack,
    a.approved_at, a.expires_at
FROM campaigns.approvals a
WHERE a.campaign_id = :campaign AND a.version = :version AND a.digest = :digest
ORDER BY a.id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Approval:
    """What every seat agreed to, and until when it holds."""

    id: int
    campaign_id: int
    version: int
    digest: bytes
    bundle: bytes
    preview_id: int
    proposal_id: int
    pack: str
    approved_at: datetime
    expires_at: datetime


def submit(session: Session, caller: Caller, campaign: Campaign, preview_id: int) -> Proposal:
    """Put a version before those who approve, with what its preview came to.

    Raises `Refused` with `campaign-launched`, `campaign-blocked`, `preview-needed` or
    `nobody-to-reach`.
    """
    if campaign.state in ("running", "stopped", "ended"):
        raise Refused("campaign-launched")
    previewing.refuse_incomplete(campaign)
    preview = check_preview(session, campaign, preview_id)
    if not preview.sendable and not preview.deferred:
        raise Refused("nobody-to-reach")
    content = {
        "code": campaign.code,
        "type": campaign.type,
        "version": campaign.version,
        "digest": campaign.digest.hex(),
        "preview": preview.id,
        "counts": preview.counts,
        "pack": campaign.pack,
        "schedule": campaign.document["schedule"],
        "budget": campaign.document.get("budget"),
        "bundle": previewing.digest_bundle(campaign, preview).hex(),
    }
    kind = PUBLIC if campaign.document["is_public"] else INTERNAL
    return proposals.propose(session, caller, kind, "campaign", campaign.id, content)


def check_preview(session: Session, campaign: Campaign, preview_id: int) -> Preview:
    """Return a preview that may be relied on. Raises `Refused` with `preview-needed`."""
    preview = previewing.read_preview(session, preview_id)
    now: datetime = session.execute(_NOW).scalar_one()
    fits = (preview.campaign_id, preview.digest) == (campaign.id, campaign.digest)
    is_fresh = preview.finished_at is not None and rules.is_fresh(preview.as_of, now)
    if not fits or not is_fresh or preview.pack != linting.pack_in_force(session):
        raise Refused("preview-needed")
    return preview


def approval_in_force(session: Session, campaign: Campaign) -> Approval:
    """Return what allows a version to go out now. Raises `Refused` with `approval-needed`."""
    row = session.execute(
        _FIND,
        {"campaign": campaign.id, "version": campaign.version, "digest": campaign.digest},
    ).one_or_none()
    now: datetime = session.execute(_NOW).scalar_one()
    if row is None or row.expires_at <= now or row.pack != linting.pack_in_force(session):
        raise Refused("approval-needed")
    return Approval(*row)


def approved_before(session: Session, campaign: Campaign) -> Campaign | None:
    """Return the version before this one that was approved last, or None."""
    asked = {"campaign": campaign.id, "version": campaign.version}
    version: int | None = session.execute(_BEFORE, asked).scalar_one()
    return None if version is None else read_campaign(session, campaign.id, version)


def _look(session: Session, subject: str, _: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an edit would move: so any edit makes a proposal stale."""
    campaign = read_campaign(session, ids.decode("cmp", subject))
    return {"version": campaign.newest_version, "digest": campaign.digest.hex()}


def _apply(session: Session, _: Caller, proposal: Proposal) -> dict[str, Any]:
    campaign = read_campaign(session, ids.decode("cmp", proposal.subject_id))
    preview = check_preview(session, campaign, proposal.content["preview"])
    bundle = previewing.digest_bundle(campaign, preview)
    if bundle.hex() != proposal.content["bundle"]:
        raise Refused("preview-needed")
    now: datetime = session.execute(_NOW).scalar_one()
    until = now + rules.APPROVAL_LIFE
    approval: int = session.execute(
        _WRITE,
        {
            "campaign": campaign.id,
            "version": campaign.version,
            "digest": campaign.digest,
            "bundle": bundle,
            "preview": preview.id,
            "proposal": proposal.id,
            "pack": campaign.pack,
            "now": now,
            "until": until,
        },
    ).scalar_one()
    return {"approval": approval, "expires_at": until.isoformat()}


_MAKERS = frozenset({"marketing_maker"})
_SEATS = (
    Seat.of("business", "marketing_checker"),
    Seat.of("consumer-protection", "consumer_protection"),
)
INTERNAL = proposals.register(
    Kind(
        name="campaign.launch",
        title=Bilingual("批准营销活动", "Approve a campaign"),
        makers=_MAKERS,
        seats=_SEATS,
        apply=_apply,
        look=_look,
    )
)
PUBLIC = proposals.register(
    Kind(
        name="campaign.launch-public",
        title=Bilingual("批准对外宣传的营销活动", "Approve a campaign with public text"),
        makers=_MAKERS,
        seats=(*_SEATS, Seat.of("publicity", "publicity")),
        apply=_apply,
        look=_look,
    )
)
