"""Claims: points become a coupon or an order of goods in one transaction, or nothing happens.

Locks are taken in one order: a coupon, the wallets of the ledger, the stock, the counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import coupons, customers, tiers
from loyalty.programmes import Member, Programme
from loyalty.rewards.catalogue import Price, Reward, find_reward
from loyalty.web import NotFound, Refused

SOURCE = "rewards"
GIVEN = "reward"  # the source of the coupons that claims bring
CANCELLED, DELIVERED = "cancelled", "delivered"

NOW = text("SELECT clock_timestamp()")
_CLAIMS = """
SELECT c.id, r.code AS reward, c.version, c.customer_id, c.reference, c.tier, c.points, c.cash,
    c.points_line, c.coupon_id, c.claimed_at, o.kind AS outcome, o.reason, o.at AS ended_at,
    c.reward_id, c.source, r.programme_id
FROM loyalty.reward_claims c JOIN loyalty.rewards r ON r.id = c.reward_id
LEFT JOIN loyalty.reward_outcomes o ON o.claim_id = c.id
"""
KNOWN = text(
    f"""{_CLAIMS} WHERE c.customer_id = :customer AND c.source = :source
    AND c.reference = :reference"""
)
ONE = text(f"{_CLAIMS} WHERE c.id = :claim AND r.programme_id = :programme")
BY_COUPON = text(f"{_CLAIMS} WHERE c.coupon_id = :coupon")
LIST = text(
    f"""{_CLAIMS} WHERE c.customer_id = :customer AND r.programme_id = :programme
    AND c.id < :before ORDER BY c.id DESC LIMIT :limit"""
)
TAKE_STOCK = text("""
UPDATE loyalty.reward_stocks SET claimed = claimed + 1
WHERE reward_id = :reward AND claimed < stock RETURNING reward_id
""")
PUT_BACK = text("""
UPDATE loyalty.reward_stocks SET claimed = claimed - 1 WHERE reward_id = :reward
""")
COUNT = text("""
INSERT INTO loyalty.reward_counters AS c (reward_id, whose, used, quota)
VALUES (:reward, :whose, 1, :quota)
ON CONFLICT (reward_id, whose) DO UPDATE SET used = c.used + 1, quota = excluded.quota
WHERE c.used < excluded.quota RETURNING used
""")
UNCOUNT = text("""
UPDATE loyalty.reward_counters SET used = used - 1
WHERE reward_id = :reward AND whose = :whose AND used > 0
""")
RECORD = text("""
INSERT INTO loyalty.reward_claims (reward_id, version, customer_id, source, reference, tier,
    points, cash, points_line, coupon_id)
VALUES (:reward, :version, :customer, :source, :reference, :tier, :points, :cash, :line, :coupon)
RETURNING id
""")
END = text("""
INSERT INTO loyalty.reward_outcomes (claim_id, kind, reason, by)
VALUES (:claim, :kind, :reason, :by) ON CONFLICT (claim_id) DO NOTHING RETURNING claim_id
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as it stands; `outcome` is None while goods are under way or a coupon is out."""

    id: int
    reward: str
    version: int
    customer_id: int
    reference: str
    tier: str
    points: int
    cash: int
    points_line: int | None
    coupon_id: int | None
    claimed_at: datetime
    outcome: str | None
    reason: str | None
    ended_at: datetime | None
    reward_id: int
    source: str
    programme_id: int


def claim(
    session: Session,
    programme: Programme,
    member: Member,
    code: str,
    *,
    source: str,
    reference: str,
) -> Claim:
    """Spend a member's points on a reward; the same reference of the same source does so once.

    Raises `NotFound`, or `Refused`: `reward-closed`, `not-for-tier`, `sold-out`, `limit-reached`,
    `insufficient`, `reference-reused`, or what issuing the coupon refuses.
    """
    reward = find_reward(session, programme, code)
    series = None
    if reward.series is not None:
        series = coupons.find_series(session, programme, reward.series)
    budgets = [] if series is None else [series.budget]
    ledger.lock(session, [member.points_wallet, *budgets])
    asked = {"customer": member.customer_id, "source": source, "reference": reference}
    earlier = session.execute(KNOWN, asked).one_or_none()
    if earlier is not None:
        if earlier.reward != code:
            raise Refused("reference-reused")
        return Claim(*earlier)
    tier, price = _price(session, programme, member, reward)
    _take(session, reward, member)
    line = _pay(session, programme, member, f"{source}:{reference}", reward, price)
    coupon = None
    if series is not None:
        order = coupons.Order(f"{member.customer_id}:{source}:{reference}", member.customer_id)
        coupon = coupons.issue_one(session, programme, series, GIVEN, order).coupon_id
    number: int = session.execute(
        RECORD,
        {
            **asked,
            "reward": reward.id,
            "version": reward.version,
            "tier": tier,
            "points": price.points,
            "cash": price.cash,
            "line": line,
            "coupon": coupon,
        },
    ).scalar_one()
    return find_claim(session, programme, number)


def _price(
    session: Session, programme: Programme, member: Member, reward: Reward
) -> tuple[str, Price]:
    now: datetime = session.execute(NOW).scalar_one()
    if not reward.is_open_at(now):
        raise Refused("reward-closed")
    tier = tiers.current(session, programme, [member.customer_id])[member.customer_id]
    price = reward.price_for(tier)
    if price is None:
        raise Refused("not-for-tier")
    return tier, price


def _take(session: Session, reward: Reward, member: Member) -> None:
    """Take one of the stock and count it for the person."""
    if session.execute(TAKE_STOCK, {"reward": reward.id}).first() is None:
        raise Refused("sold-out")
    quota = reward.document["per_customer"]
    if quota is None:
        return
    asked = {"reward": reward.id, "whose": _whose(session, member.customer_id), "quota": quota}
    if session.execute(COUNT, asked).first() is None:
        raise Refused("limit-reached")


def _whose(session: Session, customer_id: int) -> str:
    return f"person:{customers.find_persons(session, [customer_id])[customer_id]}"


def _pay(
    session: Session,
    programme: Programme,
    member: Member,
    reference: str,
    reward: Reward,
    price: Price,
) -> int | None:
    """Spend the points; return the line of the member's log that says so."""
    if not price.points:
        return None
    move = ledger.Move(member.points_wallet, programme.points.redeemed, price.points)
    entry = ledger.Entry(
        member.points_wallet,
        SOURCE,
        reference,
        "redeem",
        (move,),
        cause={"reward": reward.code, "version": reward.version},
    )
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused(outcome.code)
    return outcome.lines[0].position


def cancel(
    session: Session, programme: Programme, member: Member, claim_id: int, reason: str, by: str
) -> Claim:
    """Undo a claim: the points go back to the lots they came from, the stock and the limit too.

    Raises `NotFound`, or `Refused`: `claim-ended`, `coupon-used`.
    """
    found = _own(session, programme, member, claim_id)
    if found.outcome == CANCELLED:
        return found
    if found.outcome is not None:
        raise Refused("claim-ended")
    if found.coupon_id is not None:
        coupons.cancel(session, programme, found.coupon_id, reason)
    _undo(session, member, found, reason, by)
    session.execute(PUT_BACK, {"reward": found.reward_id})
    whose = _whose(session, found.customer_id)
    session.execute(UNCOUNT, {"reward": found.reward_id, "whose": whose})
    return find_claim(session, programme, claim_id)


def _undo(session: Session, member: Member, found: Claim, reason: str, by: str) -> None:
    """End a claim and give its points back, once. Raises `Refused` with `claim-ended`."""
    ledger.lock(session, [member.points_wallet])
    ended = {"claim": found.id, "kind": CANCELLED, "reason": reason, "by": by}
    if session.execute(END, ended).first() is None:
        raise Refused("claim-ended")
    if found.points_line is None:
        return
    entry = ledger.Entry(
        member.points_wallet,
        SOURCE,
        f"cancel:{found.source}:{found.reference}",
        "reverse",
        (ledger.Reverse(member.points_wallet, found.points_line),),
        cause={"reward": found.reward},
    )
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused(outcome.code)


def give_points_back(session: Session, member: Member, found: Claim) -> None:
    """Give back the points of a claim whose coupon came back too late to be used; once."""
    if found.outcome is None:
        _undo(session, member, found, "coupon-lost", SOURCE)


def deliver(session: Session, programme: Programme, claim_id: int, by: str) -> Claim:
    """Say that the goods of a claim were delivered. Raises `NotFound` or `Refused`."""
    found = find_claim(session, programme, claim_id)
    if found.coupon_id is not None:
        raise NotFound
    ended = {"claim": claim_id, "kind": DELIVERED, "reason": DELIVERED, "by": by}
    if session.execute(END, ended).first() is None and found.outcome != DELIVERED:
        raise Refused("claim-ended")
    return find_claim(session, programme, claim_id)


def find_claim(session: Session, programme: Programme, claim_id: int) -> Claim:
    """Return a claim. Raises `NotFound`."""
    asked = {"claim": claim_id, "programme": programme.id}
    row = session.execute(ONE, asked).one_or_none()
    if row is None:
        raise NotFound
    return Claim(*row)


def _own(session: Session, programme: Programme, member: Member, claim_id: int) -> Claim:
    found = find_claim(session, programme, claim_id)
    if found.customer_id != member.customer_id:
        raise NotFound
    return found


def find_by_coupon(session: Session, coupon_id: int) -> Claim | None:
    """Return the claim that brought a coupon, if one did."""
    row: Any = session.execute(BY_COUPON, {"coupon": coupon_id}).one_or_none()
    return None if row is None else Claim(*row)


def list_claims(
    session: Session, programme: Programme, customer_id: int, *, before: int | None, limit: int
) -> list[Claim]:
    """Return a customer's claims, the newest first, below the number `before`."""
    asked = {
        "programme": programme.id,
        "customer": customer_id,
        "before": 2**62 if before is None else before,
        "limit": limit,
    }
    return [Claim(*row) for row in session.execute(LIST, asked)]
