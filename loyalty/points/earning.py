"""Earning: purchases in, points and status points out, each with its reasons.

Takes lists; a single purchase is a list of one. A purchase is known by the reference that its
source gave it: sent again it is answered from what was written, with other content it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import outbox, programmes, tiers
from loyalty.database import driver
from loyalty.points import facts, rules, waiting
from loyalty.points.rulebook import Rulebook, read_rulebook
from loyalty.programmes import Member, Programme
from loyalty.web import Refused as RefusedWhole
from loyalty.web import ids

LEDGER_SOURCE = "purchase"
SKEW = timedelta(seconds=60)  # how far a source's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase as its source reports it.

    `customer` is the bank's reference of the customer, `purchased_at` an instant, `amount` and
    the lines' amounts money in minor units. `lines` is a list of {"line", "amount"} or None.
    """

    reference: str
    customer: str
    purchased_at: datetime
    amount: int
    category: str | None = None
    outlet: str | None = None
    channel: str | None = None
    lines: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A purchase that is on record: what it earned and, by rule, why."""

    reference: str
    purchase_id: int
    customer_id: int
    points: int
    status_points: int
    results: list[dict[str, Any]]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A purchase that was not recorded; its neighbours were."""

    reference: str
    code: str


Outcome = Recorded | Refused


@dataclass(slots=True)
class _Case:
    """A purchase on its way: who made it, what was asked of the rules and what they said."""

    purchase: NewPurchase
    member: Member
    digest: str
    inputs: dict[str, Any]
    results: list[rules.Result]

    @property
    def points(self) -> int:
        return sum(result.points for result in self.results)

    @property
    def status_points(self) -> int:
        return sum(result.status for result in self.results)


KNOWN = text("""
SELECT p.reference, p.id, p.customer_id, encode(p.digest, 'hex') AS digest, a.points,
    a.status_points, a.results
FROM loyalty.purchases p JOIN loyalty.awards a ON a.purchase_id = p.id
WHERE p.programme_id = :programme AND p.source = :source AND p.reference = ANY(:references)
""")

RECORD = """
WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS r(
        customer_id bigint, reference text, purchased_at timestamptz, amount bigint,
        category text, outlet text, channel text, lines jsonb, digest text,
        points bigint, status_points bigint, inputs jsonb, results jsonb)
), new AS (
    INSERT INTO loyalty.purchases (programme_id, customer_id, source, reference, purchased_at,
        amount, category, outlet, channel, lines, digest)
    SELECT %(programme)s, r.customer_id, %(source)s, r.reference, r.purchased_at, r.amount,
        r.category, r.outlet, r.channel, r.lines, decode(r.digest, 'hex')
    FROM given r
    ON CONFLICT (programme_id, source, reference) DO NOTHING
    RETURNING id, reference
), awarded AS (
    INSERT INTO loyalty.awards (purchase_id, points, status_points, inputs, results)
    SELECT new.id, r.points, r.status_points, r.inputs, r.results
    FROM new JOIN given r USING (reference)
)
SELECT reference, id FROM new
"""

HAD_PURCHASES = text("""
SELECT DISTINCT customer_id FROM loyalty.purchases
WHERE programme_id = :programme AND customer_id = ANY(:customers)
""")

READ_USAGE = text("""
SELECT customer_id, rule, period, points FROM loyalty.rule_usage
WHERE programme_id = :programme AND customer_id = ANY(:customers) AND period = ANY(:periods)
""")

RAISE_USAGE = text("""
INSERT INTO loyalty.rule_usage (programme_id, customer_id, rule, period, points)
SELECT :programme, r.customer_id, r.rule, r.period, r.points
FROM json_to_recordset(CAST(:rows AS json))
    AS r(customer_id bigint, rule text, period text, points bigint)
ON CONFLICT (customer_id, programme_id, rule, period) DO UPDATE SET points = excluded.points
""")


def record_purchases(
    session: Session, programme: Programme, source: str, purchases: Sequence[NewPurchase]
) -> list[Outcome]:
    """Record purchases with what they earn; one outcome for each, in their order.

    Customers who are registered but no members yet become members. Codes of refusals:
    `unknown-customer`, `reference-reused`, `future-dated`, `lines-differ`.
    """
    latest = datetime.now(UTC) + SKEW
    members = programmes.find_or_enrol(session, programme, {p.customer for p in purchases})
    refused: dict[int, str] = {}
    first: dict[str, NewPurchase] = {}
    for index, purchase in enumerate(purchases):
        code = _fault(purchase, members, latest)
        if code is None and first.setdefault(purchase.reference, purchase) != purchase:
            code = "reference-reused"
        if code is not None:
            refused[index] = code
    sound = list(first.values())
    recorded, digests = _record(session, programme, source, sound, members)
    outcomes: list[Outcome] = []
    for index, purchase in enumerate(purchases):
        if index in refused:
            outcomes.append(Refused(purchase.reference, refused[index]))
            continue
        found = recorded[purchase.reference]
        # What was not on record before was written just now, from this content.
        if found.replayed and digests[purchase.reference] != _digest(purchase):
            outcomes.append(Refused(purchase.reference, "reference-reused"))
        else:
            outcomes.append(found)
    return outcomes


def _fault(purchase: NewPurchase, members: Mapping[str, Member], latest: datetime) -> str | None:
    if purchase.customer not in members:
        return "unknown-customer"
    if purchase.purchased_at > latest:
        return "future-dated"
    if purchase.lines and sum(line["amount"] for line in purchase.lines) != purchase.amount:
        return "lines-differ"
    return None


def _record(
    session: Session,
    programme: Programme,
    source: str,
    purchases: list[NewPurchase],
    members: Mapping[str, Member],
) -> tuple[dict[str, Recorded], dict[str, str]]:
    """Record what is new of `purchases` (each reference once); return all, and their digests."""
    book = read_rulebook(session, programme)
    recorded: dict[str, Recorded] = {}
    digests: dict[str, str] = {}
    budgets = book.budgets_at(p.purchased_at for p in purchases)
    if book.has_caps or book.awaits_customers or facts.FIRST in book.fields or budgets:
        # What a cap or a budget has left, and whether an event is known of the customer, is
        # decided under the wallets' locks, so only for what is new.
        wallets = [members[p.customer].points_wallet for p in purchases]
        ledger.lock(session, [*wallets, *budgets])
        _read_known(session, programme, source, purchases, recorded, digests)
    new = [p for p in purchases if p.reference not in recorded]
    cases, usage = _assess(session, programme, book, new, members, _read_left(session, budgets))
    written = _write(session, programme, source, cases)
    lost = [p for p in new if p.reference not in written]
    if lost:
        _read_known(session, programme, source, lost, recorded, digests)
    fresh = [case for case in cases if case.purchase.reference in written]
    if usage:
        session.execute(RAISE_USAGE, {"programme": programme.id, "rows": _dump_usage(usage)})
    _post(session, programme, fresh, written)
    for case in fresh:
        reference = case.purchase.reference
        digests[reference] = case.digest
        recorded[reference] = Recorded(
            reference,
            written[reference],
            case.member.customer_id,
            case.points,
            case.status_points,
            [result.dump() for result in case.results],
        )
    return recorded, digests


def _read_left(session: Session, budgets: Sequence[int]) -> rules.Budgets:
    if not budgets:
        return {}
    found = ledger.read_balances(session, budgets)
    return {account: balance.available for account, balance in found.items()}


def _read_known(
    session: Session,
    programme: Programme,
    source: str,
    purchases: Iterable[NewPurchase],
    recorded: dict[str, Recorded],
    digests: dict[str, str],
) -> None:
    rows = session.execute(
        KNOWN,
        {
            "programme": programme.id,
            "source": source,
            "references": [purchase.reference for purchase in purchases],
        },
    )
    for row in rows:
        digests[row.reference] = row.digest
        recorded[row.reference] = Recorded(
            row.reference,
            row.id,
            row.customer_id,
            row.points,
            row.status_points,
            row.results,
            replayed=True,
        )


# -- deciding ----------------------------------------------------------------------------------


def _assess(
    session: Session,
    programme: Programme,
    book: Rulebook,
    purchases: list[NewPurchase],
    members: Mapping[str, Member],
    budgets: rules.Budgets,
) -> tuple[list[_Case], dict[int, rules.Usage]]:
    if not purchases:
        return [], {}
    people = {members[p.customer].customer_id for p in purchases}
    zone = programme.zone
    tier_of = tiers.current(session, programme, people) if facts.TIER in book.fields else {}
    bought = _had_purchases(session, programme, people) if facts.FIRST in book.fields else set()
    birthdays = facts.read_birthdays(session, people, book.fields)
    usage = _read_usage(session, programme, people, purchases) if book.has_caps else {}
    confirmed = waiting.read_confirmed(session, programme, people) if book.awaits_customers else {}
    cases = []
    for purchase in sorted(purchases, key=lambda p: (p.purchased_at, p.reference)):
        member = members[purchase.customer]
        customer = member.customer_id
        asked = facts.gather(
            purchase,
            zone,
            first=customer not in bought,
            tier=tier_of.get(customer),
            birthday=birthdays.get(customer),
        )
        bought.add(customer)
        used = usage.setdefault(customer, {}) if book.has_caps else {}
        inputs = {name: value for name, value in asked.items() if name in book.fields}
        inputs |= {"purchase.amount": purchase.amount, "purchase.category": purchase.category}
        before = {f"{rule}|{period}": points for (rule, period), points in used.items()}
        left = {str(budget): units for budget, units in budgets.items()}
        results = rules.assess(
            book.in_force(purchase.purchased_at),
            asked,
            used,
            purchased_at=purchase.purchased_at,
            zone=zone,
            confirmed=confirmed.get(customer, ()),
            budgets=budgets,
        )
        kept = {"facts": {name: _plain(value) for name, value in inputs.items()}, "usage": before}
        if left:
            kept["budgets"] = left
        cases.append(_Case(purchase, member, _digest(purchase), kept, results))
    return cases, usage


def _had_purchases(session: Session, programme: Programme, people: Iterable[int]) -> set[int]:
    rows = session.execute(HAD_PURCHASES, {"programme": programme.id, "customers": list(people)})
    return set(rows.scalars())


def _read_usage(
    session: Session,
    programme: Programme,
    people: Iterable[int],
    purchases: Iterable[NewPurchase],
) -> dict[int, rules.Usage]:
    days = {p.purchased_at.astimezone(programme.zone).date() for p in purchases}
    periods = {rules.period_of(cap, day) for day in days for cap in ("day", "month", "year")}
    rows = session.execute(
        READ_USAGE,
        {"programme": programme.id, "customers": list(people), "periods": list(periods)},
    )
    usage: dict[int, rules.Usage] = {}
    for row in rows:
        usage.setdefault(row.customer_id, {})[row.rule, row.period] = row.points
    return usage


# -- writing -----------------------------------------------------------------------------------


def _write(
    session: Session, programme: Programme, source: str, cases: list[_Case]
) -> dict[str, int]:
    """Write purchases and awards in order of reference; return the ids of those that are new."""
    if not cases:
        return {}
    rows = [_row(case) for case in sorted(cases, key=lambda case: case.purchase.reference)]
    written = driver(session).execute(
        RECORD,
        {"programme": programme.id, "source": source, "rows": orjson.dumps(rows).decode()},
    )
    return dict(written.fetchall())


def _row(case: _Case) -> dict[str, Any]:
    purchase = case.purchase
    return {
        "customer_id": case.member.customer_id,
        "reference": purchase.reference,
        "purchased_at": purchase.purchased_at,
        "amount": purchase.amount,
        "category": purchase.category,
        "outlet": purchase.outlet,
        "channel": purchase.channel,
        "lines": purchase.lines,
        "digest": case.digest,
        "points": case.points,
        "status_points": case.status_points,
        "inputs": case.inputs,
        "results": [result.dump() for result in case.results],
    }


def _post(
    session: Session, programme: Programme, cases: list[_Case], written: Mapping[str, int]
) -> None:
    ladder = tiers.ladder_in_force(session, programme)
    entries = []
    earners = []
    for case in cases:
        acts: list[ledger.Act] = [
            ledger.Move(
                programme.points.issued, case.member.points_wallet, result.points, result.terms
            )
            for result in case.results
            if result.points and result.terms is not None
        ]
        if case.status_points:
            terms = tiers.status_terms(
                ladder, programme, case.member.joined_at, case.purchase.purchased_at
            )
            acts.append(
                ledger.Move(
                    programme.status.issued, case.member.status_wallet, case.status_points, terms
                )
            )
        acts += [
            ledger.Move(result.budget.wallet, result.budget.used, result.points)
            for result in case.results
            if result.points and result.budget is not None
        ]
        if acts:
            number = written[case.purchase.reference]
            entries.append(
                ledger.Entry(
                    account=case.member.points_wallet,
                    source=LEDGER_SOURCE,
                    reference=ids.encode("pur", number),
                    kind="earn",
                    acts=tuple(acts),
                    effective_at=case.purchase.purchased_at,
                    cause={"purchase": number},
                )
            )
            earners.append(case)
    awaited: list[dict[str, Any]] = []
    for case, outcome in zip(earners, ledger.post(session, entries), strict=True):
        if isinstance(outcome, ledger.Refusal):
            # Each rule gives what the ledger can count, but their sum may be more.
            if outcome.code in ("overflow", "bad-amount"):
                raise RefusedWhole("overflow")
            raise RuntimeError(f"the ledger refused an award: {outcome.detail}")
        awaited += _awaited(case, written[case.purchase.reference], outcome)
    waiting.keep(session, awaited)
    _requalify(session, programme, [case for case in cases if case.status_points], written)
    if written:
        numbers = sorted(written.values())
        outbox.publish(
            session,
            "purchases.recorded",
            f"programme:{programme.id}",
            {"first": numbers[0], "last": numbers[-1], "count": len(numbers)},
        )


def _requalify(
    session: Session, programme: Programme, cases: list[_Case], written: Mapping[str, int]
) -> None:
    """Lift whom these purchases lift; a change names those of the customer's own."""
    made: dict[int, list[int]] = {}
    for case in cases:
        made.setdefault(case.member.customer_id, []).append(written[case.purchase.reference])
    members = {case.member.customer_id: case.member for case in cases}
    if members:
        tiers.requalify(
            session,
            programme,
            members.values(),
            lambda customer: {"kind": "purchase", "purchases": made[customer]},
        )


def _awaited(case: _Case, purchase_id: int, posted: ledger.Posted) -> Iterator[dict[str, Any]]:
    """Yield which of the lines that an award wrote wait for an event."""
    given = [result for result in case.results if result.points]
    for result, line in zip(given, posted.lines, strict=False):
        if result.awaited is not None:
            yield {
                "account_id": line.account,
                "position": line.position,
                "purchase_id": purchase_id,
                "event": result.awaited.event,
                "about": result.awaited.about,
                "expires_at": result.awaited.expires_at.isoformat(),
            }


def _digest(purchase: NewPurchase) -> str:
    content = [
        purchase.customer,
        int(purchase.purchased_at.timestamp() * 1_000_000),
        purchase.amount,
        purchase.category,
        purchase.outlet,
        purchase.channel,
        purchase.lines,
    ]
    return hashlib.sha256(ledger.dump_json(content).encode()).hexdigest()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _dump_usage(usage: Mapping[int, rules.Usage]) -> str:
    return ledger.dump_json(
        [
            {"customer_id": customer, "rule": rule, "period": period, "points": points}
            for customer, used in sorted(usage.items())
            for (rule, period), points in sorted(used.items())
        ]
    )
