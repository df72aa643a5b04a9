"""Partners: how they begin, are suspended, come back and end."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.partners.models import ACTIVE, ENDED, SUSPENDED
from loyalty.partners.payables import open_accounts
from loyalty.web import Caller, NotFound, Refused

OPEN = text("""
INSERT INTO loyalty.partners (code, name_zh, name_en, currency, state)
VALUES (:code, :name_zh, :name_en, :currency, 'active')
ON CONFLICT (code) DO NOTHING RETURNING id
""")
LOCK = text("SELECT state FROM loyalty.partners WHERE id = :partner FOR NO KEY UPDATE")
CHANGE = text("UPDATE loyalty.partners SET state = :state WHERE id = :partner")
NOTE = text("""
INSERT INTO loyalty.partner_events (partner_id, number, state, reason, actor_id)
SELECT :partner, coalesce(max(number), 0) + 1, :state, :reason, :actor
FROM loyalty.partner_events WHERE partner_id = :partner
""")

FOLLOWING = {ACTIVE: {SUSPENDED, ENDED}, SUSPENDED: {ACTIVE, ENDED}, ENDED: set[str]()}


def open_partner(
    session: Session,
    caller: Caller,
    code: str,
    *,
    name_zh: str,
    name_en: str,
    currency: str = "CNY",
    reason: str = "onboarded",
) -> int:
    """Open an active partner with the accounts of what we owe it; return its number.

    Raises `Refused` with `partner-code-taken`.
    """
    names = {"code": code, "name_zh": name_zh, "name_en": name_en, "currency": currency}
    partner: int | None = session.execute(OPEN, names).scalar_one_or_none()
    if partner is None:
        raise Refused("partner-code-taken")
    open_accounts(session, partner, currency)
    _note(session, caller, partner, ACTIVE, reason)
    return partner


def change_state(
    session: Session, caller: Caller, partner_id: int, state: str, reason: str
) -> None:
    """Suspend a partner, let it come back, or end it.

    From then on `admit` refuses all that are not active. Raises `NotFound`, or `Refused` with
    `state-not-allowed`.
    """
    present = session.execute(LOCK, {"partner": partner_id}).scalar_one_or_none()
    if present is None:
        raise NotFound
    if state not in FOLLOWING[present]:
        raise Refused("state-not-allowed")
    session.execute(CHANGE, {"partner": partner_id, "state": state})
    _note(session, caller, partner_id, state, reason)


def _note(session: Session, caller: Caller, partner_id: int, state: str, reason: str) -> None:
    event = {"partner": partner_id, "state": state, "reason": reason, "actor": caller.id}
    session.execute(NOTE, event)
    audit.record(session, caller, f"partner.{state}", "partner", partner_id)
