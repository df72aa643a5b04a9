"""Points that wait for an event: which lines of a wallet do, for what, and until when.

They stand in the wallet from the purchase on, pending like points that wait for a day; what is
kept here is which event makes them usable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.programmes import Programme

KEEP = text("""
INSERT INTO loyalty.waiting_points (account_id, position, purchase_id, event, about, expires_at)
SELECT r.account_id, r.position, r.purchase_id, r.event, r.about, r.expires_at
FROM json_to_recordset(CAST(:rows AS json)) AS r(account_id bigint, position bigint,
    purchase_id bigint, event text, about text, expires_at timestamptz)
""")

CONFIRMED = text("""
SELECT customer_id, array_agg(DISTINCT event) AS events FROM loyalty.confirmations
WHERE programme_id = :programme AND customer_id = ANY(:customers) AND purchase_id IS NULL
GROUP BY customer_id
""")

OPEN = text("""
SELECT w.event, w.about, sum(l.remaining)::bigint AS points,
    nullif(l.available_from, :never) AS usable_at, nullif(l.expires_at, :never) AS lapses_at
FROM loyalty.waiting_points w
JOIN ledger.lots l ON l.account_id = w.account_id AND l.position = w.position
WHERE w.account_id = :wallet AND l.remaining > 0
    AND l.available_from > clock_timestamp() AND l.expires_at > clock_timestamp()
GROUP BY w.event, w.about, l.available_from, l.expires_at
ORDER BY least(l.available_from, l.expires_at), w.event, w.about
""")

OF_LINE = text("""
SELECT w.event, w.about, f.id AS confirmation_id, f.occurred_at, f.recorded_at, c.new_position
FROM loyalty.waiting_points w
LEFT JOIN loyalty.confirmed_points c USING (account_id, position)
LEFT JOIN loyalty.confirmations f ON f.id = c.confirmation_id
WHERE w.account_id = :wallet AND (w.position = :position OR c.new_position = :position)
""")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Points of a wallet that wait for the same event until the same day.

    Without the event they become usable by themselves at `usable_at`, or (None) lapse unused at
    `lapses_at` (None: they go on waiting).
    """

    event: str
    about: str
    points: int
    usable_at: datetime | None
    lapses_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waited:
    """What a line of a wallet waited for; without a confirmation it was not confirmed.

    `line` is the position at which the points became usable.
    """

    event: str
    about: str
    confirmation_id: int | None
    occurred_at: datetime | None
    recorded_at: datetime | None
    line: int | None


def keep(session: Session, lines: Sequence[dict[str, Any]]) -> None:
    """Write down which lines wait for which event, in the transaction that posted them."""
    if lines:
        session.execute(KEEP, {"rows": ledger.dump_json(list(lines))})


def read_confirmed(
    session: Session, programme: Programme, people: Collection[int]
) -> dict[int, list[str]]:
    """Return the events that are known of these customers themselves, by customer."""
    rows = session.execute(CONFIRMED, {"programme": programme.id, "customers": list(people)})
    return {row.customer_id: row.events for row in rows}


def read_waiting(session: Session, wallet: int) -> list[Waiting]:
    """Return all that waits in a wallet, the soonest to end first."""
    rows = session.execute(OPEN, {"wallet": wallet, "never": ledger.NEVER})
    return [Waiting(*row) for row in rows]


def read_waited(session: Session, wallet: int, position: int) -> Waited | None:
    """Return what the points of a line wait or waited for; None where it was nothing."""
    row = session.execute(OF_LINE, {"wallet": wallet, "position": position}).one_or_none()
    return None if row is None else Waited(*row)
