"""Agreement to an erasure: what cannot be undone takes two people."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from loyalty import audit, proposals, vault
from loyalty.customers.erasure import erase
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, ids


def _look(session: Session, customer: str, _content: Mapping[str, Any]) -> dict[str, bool]:
    erased = vault.find_receipt(session, ids.decode("cus", customer)) is not None
    return {"erased": erased}


def _apply(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    customer_id = ids.decode("cus", proposal.subject_id)
    reason = vault.Reason(proposal.content["reason"])
    receipt = erase(session, customer_id, reason)
    detail = {"reason": reason.value, "proposal": ids.encode("prp", proposal.id)}
    audit.record(session, caller, "customer.erased", "customer", customer_id, detail)
    return {"statement": receipt.statement, "signature": receipt.signature.hex()}


ERASURE = proposals.register(
    Kind(
        name="customers.erasure",
        title=Bilingual("删除客户个人信息", "Erase a customer's personal data"),
        makers=frozenset({"data_officer"}),
        seats=(Seat.of("second", "data_officer", "compliance", "head_office"),),
        apply=_apply,
        look=_look,
    )
)
