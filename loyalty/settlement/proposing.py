"""What of settlement takes two: paying a statement, and the outcome of a dispute."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from loyalty import proposals
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.settlement.disputing import decide_dispute
from loyalty.settlement.queries import read_dispute
from loyalty.settlement.releasing import amount_due, release
from loyalty.web import Bilingual, Caller, ids


def _release(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    partner, statement = _numbers("stm", proposal.subject_id, proposal.content)
    entry = release(session, caller, partner, statement, proposal.content["amount"])
    return {"entry_id": ids.encode("ent", entry)}


def _look_at_due(session: Session, subject_id: str, content: Mapping[str, Any]) -> int:
    return amount_due(session, *_numbers("stm", subject_id, content))


def _decide(session: Session, caller: Caller, proposal: Proposal) -> None:
    partner, dispute = _numbers("dsp", proposal.subject_id, proposal.content)
    decide_dispute(session, caller, partner, dispute, proposal.content["correction"])


def _look_at_outcome(session: Session, subject_id: str, content: Mapping[str, Any]) -> Any:
    return read_dispute(session, *_numbers("dsp", subject_id, content)).outcome


def _numbers(prefix: str, subject_id: str, content: Mapping[str, Any]) -> tuple[int, int]:
    return ids.decode("prt", content["partner_id"]), ids.decode(prefix, subject_id)


RELEASE = proposals.register(
    Kind(
        name="settlement.release",
        title=Bilingual("支付结算单", "Pay a statement"),
        makers=frozenset({"finance"}),
        seats=(Seat.of("finance", "finance", "head_office"),),
        apply=_release,
        look=_look_at_due,
    )
)
OUTCOME = proposals.register(
    Kind(
        name="settlement.dispute",
        title=Bilingual("裁定结算争议", "Decide a dispute about a statement"),
        makers=frozenset({"finance", "partner_manager"}),
        seats=(Seat.of("finance", "finance", "head_office"),),
        apply=_decide,
        look=_look_at_outcome,
    )
)
