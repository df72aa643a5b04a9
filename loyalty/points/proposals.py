"""Proposals: versions of earning rules with what became of them, for those who decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.web import NotFound

PROPOSED, APPROVED, REJECTED = "proposed", "approved", "rejected"
STATES = (PROPOSED, APPROVED, REJECTED)

_SELECT = """
SELECT r.id, p.code AS programme, r.code, r.version, coalesce(d.verdict, 'proposed') AS state,
    r.effective_from, r.effective_until, r.document, encode(r.digest, 'hex') AS digest, r.terms,
    r.proposed_by, r.proposed_at, d.decided_by, d.decided_at, d.comment
FROM loyalty.earning_rules r JOIN loyalty.programmes p ON p.id = r.programme_id
LEFT JOIN loyalty.earning_rule_decisions d ON d.rule_id = r.id
"""
ONE = text(f"{_SELECT} WHERE r.id = :id")
LIST = text(
    f"""{_SELECT}
    WHERE r.id < :before AND (CAST(:programme AS text) IS NULL OR p.code = :programme)
        AND (CAST(:state AS text) IS NULL OR coalesce(d.verdict, 'proposed') = :state)
    ORDER BY r.id DESC LIMIT :limit"""
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version of a rule; `digest` (hex) covers all of it but the decision."""

    id: int
    programme: str
    code: str
    version: int
    state: str
    effective_from: datetime
    effective_until: datetime | None
    document: dict[str, Any]
    digest: str
    terms: bytes
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    comment: str | None


def read_proposal(session: Session, rule_id: int) -> Proposal:
    """Return one version of a rule. Raises `NotFound`."""
    row = session.execute(ONE, {"id": rule_id}).one_or_none()
    if row is None:
        raise NotFound
    return Proposal(*row)


def list_proposals(
    session: Session,
    *,
    before: int | None,
    limit: int,
    programme: str | None = None,
    state: str | None = None,
) -> list[Proposal]:
    """Return up to `limit` versions below the number `before`, newest first."""
    rows = session.execute(
        LIST,
        {
            "before": 2**62 if before is None else before,
            "limit": limit,
            "programme": programme,
            "state": state,
        },
    )
    return [Proposal(*row) for row in rows]
