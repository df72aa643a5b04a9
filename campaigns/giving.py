"""Giving: the offer reaches the audience, whoever takes messages, while there is budget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

import ledger
from campaigns.queries import Campaign, Launch
from loyalty import benefits, coupons
from loyalty.coupons import Issued, NotIssued, Order
from loyalty.programmes import Programme
from loyalty.web import ids

SOURCE = "campaigns"
SPENT = "budget-spent"

Refusals = dict[int, str]
"""Why somebody got nothing, by customer."""


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
        return give_coupons(session, programme, launch, offer["coupon"]["series"], orders)
    if "benefit" in offer:
        for number in customer_ids:
            _grant(session, programme, campaign, launch, number)
    return {}


def give_coupons(
    session: Session, programme: Programme, launch: Launch, code: str, orders: Sequence[Order]
) -> Refusals:
    """Issue coupons of a series, each drawn from the campaign's budget; the rest get none.

    What the budget pays is what the series itself reserves for a coupon.
    """
    series = coupons.find_series(session, programme, code)
    worth = series.terms.reserve
    affordable = len(orders)
    if worth and (left := lock_budget(session, launch, series.budget)) is not None:
        affordable = min(affordable, left // worth)
    met, unmet = orders[:affordable], orders[affordable:]
    issued = coupons.issue(session, programme, series, f"campaign:{launch.campaign_id}", met)
    use_budget(
        session,
        launch,
        {ids.encode("cpn", one.coupon_id): worth for one in issued if isinstance(one, Issued)},
    )
    refused = dict.fromkeys(unmet, SPENT)
    for order, one in zip(met, issued, strict=True):
        if isinstance(one, NotIssued):
            refused[order] = one.code
    return {order.customer_id: why for order, why in refused.items() if order.customer_id}


def lock_budget(session: Session, launch: Launch, *others: int) -> int | None:
    """Hold a launch's budget until the commit; return what is left. None where it has none.

    `others` are wallets that will be locked later: all are locked in one order here.
    """
    budget = launch.means["budget"]
    if budget is None:
        return None
    ledger.lock(session, [budget["wallet"], *others])
    return ledger.read_balance(session, budget["wallet"]).available


def use_budget(session: Session, launch: Launch, gifts: dict[str, int]) -> None:
    """Draw from a launch's budget what each of these gifts is worth, each by its own id."""
    budget = launch.means["budget"]
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
