"""Reconciliation: what a gateway says it sent is held against what we handed over.

A message that the gateway knows and we do not went round the gate: a security incident. One of
ours whose outcome nobody knew gets it here, and is never sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.messages import handover

_KNOWN = text("""
SELECT id, reference FROM loyalty.send_attempts
WHERE gateway = :gateway AND reference = ANY(CAST(:references AS text[]))
""")
_MISSING = text("""
SELECT a.reference FROM loyalty.send_attempts a
WHERE a.gateway = :gateway AND a.at >= :since AND a.at < :until
    AND NOT a.reference = ANY(CAST(:references AS text[]))
    AND NOT EXISTS (SELECT FROM loyalty.delivery_events e
        WHERE e.attempt_id = a.id AND e.kind IN ('refused', 'withheld'))
ORDER BY a.id LIMIT 1000
""")


@dataclass(frozen=True, slots=True)
class Sent:
    """One line of a gateway's own list: our reference, and what became of it."""

    reference: str
    kind: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of it. `unknown_here` went round us; `unknown_there` we thought were sent."""

    matched: int
    unknown_here: tuple[str, ...]
    unknown_there: tuple[str, ...]


def reconcile(
    session: Session, gateway: str, sent: Sequence[Sent], since: datetime, until: datetime
) -> Reconciled:
    """Hold a gateway's list of a period against our attempts, and write down each outcome."""
    references = [one.reference for one in sent]
    rows = session.execute(_KNOWN, {"gateway": gateway, "references": references})
    known = {row.reference: row.id for row in rows}
    for one in sent:
        if one.reference in known:
            raw = f"report:{one.reference}:{one.kind}".encode()
            handover.tell(session, known[one.reference], one.kind, one.code, raw=raw)
    asked = {"gateway": gateway, "references": references, "since": since, "until": until}
    return Reconciled(
        matched=len(known),
        unknown_here=tuple(sorted(set(references) - known.keys())),
        unknown_there=tuple(session.scalars(_MISSING, asked)),
    )
