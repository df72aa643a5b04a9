"""Releasing: paying what the newest statement owes, once two persons agreed to the amount."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from ledger import Entry, Move
from loyalty import audit, partners
from loyalty.settlement.queries import read_statement
from loyalty.settlement.telling import tell
from loyalty.web import Caller, Refused, ids

PAY, SOURCE = "pay", "settlement"

NEWEST = text("""
SELECT max(number) FROM loyalty.settlement_statements WHERE account_id = :account
""")
# What was paid since the statement's end.
PAID_SINCE = text("""
SELECT coalesce(sum(t.amount), 0)::bigint FROM ledger.entries e
JOIN ledger.transfers t ON t.account_id = e.account_id AND t.entry_id = e.id
WHERE e.account_id = :account AND e.kind = 'pay' AND t.position > :last
    AND t.from_account_id = t.account_id
""")
PAYMENT = text("""
INSERT INTO loyalty.settlement_payments (statement_id, amount, entry_id, released_by)
VALUES (:statement, :amount, :entry, :released_by)
""")


def amount_due(session: Session, partner_id: int, statement_id: int) -> int:
    """Return what the newest statement owes less what was paid since; 0 where nothing is due.

    Raises `NotFound`, or `Refused` with `newer-statement`.
    """
    statement = read_statement(session, partner_id, statement_id)
    if session.execute(NEWEST, {"account": statement.account_id}).scalar_one() > statement.number:
        raise Refused("newer-statement")
    asked = {"account": statement.account_id, "last": statement.last_position}
    paid: int = session.execute(PAID_SINCE, asked).scalar_one()
    return max(0, int(statement.closing) - paid)


def release(
    session: Session, caller: Caller, partner_id: int, statement_id: int, amount: int
) -> int:
    """Post the payment of exactly what is due on a statement and return the entry's number.

    Raises `NotFound`, or `Refused` with `newer-statement`, or `nothing-due` where another amount
    is due or reversals since took it up.
    """
    statement = read_statement(session, partner_id, statement_id)
    accounts = partners.find_accounts(session, partner_id, statement.currency)
    ledger.lock(session, [accounts.payable])
    if amount <= 0 or amount != amount_due(session, partner_id, statement_id):
        raise Refused("nothing-due")
    entry = _post(session, accounts, statement, amount)
    public = ids.encode("ent", entry)
    payment = {
        "statement": statement_id,
        "amount": amount,
        "entry": entry,
        "released_by": caller.id,
    }
    session.execute(PAYMENT, payment)
    audit.record(
        session,
        caller,
        "settlement.released",
        "statement",
        statement_id,
        {"amount": amount, "entry": public},
    )
    tell(session, "settlement.released", partner_id, statement_id)
    return entry


def _post(session: Session, accounts: partners.Accounts, statement: Any, amount: int) -> int:
    public = ids.encode("stm", statement.id)
    pay = Move(accounts.payable, accounts.house.redeemed, amount)
    entry = Entry(
        accounts.payable, SOURCE, f"release:{public}", PAY, (pay,), cause={"statement": public}
    )
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        raise Refused("nothing-due")
    return outcome.entry_id
