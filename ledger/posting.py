"""`post`: the only way into the ledger, for one entry and for a million.

Three round trips whatever the number of entries: lock the wallets and read what the decision
needs (the reads are separate statements, so they see what was committed while the lock was
waited for), decide in Python, write everything in one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import psycopg
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ledger.acts import Capture, Entry, Expire, Hold, Line, Move, Outcome, Posted, Release, Reverse
from ledger.deciding import (
    Book,
    HoldState,
    Lot,
    MissingLots,
    Original,
    Wallet,
    Writing,
    decide,
    wallets_of,
)

FIRST_LOTS = 200
EXPIRED_LOTS = 10_000

LOCK = """
SELECT account_id, unit_id, floor, posted, held, debt, position FROM ledger.wallets
WHERE account_id = ANY(%s) ORDER BY account_id FOR NO KEY UPDATE"""

CLOCK_AND_IDS = """
SELECT clock_timestamp(), nextval('ledger.entry_ids') FROM generate_series(1, %s)"""

KNOWN = """
SELECT e.account_id, e.source, e.reference, e.digest, e.id, e.recorded_at
FROM json_to_recordset(%s::json) AS k(account_id bigint, source text, reference text)
JOIN ledger.entries e ON e.account_id = k.account_id AND e.source = k.source
    AND e.reference = k.reference AND e.home_id = k.account_id"""

LINES = """
SELECT e.id, t.account_id, t.position, t.from_account_id, t.to_account_id, t.amount,
    t.balance_after, t.reverses
FROM ledger.entries e JOIN ledger.transfers t ON t.account_id = e.account_id
    AND t.position >= e.position AND t.position < e.position + e.transfers
WHERE e.id = ANY(%s) ORDER BY e.id, e.account_id <> e.home_id, t.account_id, t.position"""

LOT = """l.account_id, l.position, l.amount, l.available_from, l.expires_at, l.terms,
    l.remaining, l.held, l.expired"""

USABLE_LOTS = f"""
SELECT {LOT} FROM unnest(%s::bigint[]) AS w(id) CROSS JOIN LATERAL (
    SELECT * FROM ledger.lots l
    WHERE l.account_id = w.id AND l.open AND l.expires_at > clock_timestamp()
    ORDER BY l.expires_at, l.position LIMIT %s
) l"""

EXPIRED = f"""
SELECT {LOT} FROM unnest(%s::bigint[]) AS w(id) CROSS JOIN LATERAL (
    SELECT * FROM ledger.lots l
    WHERE l.account_id = w.id AND l.open AND l.expires_at <= clock_timestamp()
    ORDER BY l.expires_at, l.position LIMIT %s
) l"""

HOLDS = f"""
SELECT h.id, h.amount, h.lapses_at, h.remaining, hl.remaining, {LOT}
FROM ledger.holds h
JOIN ledger.hold_lots hl ON hl.account_id = h.account_id AND hl.hold_id = h.id
JOIN ledger.lots l ON l.account_id = hl.account_id AND l.position = hl.lot
WHERE h.account_id = ANY(%s)
    AND (h.id = ANY(%s) OR (h.remaining > 0 AND h.lapses_at <= clock_timestamp()))"""

ORIGINALS = """
SELECT t.account_id, t.position, t.from_account_id, t.to_account_id, t.amount, t.reverses,
    coalesce((
        SELECT sum(r.amount) FROM ledger.transfers r
        WHERE r.account_id = t.account_id AND r.reverses = t.position
    ), 0)::bigint
FROM json_to_recordset(%s::json) AS k(account_id bigint, position bigint)
JOIN ledger.transfers t ON t.account_id = k.account_id AND t.position = k.position"""

ORIGINAL_LOTS = f"""
WITH used AS (
    SELECT k.account_id, k.position, u.lot, u.amount
    FROM json_to_recordset(%(keys)s::json) AS k(account_id bigint, position bigint)
    JOIN ledger.lot_uses u ON u.account_id = k.account_id AND u.position = k.position
    UNION ALL
    SELECT k.account_id, k.position, u.lot, u.amount
    FROM json_to_recordset(%(keys)s::json) AS k(account_id bigint, position bigint)
    JOIN ledger.transfers r ON r.account_id = k.account_id AND r.reverses = k.position
    JOIN ledger.lot_uses u ON u.account_id = r.account_id AND u.position = r.position
        AND u.amount < 0
    UNION ALL
    SELECT k.account_id, k.position, k.position, 0
    FROM json_to_recordset(%(keys)s::json) AS k(account_id bigint, position bigint)
)
SELECT u.position, sum(u.amount)::bigint, {LOT} FROM used u
JOIN ledger.lots l ON l.account_id = u.account_id AND l.position = u.lot
GROUP BY u.position, {LOT}"""

INSERTS = {
    "entries": (
        "account_id bigint, id bigint, home_id bigint, kind text, source text, reference text,"
        " digest bytea, position bigint, transfers smallint, cause jsonb,"
        " effective_at timestamptz, recorded_at timestamptz"
    ),
    "transfers": (
        "account_id bigint, position bigint, entry_id bigint, from_account_id bigint,"
        " to_account_id bigint, amount bigint, balance_after bigint, reverses bigint"
    ),
    "lots": (
        "account_id bigint, position bigint, amount bigint, available_from timestamptz,"
        " expires_at timestamptz, terms bytea, remaining bigint, held bigint, expired bigint,"
        " open boolean"
    ),
    "lot_uses": "account_id bigint, position bigint, lot bigint, amount bigint",
    "holds": (
        "account_id bigint, id bigint, amount bigint, lapses_at timestamptz, remaining bigint"
    ),
    "hold_lots": ("account_id bigint, hold_id bigint, lot bigint, amount bigint, remaining bigint"),
    "hold_moves": "account_id bigint, entry_id bigint, hold_id bigint, kind text, amount bigint",
}
UPDATES = {
    "wallets": ("account_id", "posted bigint, held bigint, debt bigint, position bigint"),
    "lots": (
        "account_id, position",
        "remaining bigint, held bigint, expired bigint, open boolean",
    ),
    "holds": ("account_id, id", "remaining bigint"),
    "hold_lots": ("account_id, hold_id, lot", "remaining bigint"),
}
TOTAL = (
    "account_id bigint, expires_at timestamptz, available_from timestamptz,"
    " remaining bigint, held bigint"
)


class LedgerFault(Exception):
    """The database did not do what was decided; the transaction must be rolled back."""


Connection = psycopg.Connection[tuple[Any, ...]]

_units: WeakKeyDictionary[Engine, dict[int, int]] = WeakKeyDictionary()


def post(session: Session, entries: Sequence[Entry]) -> list[Outcome]:
    """Write each entry whole or refuse it, and return an outcome for each, in their order.

    An entry whose `(source, reference)` is known for its wallet is answered from what was
    written then. Amounts are whole numbers of the accounts' unit; instants are UTC. A refused
    entry does not disturb its neighbours. Locks all wallets first, in id order: a transaction
    that posts twice should name all its wallets in `lock` before.

    Raises `LedgerFault` if the database does less than was decided.
    """
    if not entries:
        return []
    connection = _connection(session)
    needs = _Needs.of(entries)
    book, ids = _read_book(session, connection, needs)
    while True:
        try:
            writing, outcomes = decide(book, entries, ids)
        except MissingLots as missing:
            needs.all_lots.add(missing.account)
            book, ids = _read_book(session, connection, needs)
            continue
        break
    if writing.entries:
        _write(connection, book, writing)
    return outcomes


def lock(session: Session, accounts: Iterable[int]) -> None:
    """Lock these wallets, in id order, until the transaction ends.

    For callers that must read something of their own (a cap, a quota) that these locks guard.
    """
    with _connection(session).cursor() as cursor:
        cursor.execute(LOCK, (sorted(set(accounts)),))


@dataclass(slots=True)
class _Needs:
    """What deciding a list of entries takes: whose lots, which holds, which originals."""

    count: int
    accounts: set[int] = field(default_factory=set)
    keys: list[dict[str, Any]] = field(default_factory=list)
    spenders: set[int] = field(default_factory=set)
    expirers: set[int] = field(default_factory=set)
    holders: set[int] = field(default_factory=set)
    hold_ids: set[int] = field(default_factory=set)
    originals: list[dict[str, int]] = field(default_factory=list)
    all_lots: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> _Needs:
        needs = cls(len(entries))
        for entry in entries:
            needs.accounts.add(entry.account)
            needs.keys.append(
                {
                    "account_id": entry.account,
                    "source": entry.source,
                    "reference": entry.reference,
                }
            )
            for act in entry.acts:
                needs._add(act)
        return needs

    def _add(self, act: Move | Hold | Capture | Release | Reverse | Expire) -> None:
        self.accounts.update(wallets_of(act))
        match act:
            case Move():
                self.spenders.add(act.from_account)
                return
            case Hold():
                self.spenders.add(act.account)
            case Reverse():
                self.spenders.add(act.account)
                self.originals.append({"account_id": act.account, "position": act.position})
                if act.expired_account is not None:
                    self.accounts.add(act.expired_account)
            case Capture():
                self.accounts.add(act.to_account)
                self.hold_ids.add(act.hold_id)
            case Release():
                self.hold_ids.add(act.hold_id)
            case Expire():
                self.accounts.add(act.to_account)
                self.expirers.add(act.account)
        self.holders.add(act.account)

    def drop_floorless(self, floorless: Iterable[int]) -> None:
        """Forget accounts that are known to be no wallets: they have no lots and no lock."""
        self.spenders.difference_update(floorless)
        self.holders |= self.spenders


def _connection(session: Session) -> Connection:
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _read_book(session: Session, connection: Connection, needs: _Needs) -> tuple[Book, list[int]]:
    units = _units.setdefault(_engine(session), {})
    needs.drop_floorless(units)
    cursors = {}

    def ask(name: str, query: str, parameters: Any) -> None:
        cursors[name] = connection.cursor()
        cursors[name].execute(query, parameters)

    with connection.pipeline():
        ask("lock", LOCK, (sorted(needs.accounts - units.keys()),))
        ask("clock", CLOCK_AND_IDS, (needs.count,))
        ask("known", KNOWN, (_json(needs.keys),))
        if needs.spenders:
            ask("usable", USABLE_LOTS, (list(needs.spenders - needs.all_lots), FIRST_LOTS))
        if needs.all_lots:
            ask("all", USABLE_LOTS, (list(needs.all_lots), None))
        if needs.expirers:
            ask("expired", EXPIRED, (list(needs.expirers), EXPIRED_LOTS))
        if needs.holders:
            ask("holds", HOLDS, (list(needs.holders), list(needs.hold_ids)))
        if needs.originals:
            keys = _json(needs.originals)
            ask("originals", ORIGINALS, (keys,))
            ask("original_lots", ORIGINAL_LOTS, {"keys": keys})
    rows = {name: cursor.fetchall() for name, cursor in cursors.items()}
    wallets = {row[0]: Wallet(*row) for row in rows["lock"]}
    book = Book(min(row[0] for row in rows["clock"]), wallets, units)
    _add_lots(wallets, rows.get("usable", ()), limit=FIRST_LOTS)
    for name in ("all", "expired"):
        _add_lots(wallets, rows.get(name, ()), limit=None)
    _add_holds(wallets, rows.get("holds", ()))
    _add_originals(wallets, rows.get("originals", ()), rows.get("original_lots", ()))
    if rows["known"]:
        book.known = _read_known(connection, rows["known"])
    _add_units(connection, book, needs.accounts)
    return book, sorted(row[1] for row in rows["clock"])


def _engine(session: Session) -> Engine:
    bind = session.get_bind()
    return bind if isinstance(bind, Engine) else bind.engine


def _add_units(connection: Connection, book: Book, accounts: set[int]) -> None:
    unknown = [a for a in accounts if a not in book.wallets and a not in book.units]
    if unknown:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, unit_id FROM ledger.accounts WHERE id = ANY(%s)", (unknown,))
            book.units.update(dict(cursor.fetchall()))


def _add_lots(wallets: dict[int, Wallet], rows: Iterable[Any], limit: int | None) -> None:
    counts: dict[int, int] = {}
    for account, *lot in rows:
        wallets[account].lots.setdefault(lot[0], Lot(*lot))
        counts[account] = counts.get(account, 0) + 1
    for account, count in counts.items():
        if count == limit:
            wallets[account].has_all_lots = False


def _add_holds(wallets: dict[int, Wallet], rows: Iterable[Any]) -> None:
    for hold_id, amount, lapses_at, remaining, reserved, account, *lot in rows:
        wallet = wallets[account]
        wallet.lots.setdefault(lot[0], Lot(*lot))
        hold = wallet.holds.setdefault(
            hold_id, HoldState(hold_id, amount, lapses_at, remaining, {})
        )
        hold.lots[lot[0]] = reserved


def _add_originals(
    wallets: dict[int, Wallet], originals: Iterable[Any], lots: Iterable[Any]
) -> None:
    for account, position, giver, taker, amount, reverses, done in originals:
        wallets[account].originals[position] = Original(
            position, giver, taker, amount, done, reverses is not None, {}
        )
    for position, used, account, *lot in lots:
        wallet = wallets[account]
        wallet.lots.setdefault(lot[0], Lot(*lot))
        if used > 0:
            wallet.originals[position].uses[lot[0]] = used


def _read_known(
    connection: Connection, rows: list[Any]
) -> dict[tuple[int, str, str], tuple[bytes, Posted]]:
    lines = read_lines(connection, [row[4] for row in rows])
    return {
        (account, source, reference): (
            digest,
            Posted(entry_id, tuple(lines.get(entry_id, ())), recorded_at, replayed=True),
        )
        for account, source, reference, digest, entry_id, recorded_at in rows
    }


def read_lines(connection: Connection, entry_ids: list[int]) -> dict[int, list[Line]]:
    """Return the lines of each entry, its home log first, in the order they were written."""
    lines: dict[int, list[Line]] = {}
    with connection.cursor() as cursor:
        cursor.execute(LINES, (entry_ids,))
        for entry_id, *line in cursor:
            lines.setdefault(entry_id, []).append(Line(*line))
    return lines


# -- writing -----------------------------------------------------------------------------------


def _write(connection: Connection, book: Book, writing: Writing) -> None:
    inserts, updates = _rows(book, writing)
    raised, lowered = _split_totals(writing.totals)
    parts: list[str] = []
    parameters: dict[str, str] = {}

    def add(name: str, query: str, rows: list[dict[str, Any]]) -> None:
        parts.append(f"{name} AS ({query})")
        parameters[name] = _json(rows)

    for table, rows in inserts.items():
        if rows:
            add(f"new_{table}", _INSERTS[table], rows)
    for table, rows in updates.items():
        if rows:
            add(f"old_{table}", _UPDATES[table], rows)
    if raised:
        add("raised", _RAISE, raised)
    if lowered:
        add("lowered", _LOWER, lowered)
        updates["lowered"] = lowered
    counted = [n if n == "lowered" else f"old_{n}" for n, rows in updates.items() if rows]
    counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in counted)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(parts)} SELECT {counts}", parameters)
        found = cursor.fetchone()
    expected = tuple(len(rows) for rows in updates.values() if rows)
    if found != expected:
        raise LedgerFault(f"changed {found} rows of {counted}, not {expected}")


def _rows(
    book: Book, writing: Writing
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """Return the rows to insert and the rows to update, by table."""
    for row in writing.entries:
        row["digest"] = _hex(row["digest"])
    new_lots: list[dict[str, Any]] = []
    old_lots: list[dict[str, Any]] = []
    for account, position in sorted(writing.lots):
        lot = book.wallets[account].lots[position]
        (new_lots if lot.is_new else old_lots).append(_lot_row(account, lot))
    new = {(row["account_id"], row["id"]) for row in writing.new_holds}
    old_holds, old_hold_lots = [], []
    for account, hold_id in sorted(writing.holds - new):
        hold = book.wallets[account].holds[hold_id]
        old_holds.append({"account_id": account, "id": hold_id, "remaining": hold.remaining})
        old_hold_lots += [
            {"account_id": account, "hold_id": hold_id, "lot": lot, "remaining": remaining}
            for lot, remaining in hold.lots.items()
        ]
    for row in writing.new_holds:
        row["remaining"] = book.wallets[row["account_id"]].holds[row["id"]].remaining
    for row in writing.hold_lots:
        row["remaining"] = book.wallets[row["account_id"]].holds[row["hold_id"]].lots[row["lot"]]
    inserts = {
        "entries": writing.entries,
        "transfers": writing.transfers,
        "lots": new_lots,
        "lot_uses": writing.lot_uses,
        "holds": writing.new_holds,
        "hold_lots": writing.hold_lots,
        "hold_moves": writing.hold_moves,
    }
    updates = {
        "wallets": [_wallet_row(book.wallets[account]) for account in sorted(writing.wallets)],
        "lots": old_lots,
        "holds": old_holds,
        "hold_lots": old_hold_lots,
    }
    return inserts, updates


def _wallet_row(wallet: Wallet) -> dict[str, Any]:
    return {
        "account_id": wallet.account,
        "posted": wallet.posted,
        "held": wallet.held,
        "debt": wallet.debt,
        "position": wallet.position,
    }


def _lot_row(account: int, lot: Lot) -> dict[str, Any]:
    return {
        "account_id": account,
        "position": lot.position,
        "amount": lot.amount,
        "available_from": lot.available_from,
        "expires_at": lot.expires_at,
        "terms": _hex(lot.terms) if lot.terms is not None else None,
        "remaining": lot.remaining,
        "held": lot.held,
        "expired": lot.expired,
        "open": lot.remaining > 0,
    }


def _split_totals(
    totals: dict[tuple[int, datetime, datetime], list[int]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the totals to insert or raise, and those that surely exist and are to be lowered.

    They are apart because PostgreSQL checks a proposed row before it looks for a conflict, and a
    negative change is not a valid row.
    """
    raised, lowered = [], []
    for (account, expires_at, available_from), (remaining, held, opened) in sorted(totals.items()):
        row = {
            "account_id": account,
            "expires_at": expires_at,
            "available_from": available_from,
            "remaining": remaining,
            "held": held,
        }
        if opened and 0 <= held <= remaining:
            raised.append(row)
        elif remaining or held:
            lowered.append(row)
    return raised, lowered


def _names(columns: str) -> list[str]:
    return [column.split()[0] for column in columns.split(",")]


def _insert(table: str, columns: str) -> str:
    names = ", ".join(_names(columns))
    return (
        f"INSERT INTO ledger.{table} ({names}) SELECT {names}"
        f" FROM json_to_recordset(%(new_{table})s::json) AS r({columns})"
    )


def _update(table: str, keys: str, columns: str) -> str:
    key_columns = ", ".join(f"{key} bigint" for key in _names(keys))
    sets = ", ".join(f"{name} = r.{name}" for name in _names(columns))
    same = " AND ".join(f"t.{key} = r.{key}" for key in _names(keys))
    return (
        f"UPDATE ledger.{table} t SET {sets}"
        f" FROM json_to_recordset(%(old_{table})s::json) AS r({key_columns}, {columns})"
        f" WHERE {same} RETURNING 1"
    )


_INSERTS = {table: _insert(table, columns) for table, columns in INSERTS.items()}
_UPDATES = {table: _update(table, *parts) for table, parts in UPDATES.items()}
_RAISE = (
    "INSERT INTO ledger.lot_totals AS t (account_id, expires_at, available_from, remaining, held)"
    f" SELECT * FROM json_to_recordset(%(raised)s::json) AS r({TOTAL})"
    " ON CONFLICT (account_id, expires_at, available_from) DO UPDATE"
    " SET remaining = t.remaining + excluded.remaining, held = t.held + excluded.held"
)
_LOWER = (
    "UPDATE ledger.lot_totals t SET remaining = t.remaining + r.remaining, held = t.held + r.held"
    f" FROM json_to_recordset(%(lowered)s::json) AS r({TOTAL})"
    " WHERE t.account_id = r.account_id AND t.expires_at = r.expires_at"
    " AND t.available_from = r.available_from RETURNING 1"
)


def _json(rows: object) -> str:
    return orjson.dumps(rows).decode()


def _hex(value: bytes) -> str:
    return "\\x" + value.hex()
