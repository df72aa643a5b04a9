"""Why a line stands in a statement: its purchase, the rules with their arithmetic, its lots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

import ledger
from loyalty.points import wording
from loyalty.points.queries import Award, read_award
from loyalty.programmes import Member, Programme


@dataclass(frozen=True, slots=True)
class Why:
    """A line with its reasons: `reasons` as pairs of words, `sources` the lines it drew from."""

    line: ledger.StatementLine
    award: Award | None
    reasons: list[tuple[str, str]]
    sources: list[tuple[ledger.StatementLine, int]]
    terms: dict[str, Any] | None


def explain_line(
    session: Session, programme: Programme, member: Member, position: int
) -> Why | None:
    """Return why a member's line stands there, or None where their log is not that long."""
    line = ledger.read_line(session, member.points_wallet, position)
    if line is None:
        return None
    number = (line.cause or {}).get("purchase")
    award = None
    if isinstance(number, int):
        award = read_award(session, programme, member.customer_id, number)
    results = [] if award is None else award.purchase.results
    sources = []
    for lot, amount in line.lots:
        source = ledger.read_line(session, member.points_wallet, lot)
        assert source is not None, "a lot is the line that opened it"
        sources.append((source, amount))
    return Why(
        line=line,
        award=award,
        reasons=[wording.explain_result(result) for result in results],
        sources=sources,
        terms=None if line.terms is None else ledger.read_terms(session, line.terms),
    )
