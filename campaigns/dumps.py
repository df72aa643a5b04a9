"""Campaigns in the shapes of their schemas."""

from typing import Any

from campaigns.intervals import Interval
from campaigns.previewing import Member, Preview
from campaigns.queries import Campaign, Launch
from campaigns.results import FLAGS, Arm
from loyalty.policy import Pack
from loyalty.web import ids
from loyalty.web.fields import dump_instant


def dump_campaign(campaign: Campaign) -> dict[str, Any]:
    """Return a campaign in the shape of `CampaignSchema`."""
    return {
        "campaign_id": ids.encode("cmp", campaign.id),
        "programme": campaign.programme,
        "code": campaign.code,
        "type": campaign.type,
        "state": campaign.state,
        "version": campaign.version,
        "newest_version": campaign.newest_version,
        "digest": campaign.digest.hex(),
        "document": campaign.document,
        "findings": campaign.findings,
        "is_submittable": not campaign.blocking,
        "pack": campaign.pack,
        "saved_by": ids.encode("stf", campaign.saved_by),
        "saved_at": dump_instant(campaign.saved_at),
    }


def dump_preview(preview: Preview) -> dict[str, Any]:
    """Return a preview in the shape of `PreviewSchema`."""
    finished_at = preview.finished_at
    return {
        "preview_id": ids.encode("cpv", preview.id),
        "campaign_id": ids.encode("cmp", preview.campaign_id),
        "version": preview.version,
        "digest": preview.digest.hex(),
        "pack": preview.pack,
        "as_of": dump_instant(preview.as_of),
        "state": preview.state,
        "total": preview.total,
        "sendable": preview.sendable,
        "control": preview.control,
        "deferred": preview.deferred,
        "excluded": preview.excluded,
        "fired": preview.fired,
        "arms": preview.arms,
        "finished_at": None if finished_at is None else dump_instant(finished_at),
    }


def dump_member(member: Member) -> dict[str, Any]:
    """Return what the gate says of a customer in the shape of `AudienceMemberSchema`."""
    return {
        "customer_id": ids.encode("cus", member.customer_id),
        "outcome": member.outcome,
        "arm": member.arm,
        "channel": member.channel,
        "primary_rule": member.primary_rule,
        "rules": member.rules,
    }


def dump_answer(member: Member, pack: Pack, purpose: str | None) -> dict[str, Any]:
    """Return the same with each reason in the pack's words, shaped as `CampaignAnswerSchema`."""
    told = {"channel": member.channel, "purpose": purpose or ""}
    return {**dump_member(member), "reasons": [pack.say(rule, told) for rule in member.rules]}


def dump_launch(campaign: Campaign, launch: Launch) -> dict[str, Any]:
    """Return a launch in the shape of `LaunchSchema`."""
    return {
        "launch_id": ids.encode("lch", launch.id),
        "campaign_id": ids.encode("cmp", launch.campaign_id),
        "version": launch.version,
        "state": campaign.state,
        "digest": launch.digest.hex(),
        "preview_id": ids.encode("cpv", launch.preview_id),
        "means": launch.means,
        "launched_at": dump_instant(launch.launched_at),
    }


def dump_results(campaign: Campaign, launch: Launch, arms: list[Arm]) -> dict[str, Any]:
    """Return what came of a campaign in the shape of `ResultsSchema`."""
    return {
        "campaign_id": ids.encode("cmp", campaign.id),
        "launch_id": ids.encode("lch", launch.id),
        "state": campaign.state,
        "arms": [
            {
                "arm": arm.name,
                "members": arm.members,
                "counts": arm.counts,
                "buyers": _dump_interval(arm.buyers),
                "effect": _dump_interval(arm.effect),
            }
            for arm in arms
        ],
    }


def dump_row(row: Any) -> dict[str, Any]:
    """Return what is known of a member in the shape of `ResultRowSchema`."""
    return {
        "customer_id": ids.encode("cus", row["customer_id"]),
        "arm": row["arm"],
        "primary_rule": row["primary_rule"],
        "refusal": row["refusal"],
        "holds": [flag for flag in FLAGS if row[flag]],
        "amount": int(row["amount"]),
        "points": int(row["points"]),
        "cost": int(row["cost"]),
    }


def _dump_interval(found: Interval | None) -> dict[str, int] | None:
    """Return shares in parts of a million: the API knows no fractions."""
    if found is None:
        return None
    parts = {"estimate": found.estimate, "low": found.low, "high": found.high}
    return {name: round(value * 1_000_000) for name, value in parts.items()}
