"""Reading proposals with who agreed and how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty.web import NotFound

OPEN, EXPIRED = "open", "expired"
APPLIED, REJECTED, WITHDRAWN = "applied", "rejected", "withdrawn"
STATES = (OPEN, APPLIED, REJECTED, WITHDRAWN, EXPIRED)

_STATE = """
CASE WHEN s.state = 'open' AND p.expires_at <= clock_timestamp() THEN 'expired' ELSE s.state END
"""
_SELECT = f"""
SELECT p.id, p.kind, p.subject_type, p.subject_id, p.content, p.before,
    encode(p.digest, 'hex') AS digest, p.proposed_by, p.proposed_at, p.expires_at,
    {_STATE} AS state, o.ended_by, o.ended_at, o.comment, o.result,
    coalesce((SELECT jsonb_agg(jsonb_build_object('seat', a.seat, 'by', a.approved_by,
            'at', a.approved_at, 'comment', a.comment) ORDER BY a.approved_at)
        FROM loyalty.proposal_approvals a WHERE a.proposal_id = p.id), '[]') AS approvals
FROM loyalty.proposals p JOIN loyalty.proposal_states s ON s.proposal_id = p.id
LEFT JOIN loyalty.proposal_outcomes o ON o.proposal_id = p.id
"""  # noqa: S608 - constants of this module
_ONE = text(f"{_SELECT} WHERE p.id = :id")
_LIST = text(
    f"""{_SELECT}
    WHERE p.id < :before AND p.kind = ANY(:kinds)
        AND (CAST(:state AS text) IS NULL OR {_STATE} = :state)
        AND (CAST(:proposed_by AS bigint) IS NULL OR p.proposed_by = :proposed_by)
        AND (CAST(:subject_type AS text) IS NULL OR p.subject_type = :subject_type)
        AND (CAST(:subject_id AS text) IS NULL OR p.subject_id = :subject_id)
    ORDER BY p.id DESC LIMIT :limit"""
)


@dataclass(frozen=True, slots=True)
class Approval:
    """Who agreed in which seat."""

    seat: str
    by: int
    at: datetime
    comment: str | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as it stands now; `digest` is hexadecimal, `before` what its maker had in view."""

    id: int
    kind: str
    subject_type: str
    subject_id: str
    content: Mapping[str, Any]
    before: Any
    digest: str
    proposed_by: int
    proposed_at: datetime
    expires_at: datetime
    state: str
    ended_by: int | None
    ended_at: datetime | None
    comment: str | None
    result: Mapping[str, Any] | None
    approvals: tuple[Approval, ...]


def read_proposal(session: Session, proposal_id: int) -> Proposal:
    """Return a proposal. Raises `NotFound`."""
    row = session.execute(_ONE, {"id": proposal_id}).one_or_none()
    if row is None:
        raise NotFound
    return _proposal(row)


def list_proposals(
    session: Session,
    kinds: Sequence[str],
    *,
    before: int | None,
    limit: int,
    state: str | None = None,
    proposed_by: int | None = None,
    subject_type: str | None = None,
    subject_id: str | None = None,
) -> list[Proposal]:
    """Return up to `limit` proposals of `kinds` below the number `before`, newest first."""
    rows = session.execute(
        _LIST,
        {
            "before": 2**62 if before is None else before,
            "kinds": list(kinds),
            "limit": limit,
            "state": state,
            "proposed_by": proposed_by,
            "subject_type": subject_type,
            "subject_id": subject_id,
        },
    )
    return [_proposal(row) for row in rows]


def _proposal(row: Row[Any]) -> Proposal:
    approvals = tuple(
        Approval(given["seat"], given["by"], datetime.fromisoformat(given["at"]), given["comment"])
        for given in row.approvals
    )
    return Proposal(**{**row._mapping, "approvals": approvals})
