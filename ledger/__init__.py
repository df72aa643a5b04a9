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
    Lapse,
    Line,
    Move,
    Outcome,
    Posted,
    Refusal,
    Release,
    Reverse,
    Terms,
)
from ledger.expiry import count_expired, find_expired, find_lapsed_holds
from ledger.liability import Movement, read_movement, read_outstanding
from ledger.posting import lock, post
from ledger.proofs import export_statement, prove_entry
from ledger.reading import (
    Balance,
    StatementLine,
    UnknownAccount,
    find_posted,
    read_balance,
    read_balance_as_of,
    read_balances,
    read_line,
    read_statement,
)
from ledger.terms import dump_json, keep_terms, read_terms

__all__ = [
    "AT_ONCE",
    "MAX_AMOUNT",
    "NEVER",
    "PLAIN",
    "Act",
    "Balance",
    "Capture",
    "Entry",
    "Expire",
    "Hold",
    "House",
    "Lapse",
    "Line",
    "Move",
    "Movement",
    "Outcome",
    "Posted",
    "Refusal",
    "Release",
    "Reverse",
    "StatementLine",
    "Terms",
    "UnknownAccount",
    "count_expired",
    "dump_json",
    "export_statement",
    "find_expired",
    "find_lapsed_holds",
    "find_posted",
    "find_wallets",
    "house",
    "keep_terms",
    "lock",
    "open_account",
    "open_unit",
    "open_wallets",
    "post",
    "prove_entry",
    "read_balance",
    "read_balance_as_of",
    "read_balances",
    "read_line",
    "read_movement",
    "read_outstanding",
    "read_statement",
    "read_terms",
]
