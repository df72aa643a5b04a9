"""Earning rules, decided: facts and rules in, points and reasons out. No I/O.

A rule's document, as JSON:

    {"gives": "per_amount", "points": 1, "per": 100, "rounding": "floor"}
    {"gives": "fixed", "points": 50}
    {"gives": "multiplier", "times": [3, 2]}
    {"gives": "nothing"}

The last ends a rule: from its date on there is none of that name. Beside the others, each optional:
`when` (criteria), `status` (whether status points come along, true unless said otherwise), `caps`
({"purchase": n, "day": n, "month": n, "year": n} for each customer), `pending` (see `Rule`),
`expiry` ({"months": n, "round": "month" or "year"}, {"years": n} for the end of the n-th calendar
year after, or absent: never), `names` ({"zh", "en"}), `budget` ({"wallet": its account, "used":
the account to which an award moves as many of its units as it gives points; it gives what is left).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import ledger
from loyalty.policy import DEPOSIT_CATEGORIES, DEPOSIT_REFUSAL

CAPS = ("purchase", "day", "month", "year")
NOTHING = "nothing"
GIVES = ("per_amount", "fixed", "multiplier", NOTHING)
PURCHASE, CUSTOMER = "purchase", "customer"  # what an event that points wait for is about
LAPSE, AVAILABLE = "lapse", "available"  # what becomes of points whose event never came


class Budget(NamedTuple):
    """A wallet that awards use up, and the account that what they used moves to."""

    wallet: int
    used: int


@dataclass(frozen=True, slots=True)
class Rule:
    """An earning rule in force, ready to be applied.

    `points` per `per` minor units, or `points` fixed, or `times` (numerator, denominator) for a
    multiplier. `judge` says whether its criteria hold. Caps are in points for each customer.
    `pending` says when points become usable: after {"days": n}, or once {"event": name, "about":
    "purchase" or "customer"} is confirmed; such points lapse or become usable by themselves after
    {"days": n, "then": "lapse" or "available"}, where it says so.
    """

    code: str
    version: int
    gives: str
    points: int = 0
    per: int = 1
    rounding: str = "floor"
    times: tuple[int, int] = (1, 1)
    status: bool = True
    caps: Mapping[str, int] = field(default_factory=dict)
    pending: Mapping[str, Any] = field(default_factory=dict)
    expiry: Mapping[str, Any] | None = None
    terms: bytes = b""
    fields: frozenset[str] = frozenset()
    judge: Callable[[Mapping[str, Any]], bool] | None = None
    budget: Budget | None = None

    def awaits(self, confirmed: Collection[str]) -> bool:
        """Return whether its points wait for an event, where these are known of the customer."""
        if "event" not in self.pending:
            return False
        return self.pending["about"] == PURCHASE or self.pending["event"] not in confirmed


@dataclass(frozen=True, slots=True)
class Awaited:
    """The event that points wait for, what it is about, and when they lapse once it came."""

    event: str
    about: str
    expires_at: datetime


@dataclass(slots=True)
class Result:
    """What one rule gave a purchase, with the arithmetic, or the code of why it gave nothing.

    `awaited` is what its points wait for, `budget` what pays for them.
    """

    rule: str
    version: int
    points: int
    status: int
    code: str
    steps: list[dict[str, Any]]
    terms: ledger.Terms | None = None
    awaited: Awaited | None = None
    budget: Budget | None = None

    def dump(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            "rule": self.rule,
            "version": self.version,
            "points": self.points,
            "status": self.status,
            "code": self.code,
            "steps": self.steps,
        }


Usage = dict[tuple[str, str], int]
"""Points that a rule has given a customer in a period, by (rule code, period)."""
Budgets = dict[int, int]
"""What budgets have left, by wallet; one that is not named here is not looked at."""


def assess(
    rules: Sequence[Rule],
    facts: Mapping[str, Any],
    usage: Usage,
    *,
    purchased_at: datetime,
    zone: ZoneInfo,
    confirmed: Collection[str] = (),
    budgets: Budgets | None = None,
) -> list[Result]:
    """Return what each rule gives a purchase, in the rules' order, multipliers last.

    `facts` hold the values of the catalogue's fields that the rules ask, and always
    `purchase.amount` (minor units) and `purchase.category`. `usage` is raised by what is given,
    `budgets` fall by it. `confirmed` are the events that are known of the customer.
    """
    day = purchased_at.astimezone(zone).date()
    if facts.get("purchase.category") in DEPOSIT_CATEGORIES:
        return [_refusal(rule, DEPOSIT_REFUSAL) for rule in rules]
    results = []
    base = 0
    left = {} if budgets is None else budgets
    for rule in sorted(rules, key=lambda rule: rule.gives == "multiplier"):
        result = _apply(rule, facts, base, usage, left, day)
        if rule.gives != "multiplier":
            base += result.points
        if result.points or result.status:
            result.terms = terms_of(rule, purchased_at, zone, confirmed=True)
            if rule.awaits(confirmed):
                result.awaited = Awaited(
                    rule.pending["event"], rule.pending["about"], result.terms.expires_at
                )
                result.terms = terms_of(rule, purchased_at, zone)
        results.append(result)
    return results


def _apply(
    rule: Rule, facts: Mapping[str, Any], base: int, usage: Usage, budgets: Budgets, day: date
) -> Result:
    if rule.judge is not None and not rule.judge(facts):
        return _refusal(rule, "criteria")
    points, step = _compute(rule, facts["purchase.amount"], base)
    steps = [step]
    code = "awarded"
    for cap in CAPS:
        limit = rule.caps.get(cap)
        if limit is None:
            continue
        key = (rule.code, period_of(cap, day))
        used = 0 if cap == "purchase" else usage.get(key, 0)
        if points > limit - used:
            points = max(0, limit - used)
            code = "capped"
            steps.append({"cap": cap, "limit": limit, "used": used, "gives": points})
    if points > ledger.MAX_AMOUNT:
        return _refusal(rule, "too-large")
    if points == 0:
        code = "cap-reached" if code == "capped" else "too-small"
        return Result(rule.code, rule.version, 0, 0, code, steps)
    if rule.budget is not None and rule.budget.wallet in budgets:
        left = budgets[rule.budget.wallet]
        if points > left:
            points, code = left, "budget-low" if left else "budget-spent"
            steps.append({"budget": left, "gives": left})
        budgets[rule.budget.wallet] = left - points
    if points == 0:
        return Result(rule.code, rule.version, 0, 0, code, steps)
    for cap in rule.caps:
        if cap != "purchase":
            key = (rule.code, period_of(cap, day))
            usage[key] = usage.get(key, 0) + points
    status = points if rule.status else 0
    return Result(rule.code, rule.version, points, status, code, steps, budget=rule.budget)


def _compute(rule: Rule, amount: int, base: int) -> tuple[int, dict[str, Any]]:
    if rule.gives == "fixed":
        return rule.points, {"fixed": rule.points, "gives": rule.points}
    if rule.gives == "multiplier":
        numerator, denominator = rule.times
        gives = base * (numerator - denominator) // denominator
        return gives, {"base": base, "times": [numerator, denominator], "gives": gives}
    product = amount * rule.points
    if rule.rounding == "half_up":
        gives = (2 * product + rule.per) // (2 * rule.per)
    else:
        gives = product // rule.per
    return gives, {
        "amount": amount,
        "points": rule.points,
        "per": rule.per,
        "rounding": rule.rounding,
        "gives": gives,
    }


def _refusal(rule: Rule, code: str) -> Result:
    return Result(rule.code, rule.version, 0, 0, code, [])


def period_of(cap: str, day: date) -> str:
    """Return the name of the period in which a cap counts: a day, a month, a year."""
    return {
        "day": f"day:{day.isoformat()}",
        "month": f"month:{day.year:04}-{day.month:02}",
        "year": f"year:{day.year:04}",
    }.get(cap, cap)


def terms_of(
    rule: Rule, purchased_at: datetime, zone: ZoneInfo, *, confirmed: bool = False
) -> ledger.Terms:
    """Return when the points of a rule become usable and lapse, for a purchase at this instant.

    `confirmed`: the event that they wait for, if there is one, is known. Days begin and end in
    the programme's zone: what expires at the end of a day lapses at the midnight after it.
    """
    day = purchased_at.astimezone(zone).date()
    pending = {} if confirmed and "event" in rule.pending else rule.pending
    available, lapses = ledger.AT_ONCE, _expiry(rule.expiry, day, zone)
    if pending:
        available = ledger.NEVER
        if "days" in pending:
            end = _midnight(day + timedelta(days=pending["days"]), zone)
            if pending.get("then") == LAPSE:
                lapses = end
            else:
                available = end
    return ledger.Terms(available, lapses, rule.terms or None)


def _expiry(expiry: Mapping[str, Any] | None, day: date, zone: ZoneInfo) -> datetime:
    if not expiry:
        return ledger.NEVER
    if "years" in expiry:
        return _midnight(date(day.year + expiry["years"] + 1, 1, 1), zone)
    last = add_months(day, expiry["months"])
    match expiry.get("round"):
        case "month":
            return _midnight(add_months(last.replace(day=1), 1), zone)
        case "year":
            return _midnight(date(last.year + 1, 1, 1), zone)
        case _:
            return _midnight(last + timedelta(days=1), zone)


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later, or the month's last where it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def digest_proposal(
    programme: str,
    code: str,
    version: int,
    effective_from: datetime,
    effective_until: datetime | None,
    document: Mapping[str, Any],
    proposed_by: str,
) -> bytes:
    """Return the SHA-256 digest of all that a second person agrees to, whatever the keys' order."""
    content = {
        "kind": "earning-rule/1",
        "programme": programme,
        "code": code,
        "version": version,
        "effective_from": _spell(effective_from),
        "effective_until": None if effective_until is None else _spell(effective_until),
        "document": document,
        "proposed_by": proposed_by,
    }
    return hashlib.sha256(ledger.dump_json(content).encode()).digest()


def _spell(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
