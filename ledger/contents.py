"""Reading what leaves cover: the rows of entries, with all that belongs to them, in sets."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy.orm import Session

from ledger.canonical import Content, Row, canonical_json

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]

ENTRY = """e.account_id, e.id, e.home_id, e.kind, e.source, e.reference, e.digest, e.position,
    e.transfers, e.cause::text, e.effective_at, e.recorded_at"""
_FIRST, _COUNT, _CAUSE = 7, 8, 9

_ACCOUNTS = """
SELECT a.id, u.code, u.kind, a.role, a.holder, w.floor, a.opened_at
FROM ledger.accounts a JOIN ledger.units u ON u.id = a.unit_id
LEFT JOIN ledger.wallets w ON w.account_id = a.id WHERE a.id = ANY(%s::bigint[])"""

_KEYS = "unnest(%s::bigint[], %s::bigint[], %s::bigint[]) WITH ORDINALITY"
_TRANSFERS = f"""
SELECT k.n, t.position, t.entry_id, t.from_account_id, t.to_account_id, t.amount,
    t.balance_after, t.reverses
FROM {_KEYS} AS k(account_id, first, last, n)
JOIN ledger.transfers t ON t.account_id = k.account_id AND t.position BETWEEN k.first AND k.last
ORDER BY k.n, t.position"""
_LOTS = f"""
SELECT k.n, l.position, l.amount, l.available_from, l.expires_at, l.terms
FROM {_KEYS} AS k(account_id, first, last, n)
JOIN ledger.lots l ON l.account_id = k.account_id AND l.position BETWEEN k.first AND k.last
ORDER BY k.n, l.position"""
_LOT_USES = f"""
SELECT k.n, u.position, u.lot, u.amount
FROM {_KEYS} AS k(account_id, first, last, n)
JOIN ledger.lot_uses u ON u.account_id = k.account_id AND u.position BETWEEN k.first AND k.last
ORDER BY k.n, u.position, u.lot"""

_IDS = "unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS k(account_id, id, n)"
_HOLD = f"""
SELECT k.n, h.amount, h.lapses_at FROM {_IDS}
JOIN ledger.holds h ON h.account_id = k.account_id AND h.id = k.id"""
_HOLD_LOTS = f"""
SELECT k.n, h.lot, h.amount FROM {_IDS}
JOIN ledger.hold_lots h ON h.account_id = k.account_id AND h.hold_id = k.id
ORDER BY k.n, h.lot"""
_HOLD_MOVES = f"""
SELECT k.n, m.hold_id, m.kind, m.amount FROM {_IDS}
JOIN ledger.hold_moves m ON m.account_id = k.account_id AND m.entry_id = k.id
ORDER BY k.n, m.hold_id, m.kind COLLATE "C\""""


class _Microseconds(Loader):
    """An instant as microseconds since 1970 UTC; an infinite one as the largest number."""

    format = Format.BINARY
    _BEFORE_2000 = 946_684_800_000_000
    _INFINITE = (2**63 - 1, -(2**63))

    def load(self, data: bytes | bytearray | memoryview) -> int:
        value = int.from_bytes(data, "big", signed=True)
        return value if value in self._INFINITE else value + self._BEFORE_2000


def connection_of(session: Session) -> Connection:
    """Return the driver's connection that `session` works on."""
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def reading(connection: Connection) -> Cursor:
    """Return a cursor that reads rows as leaves have them: instants are microseconds."""
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("timestamptz", _Microseconds)
    return cursor


def array(numbers: Iterable[int]) -> str:
    """Return numbers as PostgreSQL writes an array: much faster than the driver's own way."""
    return "{" + ",".join(map(str, numbers)) + "}"


def read_contents(connection: Connection, entries: Sequence[Row]) -> list[Content]:
    """Return what the leaf of each entry covers, in their order.

    `entries` are rows of `ENTRY`, read with `reading`. A fixed number of statements, however
    many entries.
    """
    moving = [n for n, entry in enumerate(entries) if entry[_COUNT]]
    ranges = (
        array(entries[n][0] for n in moving),
        array(entries[n][_FIRST] for n in moving),
        array(_last(entries[n]) for n in moving),
    )
    ids = (array(entry[0] for entry in entries), array(entry[1] for entry in entries))
    with reading(connection) as cursor:
        transfers = _by_entry(cursor.execute(_TRANSFERS, ranges), len(moving))
        lots = _by_entry(cursor.execute(_LOTS, ranges), len(moving))
        uses = _by_entry(cursor.execute(_LOT_USES, ranges), len(moving))
        hold = _by_entry(cursor.execute(_HOLD, ids), len(entries))
        hold_lots = _by_entry(cursor.execute(_HOLD_LOTS, ids), len(entries))
        hold_moves = _by_entry(cursor.execute(_HOLD_MOVES, ids), len(entries))
        named = {account for rows in transfers for row in rows for account in row[2:4]}
        named.update(entry[0] for entry in entries)
        cursor.execute(_ACCOUNTS, (array(named),))
        accounts = {row[0]: row for row in cursor}
    place = dict(zip(moving, range(len(moving)), strict=True))
    contents: list[Content] = []
    for n, entry in enumerate(entries):
        at = place.get(n)
        contents.append(
            (
                (accounts[entry[0]],),
                (_canonical_entry(entry),),
                () if at is None else [_name_accounts(row, accounts) for row in transfers[at]],
                () if at is None else lots[at],
                () if at is None else uses[at],
                hold[n],
                hold_lots[n],
                hold_moves[n],
            )
        )
    return contents


def _last(entry: Row) -> int:
    return int(entry[_FIRST] + entry[_COUNT] - 1)


def _canonical_entry(entry: Row) -> Row:
    if entry[_CAUSE] is None:
        return entry
    return (*entry[:_CAUSE], canonical_json(entry[_CAUSE]), *entry[_CAUSE + 1 :])


def _name_accounts(row: Row, accounts: dict[Any, Row]) -> Row:
    position, entry_id, giver, taker, *rest = row
    return (
        position,
        entry_id,
        giver,
        *accounts[giver][3:5],
        taker,
        *accounts[taker][3:5],
        *rest,
    )


def _by_entry(rows: Iterable[Row], count: int) -> list[list[Row]]:
    found: list[list[Row]] = [[] for _ in range(count)]
    for n, *row in rows:
        found[n - 1].append(tuple(row))
    return found
