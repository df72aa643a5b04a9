"""Partners for those who look after them, and for their own systems."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, proposals
from loyalty.partners import credentials, onboarding, outlets, proposing, queries, staffing
from loyalty.partners.schemas import (
    ClerkChangesSchema,
    ClerkSchema,
    ClerksPageSchema,
    ClientKeySchema,
    KeyIdSchema,
    NewClerkSchema,
    NewOutletSchema,
    NewPartnerClientSchema,
    NewPartnerSchema,
    OutletChangesSchema,
    OutletSchema,
    OutletsPageSchema,
    PartnerClientsPageSchema,
    PartnerSchema,
    PartnersPageSchema,
    ShownPasswordSchema,
    ShownSecretSchema,
    StateChangeSchema,
    SuspensionSchema,
    dump_clerk,
    dump_client,
    dump_outlet,
    dump_partner,
)
from loyalty.proposals import ProposalSchema, dump_proposal
from loyalty.web import Access, Answer, Caller, cursors, endpoint, ids
from loyalty.web.cursors import PageQuery

blueprint = Blueprint("partners", __name__)

READERS = ("partner_manager", "finance", "head_office", "coupon_operations", "auditor")
MANAGER = Access.staff("partner_manager")
SHOWN_ONCE = "it shows a secret, which must not be kept to be shown again"
_NO_STORE = {"Cache-Control": "no-store"}


def _page(
    name: str,
    query: dict[str, Any],
    read: Callable[..., list[Any]],
    dump: Callable[[Any], dict[str, Any]],
) -> Answer:
    """Return one page of a list that is read by the number of its rows, oldest first."""
    position = cursors.read(name, query["cursor"])
    limit = query["limit"]
    rows = read(after=position[0] if position else 0, limit=limit + 1)
    return cursors.page_of(name, rows, limit, position=lambda row: [row.id], dump=dump)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners",
    access=MANAGER,
    body=NewPartnerSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议接入合作方", "Propose a partner"),
)
def post_partner(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Propose a partner with its first outlets, for finance or head office to agree to."""
    made = proposals.propose(session, caller, proposing.ONBOARDING, "partner", body["code"], body)
    return dump_proposal(made)


@endpoint(
    blueprint,
    "GET",
    "/v1/partners",
    access=Access.staff(*READERS),
    query=PageQuery,
    answer=PartnersPageSchema,
    summary=("查看合作方列表", "List partners"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_partners(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of partners, oldest first."""
    return _page("partners", query, partial(queries.list_partners, session), dump_partner)


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}",
    access=Access.partner("partners:read", staff=READERS),
    answer=PartnerSchema,
    summary=("查看合作方", "Read a partner"),
    reading=True,
    tagged=True,
)
def get_partner(session: Session, partner_id: int) -> dict[str, Any]:
    """Answer a partner; a partner's own systems may ask for `me`."""
    return dump_partner(queries.read_partner(session, partner_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/suspension",
    access=Access.staff("partner_manager", "finance", "head_office", "operations"),
    body=SuspensionSchema,
    answer=PartnerSchema,
    idempotent=True,
    summary=("立即暂停合作方", "Suspend a partner at once"),
    problems=("state-not-allowed",),
)
def post_partner_suspension(
    session: Session, caller: Caller, partner_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Suspend a partner; one person may, and two are needed to let it come back."""
    onboarding.change_state(session, caller, partner_id, "suspended", body["reason"])
    return dump_partner(queries.read_partner(session, partner_id))


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/state",
    access=MANAGER,
    body=StateChangeSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议恢复或终止合作方", "Propose that a partner comes back or ends"),
)
def post_partner_state(
    session: Session, caller: Caller, partner_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose the state that a partner is to have, for finance or head office to agree to."""
    made = proposals.propose(session, caller, proposing.STATE, "partner", partner_id, body)
    return dump_proposal(made)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/outlets",
    access=MANAGER,
    body=NewOutletSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议开设门店", "Propose an outlet"),
)
def post_outlet(
    session: Session, caller: Caller, partner_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose an outlet of a partner, for finance or head office to agree to."""
    made = proposals.propose(session, caller, proposing.OUTLET, "partner", partner_id, body)
    return dump_proposal(made)


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/outlets",
    access=Access.partner("partners:read", staff=READERS),
    query=PageQuery,
    answer=OutletsPageSchema,
    summary=("查看门店列表", "List a partner's outlets"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_outlets(session: Session, partner_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of a partner's outlets, oldest first."""
    queries.read_partner(session, partner_id)
    return _page("outlets", query, partial(queries.list_outlets, session, partner_id), dump_outlet)


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/outlets/{outlet_id}",
    access=Access.partner("partners:read", staff=READERS),
    answer=OutletSchema,
    summary=("查看门店", "Read an outlet"),
    reading=True,
    tagged=True,
)
def get_outlet(session: Session, partner_id: int, outlet_id: int) -> dict[str, Any]:
    """Answer one outlet of a partner."""
    return dump_outlet(queries.read_outlet(session, partner_id, outlet_id))


def _hold_outlet(session: Session, partner_id: int, outlet_id: int) -> dict[str, Any]:
    return dump_outlet(queries.read_outlet(session, partner_id, outlet_id, hold=True))


@endpoint(
    blueprint,
    "PATCH",
    "/v1/partners/{partner_id}/outlets/{outlet_id}",
    access=MANAGER,
    body=OutletChangesSchema,
    status=204,
    idempotent=True,
    edits=_hold_outlet,
    summary=("变更或关闭门店", "Change, close or open an outlet"),
)
def patch_outlet(
    session: Session, caller: Caller, partner_id: int, outlet_id: int, body: dict[str, Any]
) -> None:
    """Change an outlet's name, address or hours, close it for now or open it again."""
    changes = {name: value for name, value in body.items() if name != "name"}
    if "name" in body:
        changes |= {"name_zh": body["name"]["zh"], "name_en": body["name"]["en"]}
    outlets.change_outlet(session, caller, partner_id, outlet_id, changes)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clients",
    access=MANAGER,
    body=NewPartnerClientSchema,
    answer=ProposalSchema,
    status=201,
    idempotent=True,
    summary=("提议为合作方添加系统凭据", "Propose a client of a partner"),
)
def post_partner_client(
    session: Session, caller: Caller, partner_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Propose a client; its secret is drawn once it exists, and nobody sees it before."""
    numbers = body["outlets"]
    credentials.check_outlets(session, partner_id, numbers)
    named = None if numbers is None else [ids.encode("otl", number) for number in numbers]
    content = {**body, "scopes": sorted(set(body["scopes"])), "outlets": named}
    made = proposals.propose(session, caller, proposing.CLIENT, "partner", partner_id, content)
    return dump_proposal(made)


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/clients",
    access=Access.staff(*READERS, "security_admin"),
    query=PageQuery,
    answer=PartnerClientsPageSchema,
    summary=("查看合作方的系统凭据", "List a partner's clients"),
    problems=("invalid-cursor",),
    reading=True,
)
def get_partner_clients(session: Session, partner_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of a partner's clients, without any secret."""
    queries.read_partner(session, partner_id)
    return _page(
        "partner-clients",
        query,
        partial(credentials.list_credentials, session, partner_id),
        dump_client,
    )


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clients/{client_id}/secrets",
    access=MANAGER,
    answer=ShownSecretSchema,
    status=201,
    not_idempotent=SHOWN_ONCE,
    summary=("生成密钥(仅显示一次)", "Draw a secret, shown once"),
    problems=("too-many-secrets",),
)
def post_client_secret(session: Session, caller: Caller, partner_id: int, client_id: int) -> Answer:
    """Answer a new secret; the older one works until the older ones are revoked."""
    secret = credentials.draw_secret(session, caller, partner_id, client_id)
    shown = {"client_id": ids.encode("cli", client_id), "secret": secret}
    return Answer(shown, headers=_NO_STORE)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clients/{client_id}/secrets/revocation",
    access=MANAGER,
    status=204,
    idempotent=True,
    summary=("撤销旧密钥", "Revoke the older secrets"),
)
def post_secrets_revocation(
    session: Session, caller: Caller, partner_id: int, client_id: int
) -> None:
    """Leave a client its newest secret alone: the end of a rotation."""
    credentials.revoke_older_secrets(session, caller, partner_id, client_id)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clients/{client_id}/keys",
    access=MANAGER,
    body=ClientKeySchema,
    answer=KeyIdSchema,
    status=201,
    idempotent=True,
    summary=("登记公钥", "Register a public key"),
    problems=("invalid-key",),
)
def post_client_key(
    session: Session, caller: Caller, partner_id: int, client_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Register a public key with which a client signs its assertions and its calls."""
    kid = credentials.add_key(session, caller, partner_id, client_id, body)
    return {"client_id": ids.encode("cli", client_id), "key_id": kid}


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clients/{client_id}/keys/{key_id}/revocation",
    access=MANAGER,
    status=204,
    idempotent=True,
    summary=("撤销公钥", "Revoke a public key"),
)
def post_key_revocation(
    session: Session, caller: Caller, partner_id: int, client_id: int, key_id: str
) -> None:
    """Accept nothing any longer that this key has signed."""
    credentials.revoke_key(session, caller, partner_id, client_id, key_id)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clients/{client_id}/revocation",
    access=Access.staff("partner_manager", "security_admin"),
    status=204,
    idempotent=True,
    summary=("停用系统凭据", "Revoke a client for ever"),
)
def post_client_revocation(
    session: Session, caller: Caller, partner_id: int, client_id: int
) -> None:
    """Refuse a client from now on; tokens that it has die within half a minute."""
    credentials.revoke_credential(session, caller, partner_id, client_id)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clerks",
    access=MANAGER,
    body=NewClerkSchema,
    answer=ShownPasswordSchema,
    status=201,
    not_idempotent=SHOWN_ONCE,
    summary=("添加店员(密码仅显示一次)", "Add a clerk; the password is shown once"),
    problems=("login-taken",),
)
def post_clerk(session: Session, caller: Caller, partner_id: int, body: dict[str, Any]) -> Answer:
    """Add somebody to an outlet's counter."""
    clerk, password = staffing.add_clerk(
        session, caller, partner_id, body["outlet_id"], body["login"], body["name"]
    )
    shown = {"clerk_id": ids.encode("clk", clerk), "password": password}
    return Answer(shown, headers=_NO_STORE)


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/clerks",
    access=Access.staff("partner_manager", "auditor"),
    query=PageQuery,
    answer=ClerksPageSchema,
    summary=("查看店员", "List a partner's clerks"),
    problems=("invalid-cursor",),
)
def get_clerks(session: Session, caller: Caller, partner_id: int, query: dict[str, Any]) -> Answer:
    """Answer one page of the people at a partner's counters; leaves a row in the audit trail."""
    queries.read_partner(session, partner_id)
    audit.record(session, caller, "clerk.listed", "partner", partner_id)
    return _page("clerks", query, partial(queries.list_clerks, session, partner_id), dump_clerk)


@endpoint(
    blueprint,
    "GET",
    "/v1/partners/{partner_id}/clerks/{clerk_id}",
    access=Access.staff("partner_manager", "auditor"),
    answer=ClerkSchema,
    summary=("查看一名店员", "Read a clerk"),
    tagged=True,
)
def get_clerk(session: Session, caller: Caller, partner_id: int, clerk_id: int) -> dict[str, Any]:
    """Answer somebody at a partner's counter; leaves a row in the audit trail."""
    clerk = queries.read_clerk(session, partner_id, clerk_id)
    audit.record(session, caller, "clerk.read", "clerk", clerk_id)
    return dump_clerk(clerk)


def _hold_clerk(session: Session, partner_id: int, clerk_id: int) -> dict[str, Any]:
    return dump_clerk(queries.read_clerk(session, partner_id, clerk_id, hold=True))


@endpoint(
    blueprint,
    "PATCH",
    "/v1/partners/{partner_id}/clerks/{clerk_id}",
    access=MANAGER,
    body=ClerkChangesSchema,
    status=204,
    idempotent=True,
    edits=_hold_clerk,
    summary=("启用或停用店员", "Enable or disable a clerk"),
)
def patch_clerk(
    session: Session, caller: Caller, partner_id: int, clerk_id: int, body: dict[str, Any]
) -> None:
    """Let somebody work at the counter, or no longer."""
    enabled = body["is_enabled"]
    staffing.enable_clerk(session, caller, partner_id, clerk_id, enabled=enabled)


@endpoint(
    blueprint,
    "POST",
    "/v1/partners/{partner_id}/clerks/{clerk_id}/password",
    access=MANAGER,
    answer=ShownPasswordSchema,
    status=201,
    not_idempotent=SHOWN_ONCE,
    summary=("重置店员密码(仅显示一次)", "Draw a clerk's new password, shown once"),
)
def post_clerk_password(session: Session, caller: Caller, partner_id: int, clerk_id: int) -> Answer:
    """Answer a new password for somebody who lost theirs."""
    password = staffing.reset_password(session, caller, partner_id, clerk_id)
    shown = {"clerk_id": ids.encode("clk", clerk_id), "password": password}
    return Answer(shown, headers=_NO_STORE)
