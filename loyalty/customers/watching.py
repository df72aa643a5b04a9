"""Watching those who look customers up: so many an hour for each of the staff, and canaries.

A canary is a customer whom nobody has a reason to look up. Both leave a row in the audit trail
whose action begins with `alert.`, and an event for the bank's collectors.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit, outbox
from loyalty.web import Caller, Kind, Refused, ids

MOST_AN_HOUR = 60
ALERTS = "alerts.raised"

_COUNT = text("""
INSERT INTO loyalty.look_ups AS l (actor_id, hour, count)
VALUES (:actor, date_trunc('hour', clock_timestamp()), 1)
ON CONFLICT (actor_id) DO UPDATE SET hour = excluded.hour,
    count = CASE WHEN l.hour = excluded.hour THEN l.count + 1 ELSE 1 END
RETURNING l.count, ceil(extract(epoch FROM l.hour + interval '1 hour' - clock_timestamp()))::integer
    AS seconds
""")


def count(session: Session, caller: Caller) -> None:
    """Count one look-up that a member of staff is about to make.

    In a transaction of its own, before the look-up's, so that one which is refused counts too.
    Systems are not counted here: they are held to the rates of their clients. Raises `Refused`
    with `too-many-look-ups`, which is kept as a denial.
    """
    if caller.kind != Kind.STAFF:
        return
    made, seconds = session.execute(_COUNT, {"actor": caller.id}).one()
    if made > MOST_AN_HOUR:
        raise Refused("too-many-look-ups", headers={"Retry-After": str(max(1, seconds))})
    if made == MOST_AN_HOUR:
        _alert(session, caller, "alert.look_ups_spent", "staff", caller.id, {"count": made})


def watch(session: Session, caller: Caller, customer_ids: Collection[int]) -> None:
    """Tell of canaries among the customers that somebody has found."""
    found = session.execute(
        text("SELECT customer_id FROM loyalty.canaries WHERE customer_id = ANY(:ids)"),
        {"ids": list(customer_ids)},
    ).scalars()
    for customer_id in found:
        _alert(session, caller, "alert.canary_read", "customer", ids.encode("cus", customer_id))


def place_canary(session: Session, caller: Caller, customer_id: int) -> None:
    """Make a customer a canary, for good."""
    session.execute(
        text(
            "INSERT INTO loyalty.canaries (customer_id) VALUES (:id)"
            " ON CONFLICT (customer_id) DO NOTHING"
        ),
        {"id": customer_id},
    )
    audit.record(session, caller, "canary.placed", "customer", customer_id)


def _alert(
    session: Session,
    caller: Caller,
    action: str,
    subject_type: str,
    subject_id: str,
    detail: dict[str, Any] | None = None,
) -> None:
    audit.record(session, caller, action, subject_type, subject_id, detail)
    outbox.publish(session, ALERTS, f"{subject_type}:{subject_id}", {"alert": action})
