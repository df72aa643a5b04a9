"""Sealing: how many entries a second get their place in the tree of hashes."""

from __future__ import annotations

import time

from bench import growth
from loyalty.proof import jobs

EACH = 100
WITHIN = 3600.0


def seal_filled(url: str, issued: int, wallets: list[int]) -> tuple[float, int]:
    """Return the seconds that sealing the earns of freshly filled wallets takes, and how many."""
    growth.fill(url, issued, [(wallets, EACH)], lambda _: None)
    started = time.perf_counter()
    sealed = jobs.seal_logs(WITHIN)
    return time.perf_counter() - started, sealed["ledger"]
