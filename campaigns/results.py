"""Results: what came of a campaign, by arm and against the control group, each number from rows.

One statement says what is known of each member; every number counts rows of it, and the rows
behind a number are the same statement filtered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import intervals
from campaigns.expansion import SOURCE, STEP
from campaigns.intervals import Interval
from campaigns.queries import Campaign, Launch
from campaigns.rules import CONTROL
from loyalty import programmes

# `comparable`: nothing but chance kept this member from a message, or brought them one. Only
# such members of an arm may be compared with such members of the control group.
_MEMBERS = """
SELECT m.customer_id, m.arm, p.primary_rule, m.refusal, m.refusal IS NOT NULL AS unserved,
    cardinality(p.rules) = 0 AS comparable,
    p.outcome = 'excluded' AS excluded, r.id IS NOT NULL AS requested,
    coalesce(d.verdict = 'ALLOW', false) AS allowed,
    coalesce(d.verdict = 'DENY', false) AS denied,
    a.id IS NOT NULL AS sent, coalesce(e.delivered, false) AS delivered,
    k.id IS NOT NULL AS clicked, i.message_id IS NOT NULL AS opened, o.id IS NOT NULL AS opted_out,
    c.id IS NOT NULL AS coupon, coalesce(c.remaining < c.worth, false) AS redeemed,
    coalesce(c.worth - c.remaining, 0) AS cost,
    coalesce(b.purchases, 0) > 0 AS bought, coalesce(b.amount, 0) AS amount,
    coalesce(b.points, 0) AS points
FROM campaigns.members m
JOIN campaigns.preview_members p
    ON p.preview_id = :preview AND p.customer_id = m.customer_id
LEFT JOIN loyalty.send_requests r ON r.source = :source
    AND r.reference = m.launch_id || ':' || m.customer_id || ':' || :step
LEFT JOIN LATERAL (
    SELECT verdict FROM loyalty.decisions WHERE request_id = r.id ORDER BY id DESC LIMIT 1
) d ON true
LEFT JOIN loyalty.send_attempts a ON a.request_id = r.id
LEFT JOIN LATERAL (
    SELECT bool_or(kind IN ('accepted', 'delivered'))
        AND NOT bool_or(kind IN ('bounced', 'undelivered', 'refused')) AS delivered
    FROM loyalty.delivery_events WHERE attempt_id = a.id
) e ON true
LEFT JOIN loyalty.inbox_messages n ON n.attempt_id = a.id
LEFT JOIN loyalty.inbox_reads i ON i.message_id = n.id
LEFT JOIN loyalty.optout_events o ON o.attempt_id = a.id
LEFT JOIN campaigns.clicks k ON k.launch_id = m.launch_id AND k.customer_id = m.customer_id
LEFT JOIN loyalty.coupons c ON c.series_id = :series AND c.source = :coupon_source
    AND c.reference = m.launch_id || ':' || m.customer_id
LEFT JOIN LATERAL (
    SELECT count(*) AS purchases, sum(u.amount) AS amount,
        sum((SELECT sum((f ->> 'points')::bigint) FROM jsonb_array_elements(w.results) f
            WHERE f ->> 'rule' = :rule)) AS points
    FROM loyalty.purchases u LEFT JOIN loyalty.awards w ON w.purchase_id = u.id
    WHERE u.customer_id = m.customer_id AND u.programme_id = :programme
        AND u.purchased_at >= CAST(:since AS timestamptz)
        AND u.purchased_at < CAST(:until AS timestamptz)
) b ON true
WHERE m.launch_id = :launch
"""
ROWS_AT_ONCE = 5_000
FLAGS = (
    *("comparable", "excluded", "requested", "allowed", "denied", "sent", "delivered"),
    *("opened", "clicked", "opted_out", "coupon", "unserved", "redeemed", "bought"),
)
SUMS = ("amount", "points", "cost")
_COUNTS = ", ".join(f"count(*) FILTER (WHERE {flag}) AS {flag}" for flag in FLAGS)
_BY_ARM = text(f"""
SELECT arm, count(*) AS members, {_COUNTS},
    {", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in SUMS)},
    count(*) FILTER (WHERE comparable AND bought) AS comparable_bought
FROM ({_MEMBERS}) m GROUP BY arm ORDER BY arm
""")  # noqa: S608 - constants of this module
_COUNTS_ME = {**{flag: flag for flag in FLAGS}, **{name: f"{name} <> 0" for name in SUMS}}
_ROWS = f"""
SELECT * FROM ({_MEMBERS}) m WHERE customer_id > :after
    AND (CAST(:arm AS text) IS NULL OR arm = :arm) AND ({{flag}})
ORDER BY customer_id LIMIT :limit
"""  # noqa: S608 - constants of this module


# Of those who did not agree to be looked at: how many there were, and no rows behind it.
_OF_NOBODY = text("""
SELECT arm, count(*) AS clicks FROM campaigns.clicks
WHERE launch_id = :launch AND customer_id IS NULL GROUP BY arm
""")
CLICKS_OF_NOBODY = "anonymous_clicks"


@dataclass(frozen=True, slots=True)
class Arm:
    """What came of one arm. `effect` is its share of buyers less the control group's.

    `anonymous_clicks` alone has no rows behind it: nobody agreed to be looked at.
    """

    name: str
    members: int
    counts: dict[str, int]
    buyers: Interval | None
    effect: Interval | None


def read_results(session: Session, campaign: Campaign, launch: Launch) -> list[Arm]:
    """Return what came of each arm; the control group is one of them."""
    rows = session.execute(_BY_ARM, _asked(session, campaign, launch)).mappings().all()
    base = next((row for row in rows if row["arm"] == CONTROL), None)
    found = session.execute(_OF_NOBODY, {"launch": launch.id})
    of_nobody: dict[str, int] = {row.arm: row.clicks for row in found}
    return [_arm(row, base, of_nobody.get(row["arm"], 0)) for row in rows]


def list_rows(
    session: Session,
    campaign: Campaign,
    launch: Launch,
    *,
    arm: str | None,
    flag: str | None,
    after: int,
    limit: int,
) -> Sequence[Any]:
    """Return the members behind a number: of an arm, those whom a flag or sum counts."""
    condition = "true" if flag is None else _COUNTS_ME[flag]
    asked = {"arm": arm, "after": after, "limit": limit, **_asked(session, campaign, launch)}
    return session.execute(text(_ROWS.format(flag=condition)), asked).mappings().all()


def _asked(session: Session, campaign: Campaign, launch: Launch) -> dict[str, Any]:
    programme = programmes.find_programme(session, campaign.programme)
    offer = campaign.document.get("offer") or {}
    series = session.execute(
        text("SELECT id FROM loyalty.coupon_series WHERE programme_id = :p AND code = :code"),
        {"p": programme.id, "code": offer.get("coupon", {}).get("series", "")},
    ).scalar_one_or_none()
    return {
        "launch": launch.id,
        "preview": launch.preview_id,
        "source": SOURCE,
        "step": str(STEP),
        "series": series or 0,
        "coupon_source": f"campaign:{campaign.id}",
        "programme": programme.id,
        "rule": f"campaign-{campaign.code}"[:60],
        "since": campaign.document["schedule"]["starts_at"],
        "until": campaign.document["schedule"]["ends_at"],
    }


def _arm(row: Any, base: Any, clicks: int) -> Arm:
    hits, of = row["comparable_bought"], row["comparable"]
    is_base = base is None or row["arm"] == CONTROL
    return Arm(
        name=row["arm"],
        members=row["members"],
        counts={**{name: int(row[name]) for name in (*FLAGS, *SUMS)}, CLICKS_OF_NOBODY: clicks},
        buyers=intervals.share(hits, of),
        effect=None
        if is_base
        else intervals.difference(hits, of, base["comparable_bought"], base["comparable"]),
    )


def every_row(session: Session, campaign: Campaign, launch: Launch) -> Iterator[Any]:
    """Yield what is known of each member, by number; memory stays flat."""
    after = 0
    while True:
        found = list_rows(
            session, campaign, launch, arm=None, flag=None, after=after, limit=ROWS_AT_ONCE
        )
        yield from found
        if len(found) < ROWS_AT_ONCE:
            return
        after = found[-1]["customer_id"]
