"""The tables that are verified: their columns, what these hold, and each table's key."""

from dataclasses import dataclass

INT, TEXT, BYTES, INSTANT, JSON, FLAG = "int", "text", "bytes", "instant", "json", "flag"


@dataclass(frozen=True)
class Table:
    """A table: columns by name with what they hold; `nullable` of them may be null."""

    schema: str
    columns: dict[str, str]
    key: tuple[str, ...]
    nullable: tuple[str, ...] = ()


def _columns(**kinds: str) -> dict[str, str]:
    """Return the kinds of columns by name, in the order of names given: `int="id unit_id"`."""
    return {name: kind for kind, names in kinds.items() for name in names.split()}


TABLES = {
    "units": Table("ledger", _columns(int="id", text="code kind"), ("id",)),
    "accounts": Table(
        "ledger", _columns(int="id unit_id", text="role holder", instant="opened_at"), ("id",)
    ),
    "wallets": Table(
        "ledger",
        _columns(int="account_id unit_id floor posted held debt position"),
        ("account_id",),
    ),
    "terms": Table("ledger", _columns(bytes="digest", json="body"), ("digest",)),
    "entries": Table(
        "ledger",
        {
            "account_id": INT,
            "id": INT,
            "home_id": INT,
            "kind": TEXT,
            "source": TEXT,
            "reference": TEXT,
            "digest": BYTES,
            "position": INT,
            "transfers": INT,
            "cause": JSON,
            "effective_at": INSTANT,
            "recorded_at": INSTANT,
        },
        ("account_id", "id"),
        ("cause",),
    ),
    "transfers": Table(
        "ledger",
        _columns(
            int="account_id position entry_id from_account_id to_account_id amount"
            " balance_after reverses"
        ),
        ("account_id", "position"),
        ("reverses",),
    ),
    "lots": Table(
        "ledger",
        {
            "account_id": INT,
            "position": INT,
            "amount": INT,
            "available_from": INSTANT,
            "expires_at": INSTANT,
            "terms": BYTES,
            "remaining": INT,
            "held": INT,
            "expired": INT,
            "open": FLAG,
        },
        ("account_id", "position"),
        ("terms",),
    ),
    "lot_uses": Table(
        "ledger",
        _columns(int="account_id position lot amount"),
        ("account_id", "position", "lot"),
    ),
    "lot_totals": Table(
        "ledger",
        {
            "account_id": INT,
            "expires_at": INSTANT,
            "available_from": INSTANT,
            "remaining": INT,
            "held": INT,
        },
        ("account_id", "expires_at", "available_from"),
    ),
    "holds": Table(
        "ledger",
        {
            "account_id": INT,
            "id": INT,
            "amount": INT,
            "lapses_at": INSTANT,
            "remaining": INT,
        },
        ("account_id", "id"),
    ),
    "hold_lots": Table(
        "ledger",
        _columns(int="account_id hold_id lot amount remaining"),
        ("account_id", "hold_id", "lot"),
    ),
    "hold_moves": Table(
        "ledger",
        {"account_id": INT, "entry_id": INT, "hold_id": INT, "kind": TEXT, "amount": INT},
        ("account_id", "entry_id", "hold_id", "kind"),
    ),
    "seals": Table(
        "ledger",
        {"log": TEXT, "seal_no": INT, "account_id": INT, "entry_id": INT, "leaf": BYTES},
        ("log", "seal_no"),
    ),
    "seal_nodes": Table(
        "ledger",
        {"log": TEXT, "level": INT, "number": INT, "hash": BYTES},
        ("log", "level", "number"),
    ),
    "checkpoints": Table(
        "ledger",
        {
            "log": TEXT,
            "size": INT,
            "root": BYTES,
            "origin": TEXT,
            "algorithm": TEXT,
            "at": INSTANT,
            "key_id": TEXT,
            "signature": BYTES,
        },
        ("log", "size"),
    ),
    "totals": Table("ledger", _columns(int="account_id debits credits"), ("account_id",)),
    "audit_events": Table(
        "loyalty",
        {
            "id": INT,
            "at": INSTANT,
            "actor_kind": TEXT,
            "actor_id": TEXT,
            "action": TEXT,
            "subject_type": TEXT,
            "subject_id": TEXT,
            "request_id": TEXT,
            "token_fingerprint": TEXT,
            "detail": JSON,
        },
        ("id",),
        ("detail",),
    ),
    "consent_events": Table(
        "loyalty",
        {
            "seq": INT,
            "customer_id": INT,
            "purpose_id": INT,
            "channel": TEXT,
            "partner_id": INT,
            "action": TEXT,
            "separate": FLAG,
            "whole_channel": FLAG,
            "notice_id": INT,
            "presentation_id": INT,
            "mechanism": TEXT,
            "guardian": TEXT,
            "proof": JSON,
            "source": TEXT,
            "reference": TEXT,
            "actor_kind": TEXT,
            "actor_id": TEXT,
            "occurred_at": INSTANT,
            "recorded_at": INSTANT,
        },
        ("seq",),
        ("notice_id", "presentation_id", "guardian", "proof"),
    ),
    "decisions": Table(
        "loyalty",
        {
            "id": INT,
            "request_id": INT,
            "customer_id": INT,
            "verdict": TEXT,
            "primary_rule": TEXT,
            "results": JSON,
            "inputs": JSON,
            "input_digest": BYTES,
            "consent_seq": INT,
            "notice": INT,
            "template_version_id": INT,
            "content_digest": BYTES,
            "contact_digest": BYTES,
            "release_id": INT,
            "approval": TEXT,
            "policy_pack": TEXT,
            "decided_at": INSTANT,
            "expires_at": INSTANT,
            "defer_until": INSTANT,
        },
        ("id",),
        (
            "primary_rule",
            "notice",
            "content_digest",
            "contact_digest",
            "release_id",
            "approval",
            "defer_until",
        ),
    ),
}
