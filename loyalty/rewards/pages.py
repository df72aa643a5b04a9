"""Rewards for the customer: what points buy in their tier, claiming, and taking a claim back."""

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template
from marshmallow import Schema
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

import ledger
from loyalty import audit, programmes, tiers
from loyalty.programmes import Member, Programme
from loyalty.rewards import catalogue, claiming
from loyalty.rewards.catalogue import Price, Reward
from loyalty.rewards.claiming import NOW
from loyalty.web import Access, Caller, Kind, NotFound, ids
from loyalty.web.fields import Reference
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu
from loyalty.web.words import show_zone

blueprint = Blueprint("reward_pages", __name__, template_folder="templates")

MOST = 100
_ME = Access.browser(Kind.CUSTOMER)
_REWARD = "/my/rewards/{code}"
_CLAIM = "/my/claims/{claim_id}"


class ClaimForm(Schema):
    """A claim under a reference of the page's."""

    reference = Reference(required=True)


@dataclass(frozen=True)
class Offer:
    """A reward as one customer sees it. `hurdle`: why it cannot be claimed now, or nothing."""

    reward: Reward
    price: Price | None
    available: int
    hurdle: str

    @property
    def missing(self) -> int:
        """How many points are still missing."""
        return max(0, self.price.points - self.available) if self.price else 0


@screen(
    blueprint,
    "GET",
    "/my/rewards",
    access=_ME,
    menu=Menu(55, "reward"),
    summary=("兑换", "Rewards"),
)
def get_rewards(session: Session, caller: Caller) -> str:
    """Show what points buy, with the price in the customer's tier, and what was claimed."""
    found = _membership(session, caller)
    if found is None:
        return render_template("rewards/rewards.html", offers=[], claims=[], names={}, available=0)
    programme, member = found
    listed = catalogue.list_rewards(session, programme, before=None, limit=MOST)
    offers = [_offer(session, programme, member, reward) for reward in listed]
    claims = claiming.list_claims(session, programme, member.customer_id, before=None, limit=MOST)
    return render_template(
        "rewards/rewards.html",
        offers=sorted(offers, key=lambda offer: bool(offer.hurdle)),
        claims=claims,
        names={one.code: one.document["names"] for one in listed},
        available=_available(session, member),
    )


@screen(blueprint, "GET", _REWARD, access=_ME, summary=("一项兑换", "One reward"))
def get_reward(session: Session, caller: Caller, code: str) -> str:
    """Show what would be paid and what would be left, before anything is claimed."""
    programme, member = _need(session, caller)
    return render_template(
        "rewards/reward.html",
        offer=_offer(session, programme, member, catalogue.find_reward(session, programme, code)),
        reference=secrets.token_urlsafe(16),
    )


@screen(
    blueprint,
    "POST",
    _REWARD,
    access=_ME,
    form=ClaimForm,
    idempotent=True,
    again=get_reward,
    summary=("积分兑换", "Claim a reward"),
    problems=(
        *("insufficient", "reward-closed", "not-for-tier", "sold-out", "sold-out-today"),
        *("limit-reached", "budget-used-up", "coupon-halted", "coupon-over", "reference-reused"),
    ),
)
def post_claim(session: Session, caller: Caller, code: str, entered: dict[str, Any]) -> Response:
    """Spend the points: the coupon or the order of goods comes with it, or nothing happens."""
    programme, member = _need(session, caller)
    done = claiming.claim(
        session, programme, member, code, source=caller.id, reference=entered["reference"]
    )
    detail = {"customer": caller.id, "reward": done.reward, "points": done.points}
    audit.record(session, caller, "reward.claimed", "claim", done.id, detail)
    return see(f"/my/claims/{ids.encode('clm', done.id)}")


@screen(blueprint, "GET", _CLAIM, access=_ME, summary=("一次兑换", "One claim"))
def get_claim(session: Session, caller: Caller, claim_id: int) -> str:
    """Show what was claimed, what it cost, and what may still be done about it."""
    programme, member = _need(session, caller)
    found = claiming.find_claim(session, programme, claim_id)
    if found.customer_id != member.customer_id:
        raise NotFound
    return render_template(
        "rewards/claim.html",
        claim=found,
        names=catalogue.find_reward(session, programme, found.reward).document["names"],
        available=_available(session, member),
    )


@screen(
    blueprint,
    "POST",
    f"{_CLAIM}/cancellation",
    access=_ME,
    idempotent=True,
    again=get_claim,
    summary=("取消兑换", "Cancel a claim"),
    problems=("claim-ended", "coupon-used"),
)
def post_cancellation(session: Session, caller: Caller, claim_id: int) -> Response:
    """Undo a claim that nobody used: the points go back to where they came from."""
    programme, member = _need(session, caller)
    done = claiming.cancel(session, programme, member, claim_id, "changed-mind", caller.id)
    detail = {"reason": "changed-mind", "points": done.points}
    audit.record(session, caller, "reward.cancelled", "claim", claim_id, detail)
    return see(f"/my/claims/{ids.encode('clm', claim_id)}")


def _membership(session: Session, caller: Caller) -> tuple[Programme, Member] | None:
    assert caller.customer_id is not None, "these pages are for customers alone"
    found = programmes.find_membership(session, caller.customer_id)
    if found is not None:
        show_zone(found[0].zone_name)
    return found


def _need(session: Session, caller: Caller) -> tuple[Programme, Member]:
    found = _membership(session, caller)
    if found is None:
        raise NotFound
    return found


def _available(session: Session, member: Member) -> int:
    return ledger.read_balance(session, member.points_wallet).available


def _offer(session: Session, programme: Programme, member: Member, reward: Reward) -> Offer:
    tier = tiers.current(session, programme, [member.customer_id])[member.customer_id]
    price, available = reward.price_for(tier), _available(session, member)
    return Offer(reward, price, available, _hurdle(session, reward, price, available))


def _hurdle(session: Session, reward: Reward, price: Price | None, available: int) -> str:
    if not reward.is_open_at(session.execute(NOW).scalar_one()):
        return "closed"
    if price is None:
        return "tier"
    if reward.left_in_stock <= 0:
        return "sold-out"
    return "points" if price.points > available else ""
