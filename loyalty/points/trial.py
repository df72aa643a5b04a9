"""Trying a rule on purchases that were made: who would have got more or less. Nothing is written.

The rule is judged as earning does it, purchase by purchase in the order of time, with the tier
that the customer had when they bought; then the refunds of the purchase take back what they would
have taken. Beside it stands what earlier versions of the same rule gave, after the same refunds.
What differs from earning: birthdays are as they are known today, caps begin at the beginning of
the days that are looked at, and a multiplier builds on what other rules gave at the time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import policy, tiers
from loyalty.points import facts, refunds, rules
from loyalty.programmes import Programme

MOST_PURCHASES = 100_000
AT_ONCE = 5_000
UNMET = ("criteria", policy.DEPOSIT_REFUSAL)

# Whoever bought before they were a member had no tier; they are judged as earning did, when the
# purchase came in.
HISTORY = text("""
SELECT p.id, p.customer_id, p.purchased_at, p.amount, p.category, p.outlet, p.channel, a.results,
    CASE WHEN p.purchased_at < m.joined_at THEN p.recorded_at ELSE p.purchased_at END AS ranked_at
FROM (
    SELECT * FROM loyalty.purchases
    WHERE programme_id = :programme AND purchased_at >= :since
    ORDER BY purchased_at DESC, id DESC LIMIT :most
) p
JOIN loyalty.awards a ON a.purchase_id = p.id
JOIN loyalty.memberships m ON m.customer_id = p.customer_id AND m.programme_id = :programme
ORDER BY p.customer_id, p.purchased_at, p.id
""").execution_options(yield_per=AT_ONCE)

REFUNDS = text("""
SELECT purchase_id, amount, results FROM loyalty.refunds
WHERE purchase_id = ANY(CAST(:purchases AS bigint[])) ORDER BY purchase_id, id
""")

FIRSTS = text("""
SELECT (
    SELECT p.id FROM loyalty.purchases p
    WHERE p.programme_id = :programme AND p.customer_id = c
    ORDER BY p.purchased_at, p.id LIMIT 1
) FROM unnest(CAST(:customers AS bigint[])) AS c
""")


@dataclass(slots=True)
class Share:
    """What a rule would have given to purchases of one tier, or to all.

    `given` is what earlier versions of the same rule gave to the same purchases. `customers`
    would have got something; `gaining` are those who would have got more than was given,
    `gained` points in all, and `losing` those who would have got less.
    """

    purchases: int = 0
    matching: int = 0
    points: int = 0
    given: int = 0
    customers: int = 0
    gaining: int = 0
    gained: int = 0
    losing: int = 0
    lost: int = 0

    def add_customer(self, points: int, given: int) -> None:
        """Count one customer, who would have got `points` and was given `given`."""
        self.points += points
        self.given += given
        self.customers += points > 0
        self.gaining += points > given
        self.gained += max(0, points - given)
        self.losing += points < given
        self.lost += max(0, given - points)


@dataclass(slots=True)
class Trial:
    """What a rule would have given since an instant.

    `most` is the most that one customer would have got. A customer who rose or fell meanwhile
    counts in each tier for what they bought in it. Not `complete`: only the latest purchases
    were looked at.
    """

    since: datetime
    complete: bool = True
    whole: Share = field(default_factory=Share)
    most: int = 0
    by_tier: dict[str, Share] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A purchase, what the rule may ask about it, and what was given back of it."""

    purchase: Any
    facts: dict[str, Any]
    refunds: Sequence[Any]

    @property
    def left(self) -> int:
        """The money that remains of the purchase."""
        refunded: int = sum(refund.amount for refund in self.refunds)
        return int(self.purchase.amount) - refunded


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
    asked = _ask(session, programme, rule, trial.since, most_purchases)
    for _, purchases in groupby(asked, lambda one: one.purchase.customer_id):
        _add_customer(trial, rule, programme.zone, purchases)
    trial.complete = trial.whole.purchases < most_purchases
    return trial


def _ask(
    session: Session, programme: Programme, rule: rules.Rule, since: datetime, most: int
) -> Iterator[_Asked]:
    """Yield the purchases customer by customer, in the order of time."""
    history = session.execute(HISTORY, {"programme": programme.id, "since": since, "most": most})
    for purchases in history.partitions():
        people = {purchase.customer_id for purchase in purchases}
        moments = [(purchase.customer_id, purchase.ranked_at) for purchase in purchases]
        ranks = tiers.tiers_at(session, programme, moments)
        birthdays = facts.read_birthdays(session, people, rule.fields)
        firsts = _read_firsts(session, programme, people) if facts.FIRST in rule.fields else set()
        given_back = _read_refunds(session, [purchase.id for purchase in purchases])
        for purchase, tier in zip(purchases, ranks, strict=True):
            known = facts.gather(
                purchase,
                programme.zone,
                first=purchase.id in firsts,
                tier=tier,
                birthday=birthdays.get(purchase.customer_id),
            )
            yield _Asked(purchase, known, given_back.get(purchase.id, ()))


def _read_firsts(session: Session, programme: Programme, people: Collection[int]) -> set[int]:
    """Return the ids of these customers' first purchases."""
    rows = session.execute(FIRSTS, {"programme": programme.id, "customers": list(people)})
    return set(rows.scalars())


def _read_refunds(session: Session, purchases: list[int]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in session.execute(REFUNDS, {"purchases": purchases}):
        found.setdefault(row.purchase_id, []).append(row)
    return found


def _add_customer(
    trial: Trial, rule: rules.Rule, zone: ZoneInfo, purchases: Iterator[_Asked]
) -> None:
    """Count all purchases of one customer."""
    usage: rules.Usage = {}
    sums: dict[str, tuple[int, int]] = {}
    for asked in purchases:
        tier = asked.facts[facts.TIER]
        matches, points = _assess(rule, asked, usage, zone)
        given = refunds.net(asked.purchase.results, asked.refunds).get(rule.code, (0, 0))[0]
        before = sums.get(tier, (0, 0))
        sums[tier] = before[0] + points, before[1] + given
        for share in (trial.whole, trial.by_tier.setdefault(tier, Share())):
            share.purchases += 1
            share.matching += matches
    for tier, (points, given) in sums.items():
        trial.by_tier[tier].add_customer(points, given)
    got = sum(points for points, _ in sums.values())
    trial.whole.add_customer(got, sum(given for _, given in sums.values()))
    trial.most = max(trial.most, got)


def _assess(
    rule: rules.Rule, asked: _Asked, usage: rules.Usage, zone: ZoneInfo
) -> tuple[bool, int]:
    """Return whether the rule is for this purchase, and the points that would be left of it."""
    used = dict(usage)  # a refund is judged by what was used before its purchase
    others = {result["rule"]: (result["points"], 0) for result in asked.purchase.results}
    result = _give(rule, asked, asked.purchase.amount, others, usage, zone)
    matches = result.code not in UNMET
    if not asked.refunds or not result.points:
        return matches, result.points
    if asked.left == 0:
        return matches, 0
    kept = refunds.net(asked.purchase.results, asked.refunds)
    again = _give(rule, asked, asked.left, kept, used, zone)
    return matches, min(result.points, again.points)


def _give(
    rule: rules.Rule,
    asked: _Asked,
    amount: int,
    others: dict[str, tuple[int, int]],
    usage: rules.Usage,
    zone: ZoneInfo,
) -> rules.Result:
    applied = [rule]
    if rule.gives == "multiplier":
        # One rule stands for all that the others gave, for the multiplier to build on.
        base = sum(
            others[result["rule"]][0]
            for result in asked.purchase.results
            if result["rule"] != rule.code and not _is_multiplied(result)
        )
        applied.insert(0, rules.Rule("", 0, "fixed", points=base))
    known = {**asked.facts, "purchase.amount": amount}
    bought_at = asked.purchase.purchased_at
    return rules.assess(applied, known, usage, purchased_at=bought_at, zone=zone)[-1]


def _is_multiplied(result: dict[str, Any]) -> bool:
    return bool(result["steps"]) and "times" in result["steps"][0]
