"""The logs that are sealed: the ledger's, the audit trail, consent, what the gate decided."""

from ledger.canonical import canonical_json, leaf_bytes
from ledger.contents import Connection, reading
from ledger.sealing import LEDGER, Batch, Key, Log

AUDIT_LEAF = "quanyi.audit.leaf/1"
DECISION_LEAF = "quanyi.decision.leaf/1"
CONSENT_LEAF = "quanyi.consent.leaf/1"

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


_CONSENTS = """
SELECT seq, customer_id, purpose_id, channel, partner_id, action, separate::int,
    whole_channel::int, notice_id, presentation_id, mechanism, guardian, proof::text, source,
    reference, actor_kind, actor_id, occurred_at, recorded_at
FROM loyalty.consent_events WHERE seq > %s AND seq <= %s ORDER BY seq LIMIT %s"""


def _take_consents(
    connection: Connection, algorithm: str, after: Key, through: int, limit: int
) -> Batch:
    """Return the next expressions of will: one row of all columns each, `proof` canonical."""
    batch = Batch([], [])
    with reading(connection) as cursor:
        for row in cursor.execute(_CONSENTS, (after[0], through, limit)):
            proof = None if row[12] is None else canonical_json(row[12])
            told = (*row[:12], proof, *row[13:])
            batch.keys.append((row[0], 0))
            batch.leaves.append(leaf_bytes([[told]], algorithm, CONSENT_LEAF))
    return batch


AUDIT = Log("audit", "loyalty.audit_events", "loyalty.audit_events_id_seq", _take_events)
DECISIONS = Log("decisions", "loyalty.decisions", "loyalty.decisions_id_seq", _take_decisions)
CONSENTS = Log(
    "consents", "loyalty.consent_events", "loyalty.consent_events_seq_seq", _take_consents
)
LOGS = (LEDGER, AUDIT, CONSENTS, DECISIONS)
