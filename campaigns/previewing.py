"""Previews: what the gate would say of everybody in an audience, kept, and made to add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import judging, rules
from campaigns.audience import audience_of
from campaigns.judging import Case
from campaigns.queries import Campaign, read_campaign
from loyalty import outbox, policy, programmes
from loyalty.settings import settings
from loyalty.web import NotFound, Refused

RUN = "campaigns.preview"
AT_ONCE = 50_000
"""How many numbers of customers one chunk looks at: small in memory, and soon committed."""

_ASK = text("""
INSERT INTO campaigns.previews (campaign_id, version, digest, pack, as_of, asked_by)
VALUES (:campaign, :version, :digest, :pack, clock_timestamp(), :asked_by) RETURNING id
""")
_FIND = text("""
SELECT p.id, p.campaign_id, p.version, p.digest, p.pack, p.as_of, t.total, t.sendable, t.control,
    t.deferred, t.excluded, t.fired, t.arms, t.finished_at,
    coalesce((SELECT r.state FROM loyalty.runs r WHERE r.kind = 'campaigns.preview'
        AND r.arguments ->> 'preview' = CAST(p.id AS text) ORDER BY r.id DESC LIMIT 1), 'done')
        AS state
FROM campaigns.previews p LEFT JOIN campaigns.preview_totals t ON t.preview_id = p.id
WHERE p.id = :id
""")
_NEWEST = text("""
SELECT max(id) FROM campaigns.previews WHERE campaign_id = :campaign AND version = :version
""")
_LAST = text("SELECT coalesce(max(id), 0) FROM loyalty.customers")
# A plan for any range would be one for few rows.
PLAN = text("SET LOCAL plan_cache_mode = force_custom_plan")
_ADD_UP = text("""
WITH counted AS (
    SELECT outcome, arm, primary_rule, count(*) AS people FROM campaigns.preview_members
    WHERE preview_id = :id GROUP BY outcome, arm, primary_rule
), fired AS (
    SELECT rule, count(*) AS people FROM campaigns.preview_members m, unnest(m.rules) AS rule
    WHERE preview_id = :id AND outcome <> 'control' GROUP BY rule
)
INSERT INTO campaigns.preview_totals (preview_id, total, sendable, control, deferred, excluded,
    fired, arms)
SELECT :id, coalesce(sum(people), 0),
    coalesce(sum(people) FILTER (WHERE outcome = 'sendable'), 0),
    coalesce(sum(people) FILTER (WHERE outcome = 'control'), 0),
    coalesce(sum(people) FILTER (WHERE outcome = 'deferred'), 0),
    coalesce((SELECT jsonb_object_agg(primary_rule, people) FROM (
        SELECT primary_rule, sum(people) AS people FROM counted WHERE outcome = 'excluded'
        GROUP BY primary_rule) e), '{}'),
    coalesce((SELECT jsonb_object_agg(rule, people) FROM fired), '{}'),
    coalesce((SELECT jsonb_object_agg(arm, people) FROM (
        SELECT arm, sum(people) AS people FROM counted GROUP BY arm) a), '{}')
FROM counted
""")
_MEMBERS = text("""
SELECT customer_id, outcome, arm, channel, primary_rule, rules FROM campaigns.preview_members
WHERE preview_id = :id AND customer_id > :after
    AND (CAST(:outcome AS text) IS NULL OR outcome = :outcome)
    AND (CAST(:rule AS text) IS NULL OR primary_rule = :rule)
ORDER BY customer_id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview; its numbers are None until everybody was looked at."""

    id: int
    campaign_id: int
    version: int
    digest: bytes
    pack: str
    as_of: datetime
    total: int | None
    sendable: int | None
    control: int | None
    deferred: int | None
    excluded: dict[str, int] | None
    fired: dict[str, int] | None
    arms: dict[str, int] | None
    finished_at: datetime | None
    state: str

    @property
    def counts(self) -> dict[str, Any]:
        """The numbers that whoever approves agrees to."""
        return {
            "total": self.total,
            "sendable": self.sendable,
            "control": self.control,
            "deferred": self.deferred,
            "excluded": self.excluded,
        }


@dataclass(frozen=True, slots=True)
class Member:
    """What the gate would say of one customer."""

    customer_id: int
    outcome: str
    arm: str
    channel: str
    primary_rule: str | None
    rules: list[str]


def start(session: Session, campaign: Campaign, asked_by: int, by: str) -> int:
    """Begin a preview of a campaign's newest version and return its number.

    Raises `Refused` with `campaign-blocked` where it has no audience, words or channels yet.
    """
    refuse_incomplete(campaign)
    preview_id: int = session.execute(
        _ASK,
        {
            "campaign": campaign.id,
            "version": campaign.version,
            "digest": campaign.digest,
            "pack": campaign.pack,
            "asked_by": asked_by,
        },
    ).scalar_one()
    outbox.start_run(session, RUN, {"preview": preview_id}, created_by=by)
    return preview_id


def refuse_incomplete(campaign: Campaign) -> None:
    """Refuse to try what blocks its own submission: nobody could rely on the numbers."""
    if campaign.blocking:
        raise Refused(
            "campaign-blocked",
            errors=[
                {
                    "pointer": f"/document{finding['pointer']}",
                    "code": finding["rule"],
                    "detail": (finding["detail"]["zh"], finding["detail"]["en"]),
                }
                for finding in campaign.blocking
            ],
        )


def case_of(
    session: Session, campaign: Campaign, as_of: datetime, version: str | None = None
) -> Case:
    """Return what is asked of everybody, for a campaign that would go out now or when it begins.

    It is judged by the pack of that version, else by the one in force.
    Raises `Refused` with `no-policy-pack`.
    """
    programme = programmes.find_programme(session, campaign.programme)
    document: Mapping[str, Any] = campaign.document
    starts_at = datetime.fromisoformat(document["schedule"]["starts_at"])
    hours = document.get("quiet_hours")
    return Case(
        audience=audience_of(session, programme, document["audience"], as_of),
        salt=campaign.salt,
        control=document["control_parts"],
        arms=[rules.Arm(one["name"], one["weight"]) for one in document["variants"]],
        channels=document["channels"],
        purpose=document["purpose"],
        sells=campaign.is_marketing,
        at=max(as_of, starts_at),
        pack=find_pack(session, version),
        facts=document["facts"],
        quiet=None if hours is None else rules.hours_of(hours),
        caps=document.get("caps", {}),
    )


def find_pack(session: Session, version: str | None = None) -> policy.Pack:
    """Return the policy pack of a version, else the one in force.

    Raises `Refused` with `no-policy-pack`.
    """
    try:
        if version is None:
            return policy.pack_in_force(session, settings().keys)
        return policy.find_pack(session, settings().keys, version)
    except policy.NoPack:
        raise Refused("no-policy-pack") from None


def ask_one(session: Session, campaign: Campaign, customer_id: int) -> Member | None:
    """Return what the gate would say of one customer now; None for who is not in the audience."""
    now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    found = judging.judge_one(session, case_of(session, campaign, now), customer_id)
    return None if found is None else Member(**found)


def advance(session: Session, preview_id: int, after: int) -> tuple[int, int, bool]:
    """Look at the next numbers behind `after`; return how many people, where it is, if it ended."""
    preview = read_preview(session, preview_id)
    campaign = read_campaign(session, preview.campaign_id, preview.version)
    last: int = session.execute(_LAST).scalar_one()
    until = min(after + AT_ONCE, last)
    session.execute(PLAN)
    case = case_of(session, campaign, preview.as_of, preview.pack)
    written = judging.judge(session, case, preview_id, after, until) if until > after else 0
    if until < last:
        return written, until, False
    session.execute(_ADD_UP, {"id": preview_id})
    return written, until, True


def read_preview(session: Session, preview_id: int) -> Preview:
    """Return a preview. Raises `NotFound`."""
    row = session.execute(_FIND, {"id": preview_id}).one_or_none()
    if row is None:
        raise NotFound
    return Preview(*row)


def newest_preview(session: Session, campaign: Campaign) -> Preview | None:
    """Return the newest preview of a campaign in this version, or None."""
    asked = {"campaign": campaign.id, "version": campaign.version}
    number: int | None = session.execute(_NEWEST, asked).scalar_one()
    return None if number is None else read_preview(session, number)


def list_members(
    session: Session,
    preview_id: int,
    *,
    after: int,
    limit: int,
    outcome: str | None,
    rule: str | None,
) -> list[Member]:
    """Return up to `limit` people of a preview behind the number `after`."""
    asked = {"id": preview_id, "after": after, "limit": limit, "outcome": outcome, "rule": rule}
    return [Member(*row) for row in session.execute(_MEMBERS, asked)]


def digest_bundle(campaign: Campaign, preview: Preview) -> bytes:
    """Return the hash of what is approved: content, audience, schedule, budget, rules, numbers."""
    return rules.digest_bundle(
        campaign.digest.hex(), str(preview.id), preview.counts, campaign.pack
    )
