"""Giving: the offer reaches the audience, whoever takes messages, while there is budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

import ledger
from campaigns.queries import Campaign, Launch
from loyalty import benefits, coupons
from loyalty.coupons import Issued, NotIssued, Order, Series
from loyalty.programmes import Programme
from loyalty.web import ids

SOURCE = "campaigns"
SPENT = "budget-spent"

Refusals = dict[int, str]
"""Why somebody got nothing, by customer."""
Budget = Mapping[str, int] | None
"""A budget as a launch's means name it: its wallet, and where what was used moves to."""


def give(
    session: Session,
    programme: Programme,
    campaign: Campaign,
    launch: Launch,
    customer_ids: Sequence[int],
) -> Refusals:
    """Give each of these customers the offer's coupon or benefit; return who got nothing, and why.

    An earning rule needs no giving: it counts for everybody by itself.
    """
    offer = campaign.document.get("offer") or {}
    if "coupon" in offer and customer_ids:
        orders = [Order(f"{launch.id}:{number}", number) for number in customer_ids]
        series = coupons.find_series(session, programme, offer["coupon"]["series"])
        given = give_coupons(
            session, programme, launch, launch.means["budget"], series, orders, series.terms.reserve
        )
        return {
            order.customer_id: one.code
            for order, one in given.items()
            if isinstance(one, NotIssued) and order.customer_id is not None
        }
    if "benefit" in offer:
        for number in customer_ids:
            _grant(session, programme, campaign, launch, number)
    return {}


def give_coupons(
    session: Session,
    programme: Programme,
    launch: Launch,
    budget: Budget,
    series: Series,
    orders: Sequence[Order],
    worth: int,
) -> dict[Order, Issued | NotIssued]:
    """Issue a coupon for each order while the budget has what one is worth; the rest get none."""
    left = lock_budget(session, budget, series.budget)
    affordable = len(orders) if left is None or not worth else min(len(orders), left // worth)
    met, unmet = orders[:affordable], orders[affordable:]
    issued = coupons.issue(session, programme, series, f"campaign:{launch.campaign_id}", met)
    gifts = [one.coupon_id for one in issued if isinstance(one, Issued) and not one.replayed]
    use_budget(session, launch, budget, {ids.encode("cpn", number): worth for number in gifts})
    return {
        **dict.fromkeys(unmet, NotIssued(SPENT)),
        **dict(zip(met, issued, strict=True)),
    }


def lock_budget(session: Session, budget: Budget, *others: int) -> int | None:
    """Hold a budget until the commit; return what is left, or None where there is none.

    `others` are wallets that will be locked later: all are locked in one order here.
    """
    if budget is None:
        return None
    ledger.lock(session, [budget["wallet"], *others])
    return ledger.read_balance(session, budget["wallet"]).available


def use_budget(session: Session, launch: Launch, budget: Budget, gifts: Mapping[str, int]) -> None:
    """Draw from a budget what each of these gifts is worth, each by its own name."""
    if budget is None:
        return
    entries = [
        ledger.Entry(
            budget["wallet"],
            SOURCE,
            gift,
            "use",
            (ledger.Move(budget["wallet"], budget["used"], worth),),
            cause={"campaign": ids.encode("cmp", launch.campaign_id), "gift": gift},
        )
        for gift, worth in gifts.items()
        if worth
    ]
    for outcome in ledger.post(session, entries) if entries else ():
        if isinstance(outcome, ledger.Refusal):
            raise RuntimeError(f"the budget was looked at and lacks it: {outcome.detail}")


def _grant(
    session: Session, programme: Programme, campaign: Campaign, launch: Launch, customer_id: int
) -> None:
    offer, schedule = campaign.document["offer"]["benefit"], campaign.document["schedule"]
    benefits.grant_benefit(
        session,
        programme,
        customer_id,
        offer["code"],
        quota=offer["quota"],
        starts_at=datetime.fromisoformat(schedule["starts_at"]),
        ends_at=datetime.fromisoformat(schedule["ends_at"]),
        source=SOURCE,
        reference=f"{launch.id}",
        reason=f"campaign {campaign.code}",
    )
