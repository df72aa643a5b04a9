"""Ending: a campaign that was let go is over when its time is, whoever stopped it before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.web import Caller

_END = text("""
UPDATE campaigns.states s SET state = 'ended'
FROM campaigns.launches l JOIN campaigns.versions v USING (campaign_id, version)
WHERE l.campaign_id = s.campaign_id AND s.state IN ('running', 'stopped')
    AND CAST(v.document #>> '{schedule,ends_at}' AS timestamptz) 
        <= coalesce(CAST(:now AS timestamptz), clock_timestamp())
RETURNING s.campaign_id
""")


def end_due(session: Session, caller: Caller, now: datetime | None = None) -> list[int]:
    """End the campaigns whose time is over and return their numbers; each once."""
    ended = sorted(session.scalars(_END, {"now": now}))
    for campaign_id in ended:
        audit.record(session, caller, "campaign.ended", "campaign", campaign_id, {})
    return ended
