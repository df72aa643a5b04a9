"""Sealing: committed rows get a dense order and a place in their log's tree, off the hot path.

A log is sealed in the order of (entry id, account id). Ids are drawn from a sequence, and their
transactions commit in another order, so an id that is missing may still appear. What is final is
found like this:

1. Read the last id that the sequence has given out.
2. List the transactions that hold a writer's lock on the log's table.
3. Wait until none of these is left. Then every id up to the one of step 1 is final.

It holds because whoever writes a row of the log takes a lock on that table *before* drawing its
id, and keeps it to the end: `post` locks rows of `ledger.wallets` first, and a plain INSERT
locks its table before a default is computed. A transaction that drew its id before step 1 is
therefore listed in step 2, or has ended; and PostgreSQL makes a commit visible before it gives
the locks back. (Waiting for `pg_snapshot_xmin` to pass `pg_snapshot_xmax` would not do: the
latter is the id after the last *completed* transaction, so a running one may lie above it; and
an INSERT draws from the sequence before it has a transaction id.) Nothing about transactions is
stored, so a restored dump goes on where it stopped.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from ledger.canonical import leaf_bytes
from ledger.contents import ENTRY, Connection, array, connection_of, read_contents, reading
from ledger.merkle import FAN_OUT, Hashing, Tree

Key = tuple[int, int]
"""Entry id and account id: the order in which a log is sealed."""
START: Key = (0, 0)
BATCH = 5_000

_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = %s::regclass AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND mode IN ('RowShareLock', 'RowExclusiveLock')
    AND pid IS DISTINCT FROM pg_backend_pid()"""
_ENTRIES = f"""
SELECT {ENTRY} FROM ledger.entries e
WHERE (e.id, e.account_id) > (%s, %s) AND e.id <= %s ORDER BY e.id, e.account_id LIMIT %s"""
_ADD_TOTALS = """
INSERT INTO ledger.totals AS t (account_id, debits, credits)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (account_id) DO UPDATE
SET debits = t.debits + excluded.debits, credits = t.credits + excluded.credits"""


@dataclass(slots=True)
class Batch:
    """Rows of a log that are to be sealed next: their keys in order, and each one's bytes.

    `totals` are what they moved, by account: debits and credits.
    """

    keys: list[Key]
    leaves: list[bytes]
    totals: dict[int, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Log:
    """Something that is sealed. `name` stays for ever.

    `table` is locked by whoever writes a row before it draws the row's id from `sequence`.
    `take(connection, algorithm, after, through, limit)` returns the first `limit` committed rows
    after a key and up to an id, in order. The role of the sealer may read all three.
    """

    name: str
    table: str
    sequence: str
    take: Callable[[Connection, str, Key, int, int], Batch]
    algorithm: str = "sha-256"

    def hashing(self) -> Hashing:
        """Return how this log hashes."""
        return Hashing(self.algorithm)


def seal(session: Session, log: Log, *, limit: int = BATCH, patience: float = 60.0) -> int:
    """Seal up to `limit` rows of `log` and return how many; fewer means that no more is final.

    Part of the transaction of `session`, which runs as the sealer; the sums per account in
    `ledger.totals` move with it. Returns 0 where another sealer is at work, or where a writer
    does not end within `patience` seconds.
    """
    connection = connection_of(session)
    if not _lock(connection, log):
        return 0
    through = _last_id(connection, log)
    size, after = head(connection, log)
    if through < after[0] or not _await_writers(connection, log, patience):
        return 0
    batch = log.take(connection, log.algorithm, after, through, limit)
    if batch.keys:
        hashing = log.hashing()
        hashes = [hashing.leaf(leaf) for leaf in batch.leaves]
        _write_seals(connection, log, size, batch.keys, hashes)
        _write_nodes(connection, log, size, hashes)
        _add_totals(connection, batch.totals)
    return len(batch.keys)


def head(connection: Connection, log: Log) -> tuple[int, Key]:
    """Return how many rows of `log` are sealed, and the key of the last."""
    row = connection.execute(
        "SELECT seal_no + 1, entry_id, account_id FROM ledger.seals WHERE log = %s"
        " ORDER BY seal_no DESC LIMIT 1",
        (log.name,),
    ).fetchone()
    return (0, START) if row is None else (row[0], (row[1], row[2]))


def tree(connection: Connection, log: Log, size: int) -> Tree:
    """Return the tree over the first `size` sealed rows of `log`."""

    def read(level: int, first: int, count: int) -> Sequence[bytes]:
        return _read_hashes(connection, log, level, first, count)

    return Tree(log.hashing(), size, read)


def lock_sealing(session: Session, log: Log) -> None:
    """Wait until no other transaction seals `log` or signs for it, and keep others out."""
    connection_of(session).execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (_lock_name(log),)
    )


def _lock(connection: Connection, log: Log) -> bool:
    row = connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", (_lock_name(log),)
    ).fetchone()
    return row == (True,)


def _lock_name(log: Log) -> str:
    return f"quanyi seals {log.name}"


def _last_id(connection: Connection, log: Log) -> int:
    # A sequence that gave out nothing yet says 1, too: then there is no row to find.
    row = connection.execute(f"SELECT last_value FROM {log.sequence}").fetchone()
    assert row is not None
    return int(row[0])


def _await_writers(connection: Connection, log: Log, patience: float) -> bool:
    deadline = time.monotonic() + patience
    waited_for = _writers(connection, log)
    pause = 0.001
    while waited_for:
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
        waited_for &= _writers(connection, log)
    return True


def _writers(connection: Connection, log: Log) -> set[str]:
    return {row[0] for row in connection.execute(_WRITERS, (log.table,))}


def _write_seals(
    connection: Connection, log: Log, size: int, keys: Sequence[Key], hashes: Sequence[bytes]
) -> None:
    columns = "log, seal_no, account_id, entry_id, leaf"
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ledger.seals ({columns}) FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.set_types(["text", "int8", "int8", "int8", "bytea"])
        pairs = zip(keys, hashes, strict=True)
        for seal_no, ((entry_id, account_id), leaf) in enumerate(pairs, size):
            copy.write_row((log.name, seal_no, account_id, entry_id, leaf))


def _write_nodes(connection: Connection, log: Log, size: int, hashes: list[bytes]) -> None:
    """Store the root of each subtree of FAN_OUT ** level leaves that is complete now."""
    hashing = log.hashing()
    level, first = 0, size
    rows: list[tuple[str, int, int, bytes]] = []
    while hashes:
        before = first % FAN_OUT
        if before:
            row = [*_read_hashes(connection, log, level, first - before, before), *hashes]
        else:
            row = hashes
        complete = len(row) // FAN_OUT
        hashes = [hashing.root(row[n * FAN_OUT : (n + 1) * FAN_OUT]) for n in range(complete)]
        level, first = level + 1, first // FAN_OUT
        rows += [(log.name, level, first + n, node) for n, node in enumerate(hashes)]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ledger.seal_nodes (log, level, number, hash) VALUES (%s, %s, %s, %s)",
                rows,
            )


def _read_hashes(
    connection: Connection, log: Log, level: int, first: int, count: int
) -> list[bytes]:
    source = (
        "SELECT leaf FROM ledger.seals WHERE log = %(log)s AND %(level)s = 0"
        " AND seal_no >= %(first)s AND seal_no < %(end)s ORDER BY seal_no"
        if level == 0
        else "SELECT hash FROM ledger.seal_nodes WHERE log = %(log)s AND level = %(level)s"
        " AND number >= %(first)s AND number < %(end)s ORDER BY number"
    )
    parameters = {"log": log.name, "level": level, "first": first, "end": first + count}
    with connection.cursor(binary=True) as cursor:
        return [row[0] for row in cursor.execute(source, parameters)]


def _add_totals(connection: Connection, totals: dict[int, list[int]]) -> None:
    if totals:
        accounts = sorted(totals)
        debits = array(totals[account][0] for account in accounts)
        credited = array(totals[account][1] for account in accounts)
        connection.execute(_ADD_TOTALS, (array(accounts), debits, credited))


def _take_entries(
    connection: Connection, algorithm: str, after: Key, through: int, limit: int
) -> Batch:
    with reading(connection) as cursor:
        entries = cursor.execute(_ENTRIES, (*after, through, limit)).fetchall()
    batch = Batch([(entry[1], entry[0]) for entry in entries], [])
    if not entries:
        return batch
    for content in read_contents(connection, entries):
        batch.leaves.append(leaf_bytes(content, algorithm))
        for _, _, giver, _, _, taker, _, _, amount, *_ in content[2]:
            batch.totals.setdefault(giver, [0, 0])[0] += amount
            batch.totals.setdefault(taker, [0, 0])[1] += amount
    return batch


LEDGER = Log("ledger", "ledger.wallets", "ledger.entry_ids", _take_entries)
