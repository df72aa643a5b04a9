"""The audit trail: append-only, without personal data, written with the act it tells of."""

from loyalty.audit.queries import find_last, list_events, list_looks
from loyalty.audit.trail import Act, record, record_many

__all__ = ["Act", "find_last", "list_events", "list_looks", "record", "record_many"]
