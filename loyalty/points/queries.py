"""What a customer may read of their points, and why each line stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.points.refunds import assess_again
from loyalty.programmes import Member, Programme

PURCHASE = text("""
SELECT p.id, p.source, p.reference, p.purchased_at, p.amount, p.category, p.outlet, p.channel,
    a.points, a.status_points, a.inputs, a.results
FROM loyalty.purchases p JOIN loyalty.awards a ON a.purchase_id = p.id
WHERE p.id = :id AND p.programme_id = :programme AND p.customer_id = :customer
""")


@dataclass(frozen=True, slots=True)
class Award:
    """A purchase with what it earned; `same_again` says that the rules still give just that."""

    purchase: Any
    same_again: bool


def read_award(
    session: Session, programme: Programme, customer_id: int, purchase_id: int
) -> Award | None:
    """Return a customer's purchase with its award, run again now, or None."""
    row = session.execute(
        PURCHASE, {"id": purchase_id, "programme": programme.id, "customer": customer_id}
    ).one_or_none()
    if row is None:
        return None
    again = [result.dump() for result in assess_again(session, programme, row, row.amount)]
    return Award(row, same_again=again == row.results)


def read_lines(
    session: Session, member: Member, *, before: int | None, limit: int
) -> list[ledger.StatementLine]:
    """Return lines of a member's points, newest first, before a position."""
    return ledger.read_statement(session, member.points_wallet, before=before, limit=limit)
