"""Replay: what was decided is decided again from what was stored, and must come out the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty import policy
from loyalty.messages import gate
from loyalty.settings import settings

BATCH = 1_000

_READ = text("""
SELECT id, verdict, primary_rule, results, inputs, input_digest, policy_pack, decided_at,
    defer_until
FROM loyalty.decisions WHERE id > :after AND decided_at >= :since AND decided_at < :until
ORDER BY id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that does not come out as it stands: its id, and what is other."""

    decision_id: int
    what: str


def replay(
    session: Session, since: datetime, until: datetime, after: int = 0
) -> tuple[list[Difference], int, int]:
    """Decide one batch again; return what differs, how many were asked, and the last id."""
    asked = {"after": after, "since": since, "until": until, "limit": BATCH}
    rows = session.execute(_READ, asked).all()
    packs = {version: _find(session, version) for version in {row.policy_pack for row in rows}}
    differences = [Difference(row.id, what) for row in rows for what in _differences(row, packs)]
    return differences, len(rows), rows[-1].id if rows else after


def _find(session: Session, version: str) -> policy.Pack | None:
    try:
        return policy.find_pack(session, settings().keys, version)
    except policy.NoPack:
        return None  # which is a difference of each decision that names it


def _differences(row: Row[Any], packs: Mapping[str, policy.Pack | None]) -> Iterator[str]:
    """Yield what is other when it is decided again by the pack that was in force then."""
    if gate.digest(row.inputs) != bytes(row.input_digest):
        yield "inputs"
    pack = packs[row.policy_pack]
    if pack is None or row.inputs["policy"]["digest"] != pack.sha256.hex():
        yield "policy_pack"
        return
    again = gate.decide(row.inputs, row.decided_at, pack)
    for name in ("verdict", "primary_rule", "results", "defer_until"):
        if getattr(again, name) != getattr(row, name):
            yield name
