"""Keys and sealed personal data: a key per customer, look-up by keyed digest, erasure by key."""

from loyalty.vault.blind import (
    ID_NUMBER,
    PHONE,
    canonical_id_number,
    canonical_phone,
    digest_of,
    find_by_value,
    find_kin,
    index_values,
)
from loyalty.vault.ciphers import Unreadable
from loyalty.vault.customer_keys import (
    CustomerKey,
    Erased,
    NoKey,
    erased,
    make_key,
    open_key,
    open_keys,
    store_keys,
)
from loyalty.vault.erasure import (
    ForgedErasure,
    Reason,
    Receipt,
    erase,
    export_erasures,
    find_receipt,
    is_genuine,
    on_erasure,
    replay_erasures,
)
from loyalty.vault.keyfile import BadKeys, KeyRing, add_wrapping_key, create_keys, keyring
from loyalty.vault.rotation import StillInUse, count_users, retire, rewrap
from loyalty.vault.values import ValueKey, value_key

__all__ = [
    "ID_NUMBER",
    "PHONE",
    "BadKeys",
    "CustomerKey",
    "Erased",
    "ForgedErasure",
    "KeyRing",
    "NoKey",
    "Reason",
    "Receipt",
    "StillInUse",
    "Unreadable",
    "ValueKey",
    "add_wrapping_key",
    "canonical_id_number",
    "canonical_phone",
    "count_users",
    "create_keys",
    "digest_of",
    "erase",
    "erased",
    "export_erasures",
    "find_by_value",
    "find_kin",
    "find_receipt",
    "index_values",
    "is_genuine",
    "keyring",
    "make_key",
    "on_erasure",
    "open_key",
    "open_keys",
    "replay_erasures",
    "retire",
    "rewrap",
    "store_keys",
    "value_key",
]
