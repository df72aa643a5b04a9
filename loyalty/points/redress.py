"""Redress: what two people agreed to do to a customer's points, written as one entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

import ledger
from loyalty import audit, outbox, programmes
from loyalty.programmes import Member, Programme
from loyalty.proposals import Proposal
from loyalty.web import Caller, Refused, ids

MakeAct = Callable[[Programme, Member], ledger.Act]


def post_agreed(
    session: Session,
    caller: Caller,
    proposal: Proposal,
    make_act: MakeAct,
    *,
    source: str,
    kind: str,
    done: str,
    detail: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the act that a proposal about a customer asks for; return entry and balance after.

    `source` and `kind` are the entry's, `done` names it in the trail, with `detail`, and to the
    outbox. Raises `Refused` with the ledger's code.
    """
    content = proposal.content
    programme = programmes.find_programme(session, content["programme"])
    customer_id = ids.decode("cus", proposal.subject_id)
    member = programmes.find_active_member(session, programme, customer_id)
    entry = ledger.Entry(
        account=member.points_wallet,
        source=source,
        reference=ids.encode("prp", proposal.id),
        kind=kind,
        acts=(make_act(programme, member),),
        cause={"proposal": proposal.id, "reason": content["reason"], "case": content["case"]},
    )
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused(outcome.code)
    number = ids.encode("ent", outcome.entry_id)
    audit.record(session, caller, done, "customer", customer_id, {"entry": number, **detail})
    outbox.publish(session, done, f"programme:{programme.id}", {"entry": outcome.entry_id})
    return {"entry_id": number, "balance": outcome.lines[-1].balance_after}
