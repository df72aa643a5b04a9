"""Confirmations for the bank's systems: events that points wait for."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from loyalty import audit, programmes
from loyalty.points import confirmation
from loyalty.points.confirmation_schemas import (
    ConfirmationsSchema,
    NewConfirmationsSchema,
    dump_confirmed,
    load_confirmation,
)
from loyalty.web import Access, Caller, Refused, endpoint

blueprint = Blueprint("confirmations", __name__)


@endpoint(
    blueprint,
    "POST",
    "/v1/confirmations",
    access=Access.system("confirmations:write"),
    body=NewConfirmationsSchema,
    answer=ConfirmationsSchema,
    status=201,
    idempotent=True,
    summary=("上报事件,使待确认的积分可用", "Report events that points wait for"),
    problems=(
        "unknown-purchase",
        "unknown-customer",
        "reference-reused",
        "future-dated",
        "programme-needed",
        "not-found",
    ),
)
def post_confirmations(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Record events and make usable what waited; a refused one does not stop the others."""
    programme = programmes.choose_programme(session, body["programme"], programmes.IN_BODY)
    reported = [load_confirmation(content) for content in body["confirmations"]]
    outcomes = confirmation.confirm(session, programme, caller.id, reported)
    if len(outcomes) == 1 and isinstance(outcomes[0], confirmation.Unconfirmed):
        raise Refused(outcomes[0].code)
    done = [outcome for outcome in outcomes if isinstance(outcome, confirmation.Confirmed)]
    fresh = [outcome for outcome in done if not outcome.replayed]
    detail = {
        "programme": programme.code,
        "recorded": len(fresh),
        "points": sum(outcome.points for outcome in fresh),
    }
    subject = done[0].confirmation_id if done else 0
    audit.record(session, caller, "points.confirmed", "confirmation", subject, detail)
    return {"confirmations": [dump_confirmed(outcome) for outcome in outcomes]}
