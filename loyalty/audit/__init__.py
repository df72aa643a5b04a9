"""The audit trail: append-only, without personal data, written with the act it tells of."""

from loyalty.audit.trail import record

__all__ = ["record"]
