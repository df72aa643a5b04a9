"""Disputes: a partner does not accept a line; two persons decide, and never edit what stands."""

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from ledger import Act, Entry, Move, Reverse
from loyalty import audit, partners
from loyalty.settlement.queries import list_lines, read_dispute, read_statement
from loyalty.settlement.telling import tell
from loyalty.web import Caller, NotFound, Refused, ids

OPEN = text("""
INSERT INTO loyalty.settlement_disputes (statement_id, line, reason, claimed, opened_by)
VALUES (:statement, :line, :reason, :claimed, :opened_by)
ON CONFLICT (statement_id, line) DO NOTHING RETURNING id
""")
END = text("""
INSERT INTO loyalty.settlement_outcomes (dispute_id, outcome, correction, decided_by)
VALUES (:dispute, :outcome, :correction, :decided_by)
ON CONFLICT (dispute_id) DO NOTHING RETURNING dispute_id
""")
# The leg of a redemption that made us owe: what is corrected downwards is taken back from it.
LEG = text("""
SELECT t.position FROM ledger.transfers t
JOIN ledger.entries e ON e.account_id = t.account_id AND e.id = t.entry_id AND e.kind = 'redeem'
WHERE t.account_id = :account AND t.position = :line AND t.to_account_id = t.account_id
""")

CORRECT, SOURCE = "correct", "settlement"


def open_dispute(
    session: Session,
    caller: Caller,
    partner_id: int,
    statement_id: int,
    *,
    line: int,
    reason: str,
    claimed: int,
) -> int:
    """Note that a partner does not accept a line, and what it should be; return its number.

    Raises `NotFound` for a line that is not in this statement of the partner's, or `Refused`
    with `line-disputed`.
    """
    statement = read_statement(session, partner_id, statement_id)
    accounts = partners.find_accounts(session, partner_id, statement.currency)
    found = list_lines(session, statement, accounts.borne, after=line - 1, limit=1)
    if not found or found[0].line != line:
        raise NotFound
    dispute: int | None = session.execute(
        OPEN,
        {
            "statement": statement_id,
            "line": line,
            "reason": reason,
            "claimed": claimed,
            "opened_by": caller.id,
        },
    ).scalar_one_or_none()
    if dispute is None:
        raise Refused("line-disputed")
    detail = {"statement": ids.encode("stm", statement_id), "line": line, "reason": reason}
    audit.record(session, caller, "dispute.opened", "dispute", dispute, detail)
    tell(session, "settlement.disputed", partner_id, statement_id, dispute)
    return dispute


def decide_dispute(
    session: Session, caller: Caller, partner_id: int, dispute_id: int, correction: int
) -> None:
    """Accept a dispute with a correction in minor units, or (0) reject it.

    The correction is a line of its own, in the period that is open now. Raises `NotFound`, or
    `Refused` with `dispute-decided` or `correction-too-large`.
    """
    dispute = read_dispute(session, partner_id, dispute_id)
    accounts = partners.find_accounts(session, partner_id, dispute.currency)
    ledger.lock(session, [accounts.payable])
    outcome = {
        "dispute": dispute_id,
        "outcome": "accepted" if correction else "rejected",
        "correction": correction,
        "decided_by": caller.id,
    }
    if session.execute(END, outcome).first() is None:
        raise Refused("dispute-decided")
    if correction:
        act = _correction(session, accounts, dispute.line, correction)
        _post(session, accounts.payable, dispute_id, dispute.line, act)
    audit.record(
        session,
        caller,
        f"dispute.{outcome['outcome']}",
        "dispute",
        dispute_id,
        {"correction": correction},
    )
    tell(session, "settlement.dispute_decided", partner_id, dispute.statement_id, dispute_id)


def _correction(session: Session, accounts: partners.Accounts, line: int, correction: int) -> Act:
    if correction > 0:
        return Move(accounts.house.adjusted, accounts.payable, correction)
    asked = {"account": accounts.payable, "line": line}
    position: int | None = session.execute(LEG, asked).scalar_one_or_none()
    if position is None:
        return Move(accounts.payable, accounts.house.adjusted, -correction)
    # Taken back from the redemption itself, so that a later reversal does not take it again.
    return Reverse(accounts.payable, position, -correction)


def _post(session: Session, account: int, dispute_id: int, line: int, act: Act) -> None:
    public = ids.encode("dsp", dispute_id)
    entry = Entry(
        account, SOURCE, f"dispute:{public}", CORRECT, (act,), cause={"dispute": public, "of": line}
    )
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused("correction-too-large")
