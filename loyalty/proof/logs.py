"""The logs that are sealed: the ledger's, the audit trail, and what the gate decided."""

from ledger.canonical import canonical_json, leaf_bytes
from ledger.contents import Connection, reading
from ledger.sealing import LEDGER, Batch, Key, Log

AUDIT_LEAF = "quanyi.audit.leaf/1"
DECISION_LEAF = "quanyi.decision.leaf/1"

_EVENTS = """
SELECT id, at, actor_kind, actor_id, action, subject_type, subject_id, request_id,
    token_fingerprint, detail::text
FROM loyalty.audit_events WHERE id > %s AND id <= %s ORDER BY id LIMIT %s"""


def _take_events(
    connection: Connection, algorithm: str, after: Key, through: int, limit: int
) -> Batch:
    """Return the next events: one row of all columns each, `detail` as canonical JSON."""
    batch = Batch([], [])
    with reading(connection) as cursor:
        for *event, detail in cursor.execute(_EVENTS, (after[0], through, limit)):
            row = (*event, None if detail is None else canonical_json(detail))
            batch.keys.append((row[0], 0))
            batch.leaves.append(leaf_bytes([[row]], algorithm, AUDIT_LEAF))
    return batch


_DECISIONS = """
SELECT id, request_id, customer_id, verdict, primary_rule, results::text, inputs::text,
    input_digest, consent_seq, notice, template_version_id, content_digest, contact_digest,
    release_id, approval, policy_pack, decided_at, expires_at, defer_until
FROM loyalty.decisions WHERE id > %s AND id <= %s ORDER BY id LIMIT %s"""


def _take_decisions(
    connection: Connection, algorithm: str, after: Key, through: int, limit: int
) -> Batch:
    """Return the next decisions: one row of all columns each, JSON in its canonical form."""
    batch = Batch([], [])
    with reading(connection) as cursor:
        for row in cursor.execute(_DECISIONS, (after[0], through, limit)):
            told = [*row[:5], canonical_json(row[5]), canonical_json(row[6]), *row[7:]]
            batch.keys.append((row[0], 0))
            batch.leaves.append(leaf_bytes([[tuple(told)]], algorithm, DECISION_LEAF))
    return batch


AUDIT = Log("audit", "loyalty.audit_events", "loyalty.audit_events_id_seq", _take_events)
DECISIONS = Log("decisions", "loyalty.decisions", "loyalty.decisions_id_seq", _take_decisions)
LOGS = (LEDGER, AUDIT, DECISIONS)
