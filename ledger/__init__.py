"""The ledger: who has how much, why, since when. It knows nobody above it.

Open units and accounts once; then `post` is the only write.
"""

from ledger.accounts import (
    House,
    find_wallets,
    house,
    open_account,
    open_unit,
    open_wallets,
)
from ledger.acts import (
    AT_ONCE,
    MAX_AMOUNT,
    NEVER,
    PLAIN,
    Act,
    Capture,
    Entry,
    Expire,
    Hold,
    Line,
    Move,
    Outcome,
    Posted,
    Refusal,
    Release,
    Reverse,
    Terms,
)
from ledger.posting import lock, post

__all__ = [
    "AT_ONCE",
    "MAX_AMOUNT",
    "NEVER",
    "PLAIN",
    "Act",
    "Capture",
    "Entry",
    "Expire",
    "Hold",
    "House",
    "Line",
    "Move",
    "Outcome",
    "Posted",
    "Refusal",
    "Release",
    "Reverse",
    "Terms",
    "find_wallets",
    "house",
    "lock",
    "open_account",
    "open_unit",
    "open_wallets",
    "post",
]
