"""Reading campaigns: each in a version, with where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.web import NotFound

_SELECT = """
SELECT c.id, p.code AS programme, c.code, c.type, c.salt, s.state, s.version AS newest_version,
    v.version, v.digest, v.document, v.findings, v.pack, v.saved_by, v.saved_at
FROM campaigns.campaigns c JOIN loyalty.programmes p ON p.id = c.programme_id
JOIN campaigns.states s ON s.campaign_id = c.id
JOIN campaigns.versions v ON v.campaign_id = c.id
"""
_ONE = text(f"{_SELECT} WHERE c.id = :id AND v.version = coalesce(:version, s.version)")
_LIST = text(
    f"""{_SELECT}
    WHERE v.version = s.version AND c.id < :before
        AND (CAST(:state AS text) IS NULL OR s.state = :state)
    ORDER BY c.id DESC LIMIT :limit"""
)
_LAUNCH = text("""
SELECT id, campaign_id, version, digest, preview_id, means, launched_by, launched_at
FROM campaigns.launches WHERE id = :id
""")
_LAUNCH_OF = text("SELECT id FROM campaigns.launches WHERE campaign_id = :campaign")


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign in one version; `digest` covers all of the document."""

    id: int
    programme: str
    code: str
    type: str
    salt: bytes
    state: str
    newest_version: int
    version: int
    digest: bytes
    document: dict[str, Any]
    findings: list[dict[str, Any]]
    pack: str
    saved_by: int
    saved_at: datetime

    @property
    def blocking(self) -> list[dict[str, Any]]:
        """What keeps this version from being submitted."""
        return [finding for finding in self.findings if finding["severity"] == "block"]

    @property
    def is_marketing(self) -> bool:
        """Whether it sells; a service notice does not."""
        return self.type != "service"


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


def read_campaign(session: Session, campaign_id: int, version: int | None = None) -> Campaign:
    """Return a campaign in its newest version, or in `version`. Raises `NotFound`."""
    row = session.execute(_ONE, {"id": campaign_id, "version": version}).one_or_none()
    if row is None:
        raise NotFound
    return Campaign(*row)


def list_campaigns(
    session: Session, *, before: int | None, limit: int, state: str | None = None
) -> list[Campaign]:
    """Return up to `limit` campaigns below the number `before`, newest first."""
    asked = {"before": before or 2**62, "limit": limit, "state": state}
    return [Campaign(*row) for row in session.execute(_LIST, asked)]


def read_launch(session: Session, launch_id: int) -> Launch:
    """Return a launch. Raises `NotFound`."""
    row = session.execute(_LAUNCH, {"id": launch_id}).one_or_none()
    if row is None:
        raise NotFound
    return Launch(*row)


def find_launch(session: Session, campaign_id: int) -> Launch | None:
    """Return the launch of a campaign, or None where it was not launched."""
    found = session.execute(_LAUNCH_OF, {"campaign": campaign_id}).scalar_one_or_none()
    return None if found is None else read_launch(session, found)
