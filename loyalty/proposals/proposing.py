"""Proposing, and taking back what nobody has decided yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import audit
from loyalty.proposals.kinds import Kind, find_kind
from loyalty.proposals.queries import OPEN, WITHDRAWN, Proposal, read_proposal
from loyalty.web import Caller, NotFound, Refused, ids

DECIDED_WITHIN = timedelta(hours=72)
DIGEST_OF = "quanyi.proposal/1"

_PROPOSE = text("""
INSERT INTO loyalty.proposals (kind, subject_type, subject_id, content, before, digest,
    proposed_by, proposed_at, expires_at)
VALUES (:kind, :subject_type, :subject_id, CAST(:content AS jsonb), CAST(:before AS jsonb),
    :digest, :proposed_by, :proposed_at, :expires_at)
RETURNING id
""")
_OPEN = text("""
INSERT INTO loyalty.proposal_states (proposal_id, state, approvals) VALUES (:id, 'open', 0)
""")
_LOCK = text("""
SELECT state FROM loyalty.proposal_states WHERE proposal_id = :id FOR NO KEY UPDATE
""")
_HOLD = text("""
SELECT s.proposal_id FROM loyalty.proposals p
JOIN loyalty.proposal_states s ON s.proposal_id = p.id
WHERE p.kind = :kind AND p.subject_type = :subject_type AND p.subject_id = :subject_id
    AND s.state = 'open' AND p.expires_at > clock_timestamp()
ORDER BY p.id DESC LIMIT 1 FOR NO KEY UPDATE OF s
""")
_END = text("""
WITH outcome AS (
    INSERT INTO loyalty.proposal_outcomes (proposal_id, outcome, ended_by, comment, result)
    VALUES (:id, :outcome, :ended_by, :comment, CAST(:result AS jsonb))
)
UPDATE loyalty.proposal_states SET state = :outcome WHERE proposal_id = :id
""")


def propose(
    session: Session,
    caller: Caller,
    kind: Kind,
    subject_type: str,
    subject_id: int | str,
    content: Mapping[str, Any],
) -> Proposal:
    """Keep what `caller`, a member of staff, proposes for others to decide within three days.

    `content` is plain JSON that the kind's own schema has checked, without personal data. A
    number as `subject_id` becomes the public id of `subject_type`. Raises `Refused` with
    `forbidden` where the caller is not one of the kind's makers.
    """
    if caller.kind != "staff" or not kind.makers & caller.roles:
        raise Refused("forbidden")
    if isinstance(subject_id, int):
        subject_id = ids.encode(ids.PREFIXES[subject_type], subject_id)
    before = kind.look(session, subject_id, content)
    proposed_at: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    digest = digest_of(kind.name, subject_type, subject_id, content, before, caller.id)
    proposal_id: int = session.execute(
        _PROPOSE,
        {
            "kind": kind.name,
            "subject_type": subject_type,
            "subject_id": subject_id,
            "content": ledger.dump_json(content),
            "before": ledger.dump_json(before),
            "digest": digest,
            "proposed_by": staff_id(caller),
            "proposed_at": proposed_at,
            "expires_at": proposed_at + DECIDED_WITHIN,
        },
    ).scalar_one()
    session.execute(_OPEN, {"id": proposal_id})
    detail = {"kind": kind.name, "subject": subject_id, "digest": digest.hex()}
    audit.record(session, caller, "proposal.made", "proposal", proposal_id, detail)
    return read_proposal(session, proposal_id)


def withdraw(session: Session, caller: Caller, proposal_id: int) -> Proposal:
    """Take back a proposal of one's own that is still open.

    Raises `NotFound` for anybody else's, or `Refused` with `proposal-decided`, or `forbidden`
    where its kind knows no taking back.
    """
    proposal = lock_open(session, caller, proposal_id)
    if proposal.proposed_by != staff_id(caller):
        raise NotFound
    if not find_kind(proposal.kind).can_withdraw:
        raise Refused("forbidden")
    end(session, caller, proposal, WITHDRAWN)
    return read_proposal(session, proposal_id)


def lock_open(session: Session, caller: Caller, proposal_id: int) -> Proposal:
    """Return a proposal that nobody else can decide until this transaction ends.

    Raises `NotFound` where it is none that the caller may read, or `Refused` with
    `proposal-decided` or `proposal-expired`.
    """
    if session.execute(_LOCK, {"id": proposal_id}).one_or_none() is None:
        raise NotFound
    proposal = read_proposal(session, proposal_id)
    if not find_kind(proposal.kind).readers & caller.roles:
        raise NotFound
    if proposal.state != OPEN:
        raise Refused("proposal-expired" if proposal.state == "expired" else "proposal-decided")
    return proposal


def hold_open(session: Session, kind: Kind, subject_type: str, subject_id: int) -> Proposal | None:
    """Return the open proposal of a kind about a subject, held until the commit, or None.

    For a slice whose own route decides what is a proposal too: it holds the proposal before it
    decides, and settles it afterwards.
    """
    asked = {
        "kind": kind.name,
        "subject_type": subject_type,
        "subject_id": ids.encode(ids.PREFIXES[subject_type], subject_id),
    }
    found = session.execute(_HOLD, asked).scalar_one_or_none()
    return None if found is None else read_proposal(session, found)


def end(
    session: Session,
    caller: Caller,
    proposal: Proposal,
    outcome: str,
    comment: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> None:
    """Write how a locked proposal ended."""
    session.execute(
        _END,
        {
            "id": proposal.id,
            "outcome": outcome,
            "ended_by": staff_id(caller),
            "comment": comment,
            "result": None if result is None else ledger.dump_json(result),
        },
    )
    detail = {"kind": proposal.kind, "subject": proposal.subject_id, "digest": proposal.digest}
    audit.record(session, caller, f"proposal.{outcome}", "proposal", proposal.id, detail)


def digest_of(
    kind: str,
    subject_type: str,
    subject_id: str,
    content: Mapping[str, Any],
    before: Any,
    proposed_by: str,
) -> bytes:
    """Return the SHA-256 of everything that those who decide have to agree to."""
    whole = [DIGEST_OF, kind, subject_type, subject_id, content, before, proposed_by]
    return sha256(ledger.dump_json(whole).encode()).digest()


def staff_id(caller: Caller) -> int:
    """Return the row number of the member of staff who calls."""
    return ids.decode(ids.PREFIXES["staff"], caller.id)
