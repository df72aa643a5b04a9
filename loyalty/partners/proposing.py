"""What about partners takes two: opening one, its outlets and clients, and its coming back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from loyalty import proposals
from loyalty.partners.credentials import Limits, add_credential
from loyalty.partners.onboarding import change_state, open_partner
from loyalty.partners.outlets import open_outlet
from loyalty.partners.queries import read_partner
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, ids

MAKERS = frozenset({"partner_manager"})
SEATS = (Seat.of("approval", "finance", "head_office"),)


def _apply_onboarding(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    content = proposal.content
    partner = open_partner(
        session,
        caller,
        content["code"],
        name_zh=content["name"]["zh"],
        name_en=content["name"]["en"],
        currency=content["currency"],
    )
    outlets = [_open_outlet(session, caller, partner, outlet) for outlet in content["outlets"]]
    return {"partner_id": ids.encode("prt", partner), "outlet_ids": outlets}


def _apply_outlet(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    outlet = _open_outlet(session, caller, _partner_of(proposal), proposal.content)
    return {"outlet_id": outlet}


def _open_outlet(session: Session, caller: Caller, partner: int, outlet: Mapping[str, Any]) -> str:
    number = open_outlet(
        session,
        caller,
        partner,
        outlet["code"],
        name_zh=outlet["name"]["zh"],
        name_en=outlet["name"]["en"],
        address=outlet["address"],
        zone=outlet["zone"],
        opening_hours=outlet["opening_hours"],
    )
    return ids.encode("otl", number)


def _apply_client(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    content = proposal.content
    partner = _partner_of(proposal)
    outlets = content["outlets"]
    limits = Limits(
        content["series"],
        None if outlets is None else [ids.decode("otl", outlet) for outlet in outlets],
        content["signature_required"],
    )
    code = read_partner(session, partner).code
    client = add_credential(
        session,
        caller,
        partner,
        f"{code}/{content['name']}",
        content["scopes"],
        limits=limits,
        sandbox=content["sandbox"],
    )
    return {"client_id": ids.encode("cli", client)}


def _apply_state(session: Session, caller: Caller, proposal: Proposal) -> None:
    change = proposal.content
    change_state(session, caller, _partner_of(proposal), change["state"], change["reason"])


def _look_at_state(session: Session, subject_id: str, _content: Mapping[str, Any]) -> str:
    return str(read_partner(session, ids.decode("prt", subject_id)).state)


def _partner_of(proposal: Proposal) -> int:
    return ids.decode("prt", proposal.subject_id)


ONBOARDING = proposals.register(
    Kind(
        name="partner.onboarding",
        title=Bilingual("接入合作方", "Open a partner"),
        makers=MAKERS,
        seats=SEATS,
        apply=_apply_onboarding,
    )
)
OUTLET = proposals.register(
    Kind(
        name="partner.outlet",
        title=Bilingual("开设合作方门店", "Open an outlet of a partner"),
        makers=MAKERS,
        seats=SEATS,
        apply=_apply_outlet,
        look=_look_at_state,
    )
)
CLIENT = proposals.register(
    Kind(
        name="partner.client",
        title=Bilingual("为合作方添加系统凭据", "Add a client of a partner"),
        makers=MAKERS,
        seats=SEATS,
        apply=_apply_client,
        look=_look_at_state,
    )
)
STATE = proposals.register(
    Kind(
        name="partner.state",
        title=Bilingual("恢复或终止合作方", "Let a partner come back, or end it"),
        makers=MAKERS,
        seats=SEATS,
        apply=_apply_state,
        look=_look_at_state,
    )
)
