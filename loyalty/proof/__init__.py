"""Proof: sealing the ledger and the audit trail, checkpoints that leave the house, verifying."""

from loyalty.proof.logs import AUDIT, LOGS
from loyalty.proof.publishing import drop_file

__all__ = ["AUDIT", "LOGS", "drop_file"]
