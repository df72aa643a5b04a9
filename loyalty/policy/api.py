"""The rules in force for all staff; putting a signed pack in force for compliance."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.policy import packs
from loyalty.policy.schemas import (
    NewPolicyPackSchema,
    PolicyPackSchema,
    PolicyRulesSchema,
    dump_pack,
    dump_rule,
)
from loyalty.settings import settings
from loyalty.staff.models import ROLES
from loyalty.web import Access, Caller, Refused, endpoint

blueprint = Blueprint("policy", __name__)


@endpoint(
    blueprint,
    "GET",
    "/v1/policy/rules",
    access=Access.staff(*ROLES),
    answer=PolicyRulesSchema,
    summary=("查看生效的合规规则", "See the rules in force"),
    problems=("no-policy-pack", "bad-policy-pack"),
    reading=True,
    tagged=True,
)
def get_rules(session: Session) -> dict[str, Any]:
    """Answer every rule of the pack in force: its source, texts, parameters and who sees to it."""
    pack = _in_force(session)
    return {"pack": dump_pack(pack), "rules": [dump_rule(rule) for rule in pack.rules]}


@endpoint(
    blueprint,
    "GET",
    "/v1/policy/pack",
    access=Access.staff(*ROLES),
    answer=PolicyPackSchema,
    summary=("查看生效的策略包", "See which policy pack is in force"),
    problems=("no-policy-pack", "bad-policy-pack"),
    reading=True,
    tagged=True,
)
def get_pack(session: Session) -> dict[str, Any]:
    """Answer which pack is in force now."""
    return dump_pack(_in_force(session))


@endpoint(
    blueprint,
    "POST",
    "/v1/policy/packs",
    access=Access.staff("compliance"),
    body=NewPolicyPackSchema,
    answer=PolicyPackSchema,
    status=201,
    idempotent=True,
    summary=("启用经签名的策略包", "Put a signed policy pack in force"),
    problems=("bad-policy-pack", "policy-version-taken"),
)
def post_pack(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Keep a pack that our key signed, in force from its date; its signature is the approval."""
    pack = packs.enact(session, settings().keys, body["pack"], body["signature"], caller.id)
    detail = {"sha256": pack.sha256.hex(), "jurisdiction": pack.jurisdiction}
    audit.record(session, caller, "policy.enacted", "policy", pack.version, detail)
    return dump_pack(pack)


def _in_force(session: Session) -> packs.Pack:
    try:
        return packs.pack_in_force(session, settings().keys)
    except packs.NoPack:
        raise Refused("no-policy-pack") from None
