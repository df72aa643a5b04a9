"""Trying a rule on purchases that were made: what it would have given to whom. Nothing is written.

The rule is judged as earning does it, purchase by purchase in the order of time. What differs:
tiers and birthdays are those of today, caps begin at the beginning of the days that are looked
at, a multiplier builds on what other rules gave at the time, and refunds are left aside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import policy, tiers
from loyalty.points import facts, rules
from loyalty.programmes import Programme

MOST_PURCHASES = 100_000
AT_ONCE = 5_000
UNMET = ("criteria", policy.DEPOSIT_REFUSAL)

HISTORY = text("""
SELECT p.id, p.customer_id, p.purchased_at, p.amount, p.category, p.outlet, p.channel,
    s.others, s.same
FROM (
    SELECT * FROM loyalty.purchases
    WHERE programme_id = :programme AND purchased_at >= :since
    ORDER BY purchased_at DESC, id DESC LIMIT :most
) p
JOIN loyalty.awards a ON a.purchase_id = p.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum((r->>'points')::bigint) FILTER (
            WHERE r->>'rule' <> :code AND NOT coalesce(r->'steps'->0 ? 'times', false)
        ), 0)::bigint AS others,
        coalesce(sum((r->>'points')::bigint) FILTER (WHERE r->>'rule' = :code), 0)::bigint AS same
    FROM jsonb_array_elements(a.results) r
) s
ORDER BY p.customer_id, p.purchased_at, p.id
""").execution_options(yield_per=AT_ONCE)

FIRSTS = text("""
SELECT (
    SELECT p.id FROM loyalty.purchases p
    WHERE p.programme_id = :programme AND p.customer_id = c
    ORDER BY p.purchased_at, p.id LIMIT 1
) FROM unnest(CAST(:customers AS bigint[])) AS c
""")


@dataclass(slots=True)
class Share:
    """What a rule would have given to purchases of one tier, or to all."""

    purchases: int = 0
    matching: int = 0
    points: int = 0
    customers: int = 0


@dataclass(slots=True)
class Trial:
    """What a rule would have given since an instant.

    `given` is what earlier versions of the same rule gave to the same purchases; `most` is the
    most that one customer would have got. Not `complete`: only the latest were looked at.
    """

    since: datetime
    complete: bool = True
    whole: Share = field(default_factory=Share)
    given: int = 0
    most: int = 0
    by_tier: dict[str, Share] = field(default_factory=dict)


def try_rule(
    session: Session,
    programme: Programme,
    rule: rules.Rule,
    *,
    days: int,
    most_purchases: int = MOST_PURCHASES,
) -> Trial:
    """Return what `rule` would have given to the purchases of the last `days` days."""
    trial = Trial(datetime.now(UTC) - timedelta(days=days))
    history = session.execute(
        HISTORY,
        {
            "programme": programme.id,
            "since": trial.since,
            "most": most_purchases,
            "code": rule.code,
        },
    )
    tally = _Tally(trial, rule, programme.zone)
    for purchases in history.partitions():
        people = {purchase.customer_id for purchase in purchases}
        tier_of = tiers.current(session, programme, people)
        birthdays = facts.read_birthdays(session, people, rule.fields)
        firsts = _read_firsts(session, programme, people) if facts.FIRST in rule.fields else set()
        for purchase in purchases:
            customer = purchase.customer_id
            asked = facts.gather(
                purchase,
                programme.zone,
                first=purchase.id in firsts,
                tier=tier_of[customer],
                birthday=birthdays.get(customer),
            )
            tally.add(purchase, asked)
    trial.complete = trial.whole.purchases < most_purchases
    return trial


def _read_firsts(session: Session, programme: Programme, people: set[int]) -> set[int]:
    """Return the ids of these customers' first purchases."""
    rows = session.execute(FIRSTS, {"programme": programme.id, "customers": list(people)})
    return set(rows.scalars())


class _Tally:
    """Adds up purchases that come customer by customer, in the order of time."""

    def __init__(self, trial: Trial, rule: rules.Rule, zone: ZoneInfo) -> None:
        self.trial = trial
        self.rule = rule
        self.zone = zone
        self.customer = 0
        self.usage: rules.Usage = {}
        self.got = 0

    def add(self, purchase: Any, asked: dict[str, Any]) -> None:
        """Count one purchase, of which the rule may ask what `asked` holds."""
        if purchase.customer_id != self.customer:
            self.customer, self.usage, self.got = purchase.customer_id, {}, 0
        result = self._assess(purchase, asked)
        for share in (self.trial.whole, self.trial.by_tier.setdefault(asked[facts.TIER], Share())):
            share.purchases += 1
            share.matching += result.code not in UNMET
            share.points += result.points
            share.customers += bool(result.points) and not self.got
        self.got += result.points
        self.trial.given += purchase.same
        self.trial.most = max(self.trial.most, self.got)

    def _assess(self, purchase: Any, asked: dict[str, Any]) -> rules.Result:
        applied = [self.rule]
        if self.rule.gives == "multiplier":
            # One rule stands for all that the others gave, for the multiplier to build on.
            applied.insert(0, rules.Rule("", 0, "fixed", points=purchase.others))
        return rules.assess(
            applied, asked, self.usage, purchased_at=purchase.purchased_at, zone=self.zone
        )[-1]
