"""`post`: the only way into the ledger, for one entry and for a million.

Two statements whatever the number of entries: `ledger.read_book` locks the wallets and then
reads what the decision needs, `decide` decides in Python, and everything is written in one
statement.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import psycopg
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ledger.acts import (
    Act,
    Capture,
    Entry,
    Expire,
    Hold,
    Line,
    Move,
    Outcome,
    Posted,
    Release,
    Reverse,
)
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
SELECT account_id FROM ledger.wallets
WHERE account_id = ANY(%s) ORDER BY account_id FOR NO KEY UPDATE"""

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

    accounts: set[int] = field(default_factory=set)
    keys: list[dict[str, Any]] = field(default_factory=list)
    spenders: set[int] = field(default_factory=set)
    expirers: set[int] = field(default_factory=set)
    holds: list[dict[str, int]] = field(default_factory=list)
    originals: list[dict[str, int]] = field(default_factory=list)
    all_lots: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> _Needs:
        needs = cls()
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

    def _add(self, act: Act) -> None:
        self.accounts.update(wallets_of(act))
        match act:
            case Move():
                self.spenders.add(act.from_account)
            case Hold():
                self.spenders.add(act.account)
            case Reverse():
                self.spenders.add(act.account)
                self.originals.append({"account_id": act.account, "position": act.position})
            case Capture() | Release():
                self.holds.append({"account_id": act.account, "id": act.hold_id})
                self.accounts.update((act.to_account,) if isinstance(act, Capture) else ())
            case Expire():
                self.accounts.add(act.to_account)
                self.expirers.add(act.account)

    def ask(self, floorless: Container[int]) -> str:
        """Return the question to `ledger.read_book`, without what has no lock and no lots."""
        spenders = [a for a in self.spenders if a not in floorless]
        lots = [self._lots_of(a, past=False) for a in spenders]
        lots += [self._lots_of(a, past=True) for a in self.expirers]
        question: dict[str, Any] = {
            "accounts": [a for a in self.accounts if a not in floorless],
            "keys": self.keys,
        }
        if lots:
            question["spenders"] = lots
        if lots or self.holds:
            question["holders"] = [
                *{*spenders, *self.expirers, *(h["account_id"] for h in self.holds)}
            ]
            question["holds"] = self.holds
        if self.originals:
            question["originals"] = self.originals
        return _json(question)

    def _lots_of(self, account: int, *, past: bool) -> dict[str, Any]:
        some = EXPIRED_LOTS if past else FIRST_LOTS
        first = None if account in self.all_lots else some
        return {"id": account, "first": first, "past": past}


def _connection(session: Session) -> Connection:
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _read_book(session: Session, connection: Connection, needs: _Needs) -> tuple[Book, list[int]]:
    units = _units.setdefault(_engine(session), {})
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.read_book(%s::json)::text", (needs.ask(units),))
        (answer,) = cursor.fetchone() or (None,)
    found = orjson.loads(answer)
    wallets = {row["account_id"]: Wallet(*row.values()) for row in found["wallets"] or ()}
    for row in found["units"] or ():
        if row["id"] not in wallets:
            units[row["id"]] = row["unit_id"]
    book = Book(_instant(found["clock"]), wallets, units)
    _add_lots(wallets, found["lots"] or (), needs)
    _add_holds(wallets, found["holds"] or ())
    _add_originals(wallets, found["originals"] or (), found["used"] or ())
    if found["known"]:
        book.known = _known(found["known"], found["lines"] or ())
    return book, found["ids"]


def _engine(session: Session) -> Engine:
    bind = session.get_bind()
    return bind if isinstance(bind, Engine) else bind.engine


def _instant(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _lot(row: dict[str, Any]) -> Lot:
    return Lot(
        row["position"],
        row["amount"],
        _instant(row["available_from"]),
        _instant(row["expires_at"]),
        bytes.fromhex(row["terms"]) if row["terms"] is not None else None,
        row["remaining"],
        row["held"],
        row["expired"],
    )


def _add_lots(wallets: dict[int, Wallet], rows: Iterable[dict[str, Any]], needs: _Needs) -> None:
    counts: dict[int, int] = {}
    for row in rows:
        account = row["account_id"]
        wallets[account].lots[row["position"]] = _lot(row)
        counts[account] = counts.get(account, 0) + 1
    for account, count in counts.items():
        wallets[account].has_all_lots = account in needs.all_lots or count < FIRST_LOTS


def _add_holds(wallets: dict[int, Wallet], rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        wallet = wallets[row["account_id"]]
        wallet.lots.setdefault(row["position"], _lot(row))
        hold = wallet.holds.setdefault(
            row["id"],
            HoldState(
                row["id"],
                row["hold_amount"],
                _instant(row["lapses_at"]),
                row["hold_remaining"],
                {},
            ),
        )
        hold.lots[row["position"]] = row["reserved"]


def _add_originals(
    wallets: dict[int, Wallet],
    originals: Iterable[dict[str, Any]],
    used: Iterable[dict[str, Any]],
) -> None:
    for row in originals:
        wallets[row["account_id"]].originals[row["position"]] = Original(
            row["position"],
            row["from_account_id"],
            row["to_account_id"],
            row["amount"],
            row["reversed"],
            row["reverses"] is not None,
            {},
        )
    for row in used:
        wallet = wallets[row["account_id"]]
        wallet.lots.setdefault(row["position"], _lot(row))
        if row["used"] > 0:
            wallet.originals[row["original"]].uses[row["position"]] = row["used"]


def _known(
    rows: Iterable[dict[str, Any]], lines: Iterable[dict[str, Any]]
) -> dict[tuple[int, str, str], tuple[bytes, Posted]]:
    by_entry: dict[int, list[Line]] = {}
    for line in lines:
        entry_id, *rest = line.values()
        by_entry.setdefault(entry_id, []).append(Line(*rest))
    return {
        (row["account_id"], row["source"], row["reference"]): (
            bytes.fromhex(row["digest"]),
            Posted(
                row["id"],
                tuple(by_entry.get(row["id"], ())),
                _instant(row["recorded_at"]),
                replayed=True,
            ),
        )
        for row in rows
    }


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
