"""What the gate must know of customers' will, stops, wishes and fitness, as facts in JSON.

A refusal takes what is queued out of the queue by being there: a request is older than the
refusal, and such a request never leaves, whatever is agreed to later. So the purge is the
withdrawal's own commit. The gate then writes down why, as soon as it can.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, time
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import consent
from loyalty.consent import Refusal, Snapshot

# Rows that the gate holds are being decided already; to wait for them could wait for ever.
_HASTEN = text("""
UPDATE loyalty.send_queue SET due_at = clock_timestamp() WHERE request_id IN (
    SELECT q.request_id FROM loyalty.send_queue q JOIN loyalty.send_requests r
        ON r.id = q.request_id
    JOIN unnest(CAST(:customers AS bigint[]), CAST(:channels AS text[])) AS refused
        (customer_id, channel) ON (r.customer_id, r.channel)
        = (refused.customer_id, refused.channel)
    FOR UPDATE OF q SKIP LOCKED
)
""")
_SEQUENCES = text("""
SELECT customer_id, newest_seq FROM loyalty.consent_subjects WHERE customer_id = ANY(:ids)
""")


@consent.on_refusal
def hasten(session: Session, refusals: Sequence[Refusal]) -> None:
    """Have the gate write down at once that what was queued is refused."""
    session.execute(
        _HASTEN,
        {
            "customers": [refusal.customer_id for refusal in refusals],
            "channels": [refusal.channel.lower() for refusal in refusals],
        },
    )


def newest_sequences(session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Return the number of each customer's newest consent event; 0 where there is none."""
    ids = sorted(set(customer_ids))
    rows = session.execute(_SEQUENCES, {"ids": ids})
    return dict.fromkeys(ids, 0) | {row.customer_id: row.newest_seq for row in rows}


def read(
    session: Session, customer_ids: Collection[int], purpose: str, channel: str
) -> dict[int, Snapshot]:
    """Return what is known of each customer for messages of one purpose by one channel.

    Raises `KeyError` on a purpose that nobody opened: then nothing is sent.
    """
    return consent.read_snapshot(session, customer_ids, purpose=purpose, channel=channel.upper())


def facts(found: Snapshot) -> dict[str, Any]:
    """Return a snapshot as facts for the gate. Nothing in them says who the customer is."""
    standing, wishes, fit = found.standing, found.preference, found.eligibility
    return {
        "customer": {"is_active": found.active},
        "consent": {
            "status": standing.status,
            "since_seq": standing.since_seq,
            "newest_seq": found.newest_seq,
            "revision": found.revision,
            "notice": standing.notice_id,
            "notice_version": standing.material_version,
            "required_version": standing.required_version,
            "mechanism": standing.mechanism,
            "guardian": standing.guardian,
            "refused_at": _instant(standing.refused_at),
            "channel_refused": found.channel_refused,
            "separately": sorted([purpose, partner] for purpose, partner in found.separately),
        },
        "suppressions": [
            {"id": stop.id, "scope": stop.scope, "reason": stop.reason}
            for stop in found.suppressions
        ],
        "preference": {
            "version": wishes.version,
            "weekly_cap": wishes.weekly_cap,
            "topics_off": sorted(wishes.topics_off),
            "hours_from": _clock(wishes.hours_from),
            "hours_until": _clock(wishes.hours_until),
            "personalisation_off": wishes.personalisation_off,
        },
        "eligibility": {
            "risk_grade": fit.risk_grade,
            "risk_assessed_at": _instant(fit.risk_assessed_at),
            "age_band": fit.age_band,
            "capacity": fit.capacity,
            "open_complaints": fit.open_complaints,
            "restricted": fit.restricted,
            "deceased": fit.deceased,
            "distress": fit.distress,
        },
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _clock(at: time | None) -> str | None:
    return None if at is None else at.isoformat("minutes")
