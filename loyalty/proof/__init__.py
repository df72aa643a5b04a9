"""Proof: sealing the ledger and the audit trail, checkpoints that leave the house, verifying."""

from loyalty.proof.logs import AUDIT, CONSENTS, DECISIONS, LOGS
from loyalty.proof.publishing import drop_file

__all__ = ["AUDIT", "CONSENTS", "DECISIONS", "LOGS", "drop_file"]
