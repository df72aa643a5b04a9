"""Proof: sealing the ledger and the audit trail, checkpoints that leave the house, verifying."""

from loyalty.proof.logs import AUDIT, DECISIONS, LOGS
from loyalty.proof.publishing import drop_file

__all__ = ["AUDIT", "DECISIONS", "LOGS", "drop_file"]
