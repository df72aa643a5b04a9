"""Benefits for apps and for those who serve them; what is offered and granted, for head office."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, programmes, tiers
from loyalty.benefits import offering, queries, usage
from loyalty.benefits.schemas import (
    EntitledSchema,
    NewBenefitSchema,
    NewEntitlementSchema,
    NewReversalSchema,
    NewUseSchema,
    OfferedSchema,
    OffersSchema,
    ProgrammeQuery,
    ReversedSchema,
    StandingsSchema,
    UsedSchema,
    dump_entitlement,
    dump_offer,
    dump_standings,
    dump_used,
)
from loyalty.programmes import IN_BODY, Programme
from loyalty.web import Access, Caller, Refused, endpoint, ids
from loyalty.web.fields import dump_instant

blueprint = Blueprint("benefits", __name__)

HEAD_OFFICE = "head_office"  # one source, so that two colleagues do not grant the same twice
_WHOSE = ("not-a-member", "programme-needed")
_NO_TIER = ("现行等级方案中没有这个等级", "is no tier of the ladder in force")
_NO_BENEFIT = ("没有这项权益", "is no benefit of this programme")


@endpoint(
    blueprint,
    "GET",
    "/v1/customers/{customer_id}/benefits",
    access=Access.customer("benefits:read"),
    query=ProgrammeQuery,
    answer=StandingsSchema,
    summary=("查询客户的权益", "Read a customer's benefits"),
    problems=_WHOSE,
    reading=True,
)
def get_benefits(session: Session, customer_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """Answer what the tier and grants allow, what was used in this period and what is left."""
    programme = programmes.choose_programme(session, query["programme"])
    programmes.find_member(session, programme, customer_id)
    standings = usage.read_benefits(session, programme, customer_id)
    return dump_standings(customer_id, programme, standings)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/benefits/{code}/uses",
    access=Access.system("benefits:use"),
    body=NewUseSchema,
    answer=UsedSchema,
    status=201,
    idempotent=True,
    summary=("使用权益", "Use a benefit"),
    problems=(
        "not-entitled",
        "quota-used-up",
        "too-many-guests",
        "reference-reused",
        "customer-erased",
        *_WHOSE,
    ),
)
def post_use(
    session: Session, caller: Caller, customer_id: int, code: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Record a use, if the customer has one left; the answer says how many are left after it."""
    programme = programmes.choose_programme(session, body.pop("programme"), IN_BODY)
    programmes.find_active_member(session, programme, customer_id)
    used = usage.use_benefit(session, programme, customer_id, code, source=caller.id, **body)
    detail = {
        "customer": ids.encode("cus", customer_id),
        "benefit": code,
        "units": used.units,
        "guests": used.guests,
    }
    audit.record(session, caller, "benefit.used", "usage", used.use_id, detail)
    return dump_used(used)


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/uses/{usage_id}/reversals",
    access=Access.system("benefits:use"),
    body=NewReversalSchema,
    answer=ReversedSchema,
    status=201,
    idempotent=True,
    summary=("撤销一次使用", "Undo a use"),
    problems=("already-reversed", "reference-reused", *_WHOSE),
)
def post_use_reversal(
    session: Session, caller: Caller, customer_id: int, usage_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Undo a use of the caller's own, once; what it counted is free again in its period."""
    programme = programmes.choose_programme(session, body.pop("programme"), IN_BODY)
    programmes.find_member(session, programme, customer_id)
    undone = usage.reverse_use(session, programme, customer_id, usage_id, source=caller.id, **body)
    answer = {"usage_id": ids.encode("use", undone), "reverses": ids.encode("use", usage_id)}
    detail = {"customer": ids.encode("cus", customer_id), "reverses": answer["reverses"]}
    audit.record(session, caller, "benefit.use_reversed", "usage", undone, detail)
    return answer


@endpoint(
    blueprint,
    "GET",
    "/v1/programmes/{code}/benefits",
    access=Access.token(),
    answer=OffersSchema,
    summary=("查看计划的权益", "See a programme's benefits"),
    reading=True,
    tagged=True,
)
def get_offers(session: Session, code: str) -> dict[str, Any]:
    """Answer the benefits of a programme with the terms in force, by tier."""
    programme = programmes.find_programme(session, code)
    offers = queries.list_offers(session, programme)
    return {"programme": programme.code, "benefits": [dump_offer(offer) for offer in offers]}


@endpoint(
    blueprint,
    "POST",
    "/v1/benefits",
    access=Access.staff(HEAD_OFFICE),
    body=NewBenefitSchema,
    answer=OfferedSchema,
    status=201,
    idempotent=True,
    summary=("开设权益或增加条款版本", "Open a benefit, or add a version of its terms"),
    problems=("reference-reused", "terms-exist", "programme-needed", "not-found"),
)
def post_benefit(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Write the next version of a benefit's terms; the first opens the benefit."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    since = body["effective_from"] or datetime.now(UTC)
    code = body["code"]
    version = offering.offer_benefit(
        session,
        programme,
        code,
        kind=body["kind"],
        name_zh=body["name"]["zh"],
        name_en=body["name"]["en"],
        period=body["period"],
        tiers=_by_tier(session, programme, body["tiers"]),
        effective_from=since,
        promise_minutes=body["promise_minutes"],
    )
    detail = {"programme": programme.code, "version": version, "since": dump_instant(since)}
    audit.record(session, caller, "benefit.offered", "benefit", code, detail)
    return {"code": code, "version": version, "effective_from": dump_instant(since)}


@endpoint(
    blueprint,
    "POST",
    "/v1/customers/{customer_id}/entitlements",
    access=Access.staff(HEAD_OFFICE),
    body=NewEntitlementSchema,
    answer=EntitledSchema,
    status=201,
    idempotent=True,
    summary=("为客户另行授予权益", "Grant a customer uses beside their tier's"),
    problems=("reference-reused", "customer-erased", *_WHOSE),
)
def post_entitlement(
    session: Session, caller: Caller, customer_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Grant uses of a benefit between two instants; the same reference grants once."""
    programme = programmes.choose_programme(session, body["programme"], IN_BODY)
    programmes.find_active_member(session, programme, customer_id)
    if body["benefit"] not in {offer.code for offer in queries.list_offers(session, programme)}:
        fault = {"pointer": "/benefit", "code": "unknown", "detail": _NO_BENEFIT}
        raise Refused("invalid-content", errors=[fault])
    offering.grant_benefit(
        session,
        programme,
        customer_id,
        body["benefit"],
        quota=body["quota"],
        starts_at=body["starts_at"],
        ends_at=body["ends_at"],
        source=HEAD_OFFICE,
        reference=body["reference"],
        reason=body["reason"],
    )
    detail = {name: body[name] for name in ("benefit", "quota", "reason")}
    audit.record(session, caller, "benefit.granted", "customer", customer_id, detail)
    return dump_entitlement(customer_id, body)


def _by_tier(
    session: Session, programme: Programme, allowances: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return allowances by the tier's code. Raises `Refused` where the ladder lacks a tier."""
    known = {tier.code for tier in tiers.ladder_in_force(session, programme).tiers}
    faults = [
        {"pointer": f"/tiers/{place}/tier", "code": "unknown", "detail": _NO_TIER}
        for place, allowance in enumerate(allowances)
        if allowance["tier"] not in known
    ]
    if faults:
        raise Refused("invalid-content", errors=faults)
    return {
        allowance["tier"]: {"quota": allowance["quota"], "guests": allowance["guests"]}
        for allowance in allowances
    }
