"""Quanyi 权益: loyalty and entitlements on a points ledger that can be proved."""

__version__ = "0.1.0"
