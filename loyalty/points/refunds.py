"""Refunds: money given back takes its points back, to the point that the rules would not give.

What a purchase has earned after a refund is what its rules give for the money that remains, so
splitting a purchase and refunding parts of it never leaves more points than it should.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import outbox, programmes, tiers
from loyalty.points import rules
from loyalty.points.earning import LEDGER_SOURCE
from loyalty.points.rulebook import read_rulebook
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused, ids


@dataclass(frozen=True, slots=True)
class NewRefund:
    """Money given back: `amount` in minor units, or the numbers of whole `lines`, or neither
    for all that is left of the purchase."""

    reference: str
    purchase: str
    refunded_at: datetime
    amount: int | None = None
    lines: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund on record: points and status points taken back, and the arithmetic."""

    reference: str
    refund_id: int
    purchase_id: int
    amount: int
    points: int
    status_points: int
    replayed: bool = False


PURCHASE = text("""
SELECT p.id, p.customer_id, p.reference, p.purchased_at, p.amount, p.lines, a.inputs, a.results
FROM loyalty.purchases p JOIN loyalty.awards a ON a.purchase_id = p.id
WHERE p.programme_id = :programme AND p.source = :source AND p.reference = :reference
""")

REFUNDS = text("""
SELECT id, source, reference, amount, lines, results, refunded_at FROM loyalty.refunds
WHERE purchase_id = :purchase ORDER BY id
""")

RECORD = text("""
INSERT INTO loyalty.refunds (programme_id, purchase_id, source, reference, amount, lines,
    refunded_at, results)
VALUES (:programme, :purchase, :source, :reference, :amount, CAST(:lines AS jsonb), :refunded_at,
    CAST(:results AS jsonb))
ON CONFLICT (programme_id, source, reference) DO NOTHING RETURNING id
""")


MOVED = text("""
SELECT c.new_position, c.points - coalesce((
        SELECT sum(t.amount) FROM ledger.transfers t
        WHERE t.account_id = c.account_id AND t.reverses = c.new_position
    ), 0)::bigint AS points
FROM loyalty.confirmed_points c WHERE c.account_id = :account AND c.position = :position
""")


def record_refund(
    session: Session, programme: Programme, source: str, refund: NewRefund
) -> Refunded:
    """Record a refund and take back what the purchase would not have earned without that money.

    Raises `NotFound` (no such purchase of this source) or `Refused`: `over-refund`,
    `unknown-line`, `reference-reused`, `points-spent` (the wallet may not go that far below
    zero).
    """
    purchase = session.execute(
        PURCHASE,
        {"programme": programme.id, "source": source, "reference": refund.purchase},
    ).one_or_none()
    if purchase is None:
        raise NotFound
    member = programmes.find_members(session, programme, [purchase.customer_id])[
        purchase.customer_id
    ]
    ledger.lock(session, [member.points_wallet, member.status_wallet])
    earlier = session.execute(REFUNDS, {"purchase": purchase.id}).all()
    for row in earlier:
        if (row.source, row.reference) == (source, refund.reference):
            return _replay(row, purchase, refund)
    amount = _amount(purchase, earlier, refund)
    remaining = purchase.amount - sum(row.amount for row in earlier) - amount
    before = net(purchase.results, earlier)
    after = _earned(session, programme, purchase, remaining)
    taken = {
        rule: (max(0, before[rule][0] - after[rule][0]), max(0, before[rule][1] - after[rule][1]))
        for rule in before
    }
    results = {
        "remaining": remaining,
        "taken": {rule: list(pair) for rule, pair in taken.items()},
    }
    refund_id = session.execute(
        RECORD,
        {
            "programme": programme.id,
            "purchase": purchase.id,
            "source": source,
            "reference": refund.reference,
            "amount": amount,
            "lines": None if refund.lines is None else ledger.dump_json(list(refund.lines)),
            "refunded_at": refund.refunded_at,
            "results": ledger.dump_json(results),
        },
    ).scalar_one_or_none()
    if refund_id is None:
        raise Refused("reference-reused")
    _take_back(session, programme, member, purchase, refund_id, refund.refunded_at, taken)
    if any(status for _, status in taken.values()):
        cause = {"kind": "refund", "refund": refund_id, "purchases": [purchase.id]}
        tiers.requalify(session, programme, [member], lambda _: cause)
    outbox.publish(
        session,
        "purchases.refunded",
        f"programme:{programme.id}",
        {"refund": refund_id, "purchase": purchase.id},
    )
    points, status = _sum(taken.values())
    return Refunded(refund.reference, refund_id, purchase.id, amount, points, status)


def _replay(row: Any, purchase: Any, refund: NewRefund) -> Refunded:
    asked = None if refund.lines is None else list(refund.lines)
    same = row.lines == asked and row.refunded_at == refund.refunded_at
    if not same or (refund.amount is not None and refund.amount != row.amount):
        raise Refused("reference-reused")
    points, status = _sum(row.results["taken"].values())
    return Refunded(
        refund.reference, row.id, purchase.id, row.amount, points, status, replayed=True
    )


def _amount(purchase: Any, earlier: Sequence[Any], refund: NewRefund) -> int:
    left: int = purchase.amount - sum(row.amount for row in earlier)
    amount = left
    if refund.lines is not None:
        amounts = {line["line"]: line["amount"] for line in purchase.lines or ()}
        if not set(refund.lines) <= amounts.keys():
            raise Refused("unknown-line")
        if set(refund.lines) & {line for row in earlier for line in row.lines or ()}:
            raise Refused("over-refund")
        amount = sum(amounts[line] for line in refund.lines)
        if refund.amount is not None and refund.amount != amount:
            raise Refused("lines-differ")
    elif refund.amount is not None:
        amount = refund.amount
    if amount > left or left == 0:
        raise Refused("over-refund")
    return amount


def net(results: list[dict[str, Any]], refunds: Sequence[Any]) -> dict[str, tuple[int, int]]:
    """Return the points and status points that each rule's award still stands for."""
    left = {result["rule"]: (result["points"], result["status"]) for result in results}
    for refund in refunds:
        for rule, (points, status) in refund.results["taken"].items():
            left[rule] = (left[rule][0] - points, left[rule][1] - status)
    return left


def _earned(
    session: Session, programme: Programme, purchase: Any, amount: int
) -> dict[str, tuple[int, int]]:
    """Return what each rule of the award gives for `amount` of the purchase; for nothing, nothing.

    Or what is fixed for each purchase would stay with whoever gives the whole purchase back.
    """
    if amount == 0:
        return {result["rule"]: (0, 0) for result in purchase.results}
    results = assess_again(session, programme, purchase, amount)
    return {result.rule: (result.points, result.status) for result in results}


def assess_again(
    session: Session, programme: Programme, purchase: Any, amount: int
) -> list[rules.Result]:
    """Run the rules of an award again on its stored inputs, for `amount` of the purchase.

    `purchase` has `purchased_at`, `inputs` and `results` as they were stored.
    """
    chosen = {result["rule"]: result["version"] for result in purchase.results}
    stored = dict(purchase.inputs["facts"], **{"purchase.amount": amount})
    if stored.get("purchase.day") is not None:
        stored["purchase.day"] = date.fromisoformat(stored["purchase.day"])
    usage = {
        (name.split("|")[0], name.split("|")[1]): points
        for name, points in purchase.inputs["usage"].items()
    }
    return rules.assess(
        read_rulebook(session, programme).pick(chosen),
        stored,
        usage,
        purchased_at=purchase.purchased_at,
        zone=programme.zone,
        budgets={int(k): left for k, left in purchase.inputs.get("budgets", {}).items()},
    )


def _take_back(
    session: Session,
    programme: Programme,
    member: programmes.Member,
    purchase: Any,
    refund_id: int,
    refunded_at: datetime,
    taken: dict[str, tuple[int, int]],
) -> None:
    reference = ids.encode("pur", purchase.id)
    award = ledger.find_posted(session, member.points_wallet, LEDGER_SOURCE, reference)
    if award is None or not any(any(pair) for pair in taken.values()):
        return
    status = sum(pair[1] for pair in taken.values())
    acts: list[ledger.Act] = []
    given = iter(line for line in award.lines if line.account == member.points_wallet)
    for result in purchase.results:
        if not result["points"]:
            continue
        line = next(given)
        acts += [
            ledger.Reverse(line.account, position, amount, expired_account=programme.points.expired)
            for position, amount in _split(session, line, taken[result["rule"]][0])
        ]
    acts += [
        ledger.Reverse(
            line.account, line.position, status, expired_account=programme.status.expired
        )
        for line in award.lines
        if status and line.account == member.status_wallet
    ]
    entry = ledger.Entry(
        account=member.points_wallet,
        source="refund",
        reference=str(refund_id),
        kind="reverse",
        acts=tuple(acts),
        effective_at=refunded_at,
        cause={"refund": refund_id, "purchase": purchase.id},
    )
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused("points-spent" if outcome.code == "insufficient" else outcome.code)


def _split(session: Session, line: ledger.Line, amount: int) -> Iterator[tuple[int, int]]:
    """Yield of which credits `amount` of an award is taken back.

    What waited for an event stands in a line of its own since the event came, but for what had
    paid a debt on its arrival.
    """
    moved = session.execute(
        MOVED, {"account": line.account, "position": line.position}
    ).one_or_none()
    latest = 0 if moved is None else min(amount, moved.points)
    if moved is not None and latest:
        yield moved.new_position, latest
    if amount > latest:
        yield line.position, amount - latest


def _sum(pairs: Any) -> tuple[int, int]:
    listed = list(pairs)
    return sum(pair[0] for pair in listed), sum(pair[1] for pair in listed)
