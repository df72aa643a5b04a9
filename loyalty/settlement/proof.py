"""A statement that proves itself: its part of the sealed log, under a signed checkpoint."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger

ENTRY = text("""
SELECT coalesce(max(id), 0) FROM ledger.entries
WHERE account_id = :account AND position <= :position AND transfers > 0
""")


def prove_statement(
    session: Session, statement: Any, *, after_entry: int, limit: int
) -> dict[str, Any]:
    """Return the lines of a statement with their proofs, as the verifier reads them.

    `opening` and `closing` say what the lines must lead from and to. Continue after `next`.
    """
    first = _entry_at(session, statement, statement.first_position - 1)
    document = ledger.export_statement(
        session,
        statement.account_id,
        after_entry=max(after_entry, first),
        through_entry=_entry_at(session, statement, statement.last_position),
        limit=limit,
    )
    assert document is not None, "a statement is of a wallet"
    whole = document["after_entry"] == first and document["next"] is None
    if whole:
        document["period"] = {
            "first_position": statement.first_position,
            "last_position": statement.last_position,
            "opening": statement.opening,
            "closing": statement.closing,
        }
    return document


def _entry_at(session: Session, statement: Any, position: int) -> int:
    asked = {"account": statement.account_id, "position": position}
    entry: int = session.execute(ENTRY, asked).scalar_one()
    return entry
