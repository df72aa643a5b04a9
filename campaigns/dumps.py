"""Campaigns in the shapes of their schemas."""

from typing import Any

from campaigns.queries import Campaign
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
