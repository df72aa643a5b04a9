"""The audit trail: append-only, without personal data, written with the act it tells of."""

from loyalty.audit.trail import Act, record, record_many

__all__ = ["Act", "record", "record_many"]
