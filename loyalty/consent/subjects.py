"""The lock on a customer as a subject of consent, so that a decision and a withdrawal queue up."""

from collections.abc import Collection, Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

_HOLD_ACTIVE = text("""
SELECT id FROM loyalty.customers WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'active'
ORDER BY id FOR NO KEY UPDATE
""")
_OPEN = text("""
INSERT INTO loyalty.consent_subjects (customer_id)
SELECT c.id FROM loyalty.customers c WHERE c.id = ANY(CAST(:ids AS bigint[]))
    AND NOT EXISTS (SELECT FROM loyalty.consent_subjects s WHERE s.customer_id = c.id)
ORDER BY c.id
ON CONFLICT DO NOTHING
""")
_LOCK = text("""
SELECT s.customer_id, s.newest_seq, s.revision FROM loyalty.consent_subjects s
WHERE s.customer_id = ANY(CAST(:ids AS bigint[]))
ORDER BY s.customer_id FOR NO KEY UPDATE
""")
_REVISIONS = text("""
SELECT customer_id, revision FROM loyalty.consent_subjects
WHERE customer_id = ANY(CAST(:ids AS bigint[]))
""")
_TOUCH = text("""
UPDATE loyalty.consent_subjects s
SET revision = s.revision + 1, newest_seq = greatest(s.newest_seq, t.seq)
FROM unnest(CAST(:ids AS bigint[]), CAST(:seqs AS bigint[])) AS t (customer_id, seq)
WHERE s.customer_id = t.customer_id
""")


def hold_active(session: Session, customer_ids: Collection[int]) -> set[int]:
    """Keep erasure away from the customers until the commit; return those who are not erased.

    Before `lock`, never after it.
    """
    return set(session.execute(_HOLD_ACTIVE, {"ids": sorted(set(customer_ids))}).scalars())


def lock(session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Hold the customers until the commit, in the order of their numbers; return their revisions.

    Whoever decides about a customer and whoever writes their will, a stop, a wish or a fact
    holds this lock, so either sees the other's whole work or none. Unknown ids are left out.
    """
    ids = {"ids": sorted(set(customer_ids))}
    session.execute(_OPEN, ids)
    return {row.customer_id: row.revision for row in session.execute(_LOCK, ids)}


def revisions(session: Session, customer_ids: Collection[int]) -> dict[int, int]:
    """Return the customers' revisions without a lock: one that rose tells that much changed.

    It rises with every consent event, stop, wish, fact and contact point. A customer of whom
    nothing was ever written is left out.
    """
    found = session.execute(_REVISIONS, {"ids": list(customer_ids)})
    return {row.customer_id: row.revision for row in found}


def touch(session: Session, newest: Mapping[int, int]) -> None:
    """Raise the revision of locked customers; `newest` has each one's last event, or 0."""
    if newest:
        session.execute(_TOUCH, {"ids": list(newest), "seqs": list(newest.values())})
