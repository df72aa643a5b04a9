"""The catalogue for everybody, claims for customers and their bank, terms for those who run it."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, programmes, proposals
from loyalty.programmes import IN_BODY
from loyalty.proposals import ProposalSchema, dump_proposal
from loyalty.rewards import catalogue, claiming
from loyalty.rewards.schemas import (
    ClaimEndSchema,
    ClaimPageSchema,
    ClaimSchema,
    NewClaimSchema,
    NewRewardSchema,
    ProgrammeBodySchema,
    RewardPageQuery,
    RewardPageSchema,
    dump_claim,
    dump_reward,
    write_document,
)
from loyalty.web import Access, Answer, Caller, cursors, endpoint, ids
from loyalty.web.fields import dump_instant

blueprint = Blueprint("rewards", __name__)

MAKERS = tuple(sorted(catalogue.MAKERS))
_REWARDS, _CLAIMS = "rewards", "claims"
_WHOSE = ("not-a-member", "programme-needed")


@endpoint(
    blueprint,
    "GET",
    "/v1/rewards",
    access=Access.token(),
    query=RewardPageQuery,
    answer=RewardPageSchema,
    summary=("礼品目录", "The catalogue of rewards"),
    problems=("invalid-cursor", "programme-needed", "not-found"),
    reading=True,
    tagged=True,
)
def get_rewards(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of the rewards whose terms are in force, the newest first."""
    programme = programmes.choose_programme(session, query["programme"])
    position = cursors.read(_REWARDS, query["cursor"])
    found = catalogue.list_rewards(
        session, programme, before=position[0] if position else None, limit=query["limit"] + 1
    )
    return cursors.page_of(
        _REWARDS, found, query["limit"], position=lambda one: [one.id], dump=dump_reward
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/rewards",
    access=Access.staff(*MAKERS),
    body=NewRewardSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提出礼品条款", "Propose the terms of a reward"),
    problems=("programme-needed", "not-found"),
)
def post_reward(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose a reward or its next version; it is in force once somebody else agrees."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    since = body["effective_from"]
    content = {
        "programme": programme.code,
        "code": body["code"],
        "effective_from": None if since is None else dump_instant(since),
        "terms": write_document(body["terms"]),
    }
    return dump_proposal(
        proposals.propose(session, caller, catalogue.TERMS, "reward", body["code"], content)
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/claims",
    access=Access.customer("rewards:read"),
    query=RewardPageQuery,
    answer=ClaimPageSchema,
    summary=("客户的兑换", "A customer's claims"),
    problems=("invalid-cursor", *_WHOSE),
    reading=True,
)
def get_claims(session: Session, customer_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of a customer's claims, the newest first."""
    programme = programmes.choose_programme(session, query["programme"])
    programmes.find_member(session, programme, customer_id)
    position = cursors.read(_CLAIMS, query["cursor"])
    found = claiming.list_claims(
        session,
        programme,
        customer_id,
        before=position[0] if position else None,
        limit=query["limit"] + 1,
    )
    return cursors.page_of(
        _CLAIMS, found, query["limit"], position=lambda one: [one.id], dump=dump_claim
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/claims",
    access=Access.customer("rewards:claim"),
    body=NewClaimSchema,
    answer=ClaimSchema,
    status=201,
    idempotent=True,
    summary=("积分兑换", "Claim a reward"),
    problems=(
        "insufficient",
        "reward-closed",
        "not-for-tier",
        "sold-out",
        "sold-out-today",
        "limit-reached",
        "budget-used-up",
        "coupon-halted",
        "coupon-over",
        "customer-erased",
        "reference-reused",
        *_WHOSE,
    ),
)
def post_reward_claim(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Spend points on a reward: the coupon or the order of goods comes with it, or nothing."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    member = programmes.find_active_member(session, programme, customer_id)
    done = claiming.claim(
        session,
        programme,
        member,
        body["reward"],
        source=caller.id,
        reference=body["reference"],
    )
    detail = {
        "customer": ids.encode("cus", customer_id),
        "reward": done.reward,
        "points": done.points,
    }
    audit.record(session, caller, "reward.claimed", "claim", done.id, detail)
    return dump_claim(done)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/claims/{claim_id}/cancellation",
    access=Access.customer("rewards:claim"),
    body=ClaimEndSchema,
    answer=ClaimSchema,
    idempotent=True,
    summary=("取消兑换", "Cancel a claim"),
    problems=("claim-ended", "coupon-used", *_WHOSE),
)
def post_cancellation(
    session: Session, caller: Caller, customer_id: int, claim_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Undo a claim that nobody used: the points go back to the lots that they came from."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    member = programmes.find_member(session, programme, customer_id)
    done = claiming.cancel(session, programme, member, claim_id, body["reason"], caller.id)
    detail = {"reason": body["reason"], "points": done.points}
    audit.record(session, caller, "reward.cancelled", "claim", claim_id, detail)
    return dump_claim(done)


@endpoint(
    blueprint,
    "POST",
    "/v1/claims/{claim_id}/delivery",
    access=Access.staff("coupon_operations", or_system="rewards:deliver"),
    body=ProgrammeBodySchema,
    answer=ClaimSchema,
    idempotent=True,
    summary=("确认交付", "Say that goods were delivered"),
    problems=("claim-ended", "programme-needed"),
)
def post_delivery(
    session: Session, caller: Caller, claim_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Record that the goods of a claim reached the customer."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    done = claiming.deliver(session, programme, claim_id, caller.id)
    audit.record(session, caller, "reward.delivered", "claim", claim_id)
    return dump_claim(done)
