"""Proofs for people: statements and entries that anyone can check offline.

A document holds all that the leaves of its lines cover, and for each line the path to the root
of one signed checkpoint. The separate verifier checks it with the public key alone.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from ledger.canonical import INSTANTS, PARTS, Content, Row
from ledger.checkpoints import last_checkpoint
from ledger.contents import ENTRY, Connection, connection_of, read_contents, reading
from ledger.merkle import Tree
from ledger.sealing import LEDGER, tree

STATEMENT = "quanyi.statement/1"
MOST_ENTRIES = 10_000

_LOG = f"""
SELECT {ENTRY}, s.seal_no FROM ledger.entries e
LEFT JOIN ledger.seals s ON s.log = 'ledger' AND s.entry_id = e.id AND s.account_id = e.account_id
WHERE e.account_id = %s AND e.id > %s AND e.id <= %s ORDER BY e.id LIMIT %s"""
_ONE = f"""
SELECT {ENTRY}, s.seal_no FROM ledger.entries e
LEFT JOIN ledger.seals s ON s.log = 'ledger' AND s.entry_id = e.id AND s.account_id = e.account_id
WHERE e.account_id = %s AND e.id = %s"""


def export_statement(
    session: Session,
    account: int,
    *,
    after_entry: int = 0,
    through_entry: int = 2**63 - 1,
    limit: int = MOST_ENTRIES,
) -> dict[str, Any] | None:
    """Return a wallet's log from `after_entry` to `through_entry` as JSON that proves itself.

    At most `limit` entries (10,000 or fewer); `next` is what to continue after, or None at the
    end. With `through_entry` the document is of a part of the log and says no balance. Entries
    after the last checkpoint have no proof yet, and stand in the document as such. None if the
    account is not a wallet.
    """
    if not 0 < limit <= MOST_ENTRIES:
        raise ValueError(f"a statement holds from 1 to {MOST_ENTRIES} entries")
    connection = connection_of(session)
    wallet = connection.execute(
        "SELECT posted, held, debt, position FROM ledger.wallets WHERE account_id = %s", (account,)
    ).fetchone()
    if wallet is None:
        return None
    with reading(connection) as cursor:
        asked = (account, after_entry, through_entry, limit + 1)
        rows = cursor.execute(_LOG, asked).fetchall()
    more = len(rows) > limit
    document = _document(session, connection, rows[:limit])
    document["account"] = account
    if through_entry == 2**63 - 1:
        document["balance"] = dict(zip(("posted", "held", "debt", "position"), wallet, strict=True))
    document["after_entry"] = after_entry
    document["next"] = rows[limit - 1][1] if more else None
    return document


def prove_entry(session: Session, account: int, entry_id: int) -> dict[str, Any] | None:
    """Return one entry of a wallet's log as a JSON document that proves itself.

    None if that log has no such entry.
    """
    connection = connection_of(session)
    with reading(connection) as cursor:
        rows = cursor.execute(_ONE, (account, entry_id)).fetchall()
    return _document(session, connection, rows) if rows else None


def _document(session: Session, connection: Connection, rows: Sequence[Row]) -> dict[str, Any]:
    checkpoint = last_checkpoint(session, LEDGER)
    size = 0 if checkpoint is None else checkpoint.size
    proving = tree(connection, LEDGER, size)
    contents = read_contents(connection, [row[:-1] for row in rows])
    return {
        "format": STATEMENT,
        "checkpoint": None if checkpoint is None else checkpoint.as_json(),
        "entries": [
            _entry(content, row[-1], proving) for content, row in zip(contents, rows, strict=True)
        ],
    }


def _entry(content: Content, seal_no: int | None, proving: Tree) -> dict[str, Any]:
    sealed = seal_no is not None and seal_no < proving.size
    proof = None
    if sealed:
        assert seal_no is not None
        path = [node.hex() for node in proving.inclusion(seal_no)]
        proof = {"leaf": seal_no, "path": path}
    return {
        "content": {
            part: [_named(columns, row) for row in rows]
            for (part, columns), rows in zip(PARTS.items(), content, strict=True)
        },
        "proof": proof,
    }


def _named(columns: Sequence[str], row: Row) -> dict[str, Any]:
    return {name: _plain(name, value) for name, value in zip(columns, row, strict=True)}


def _plain(name: str, value: Any) -> Any:
    if name in INSTANTS:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
        return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else value
