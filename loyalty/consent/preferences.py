"""Wishes: less often, not this topic, at these hours, nothing chosen by machine."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.consent.snapshot import NO_PREFERENCE, PREFERENCES, Preference
from loyalty.consent.subjects import lock, touch
from loyalty.web import Caller, NotFound

_SET = text("""
INSERT INTO loyalty.contact_preferences (customer_id, version, weekly_cap, topics_off, hours_from,
    hours_until, personalisation_off, actor_id)
SELECT :customer_id, coalesce(max(version), 0) + 1, :weekly_cap, :topics_off, :hours_from,
    :hours_until, :personalisation_off, :actor_id
FROM loyalty.contact_preferences WHERE customer_id = :customer_id RETURNING version
""")


def set_preference(
    session: Session, caller: Caller, customer_id: int, wishes: Preference
) -> Preference:
    """Put a customer's wishes in the place of those before, and return them with their version.

    Raises `NotFound`.
    """
    if customer_id not in lock(session, [customer_id]):
        raise NotFound
    row = {
        "customer_id": customer_id,
        "weekly_cap": wishes.weekly_cap,
        "topics_off": sorted(set(wishes.topics_off)),
        "hours_from": wishes.hours_from,
        "hours_until": wishes.hours_until,
        "personalisation_off": wishes.personalisation_off,
        "actor_id": caller.id,
    }
    session.execute(_SET, row)
    touch(session, {customer_id: 0})
    return read_preference(session, customer_id)


def read_preference(session: Session, customer_id: int) -> Preference:
    """Return a customer's wishes; version 0 where there are none."""
    row = session.execute(PREFERENCES, {"ids": [customer_id]}).one_or_none()
    return NO_PREFERENCE if row is None else Preference(row[1], row[2], tuple(row[3]), *row[4:])
