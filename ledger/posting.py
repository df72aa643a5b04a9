"""`post`: the only way into the ledger, for one entry and for a million.

Two statements whatever the number of entries: `ledger.read_book` locks the wallets and then
reads what the decision needs, `decide` decides in Python, and `ledger.write_book` writes it all.

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
    Lapse,
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

READ_BOOK = "SELECT ledger.read_book(%s::json)::text"

# The lists that `ledger.write_book` takes, in its order.
LISTS = (
    "new_entries",
    "new_transfers",
    "new_lots",
    "new_lot_uses",
    "new_holds",
    "new_hold_lots",
    "new_hold_moves",
    "old_wallets",
    "old_lots",
    "old_holds",
    "old_hold_lots",
    "raised",
    "lowered",
)
WRITE_BOOK = f"SELECT ledger.write_book({', '.join('%s::json' for _ in LISTS)})"


Connection = psycopg.Connection[tuple[Any, ...]]

_units: WeakKeyDictionary[Engine, dict[int, int]] = WeakKeyDictionary()


def post(session: Session, entries: Sequence[Entry]) -> list[Outcome]:
    """Write each entry whole or refuse it, and return an outcome for each, in their order.

    An entry whose `(source, reference)` is known for its wallet is answered from what was
    written then. Amounts are whole numbers of the accounts' unit; instants are UTC. A refused
    entry does not disturb its neighbours. Locks all wallets first, in id order: a transaction
    that posts twice should name all its wallets in `lock` before.

    Raises the driver's errors; the caller's transaction is then rolled back whole.
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
    lapsers: set[int] = field(default_factory=set)
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
                if act.expired_account is not None:
                    self.accounts.add(act.expired_account)
            case Capture() | Release():
                self.holds.append({"account_id": act.account, "id": act.hold_id})
                self.accounts.update((act.to_account,) if isinstance(act, Capture) else ())
            case Expire():
                self.accounts.add(act.to_account)
                self.expirers.add(act.account)
            case Lapse():
                self.lapsers.add(act.account)

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
        held = {hold["account_id"] for hold in self.holds}
        if holders := {*spenders, *self.expirers, *self.lapsers, *held}:
            question["holders"] = list(holders)
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
        cursor.execute(READ_BOOK, (needs.ask(units),))
        (answer,) = cursor.fetchone() or (None,)
    found = orjson.loads(answer)
    wallets = {row["account_id"]: Wallet(*row.values()) for row in found["wallets"] or ()}
    for row in found["units"] or ():
        if row["id"] not in wallets:
            units[row["id"]] = row["unit_id"]
    book = Book(_instant(found["clock"]), wallets, units)
    _add_lots(wallets, found["lots"] or (), needs, book.now)
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


def _add_lots(
    wallets: dict[int, Wallet], rows: Iterable[dict[str, Any]], needs: _Needs, now: datetime
) -> None:
    spendable: dict[int, list[tuple[datetime, int]]] = {}
    for row in rows:
        account, lot = row["account_id"], _lot(row)
        wallets[account].lots[lot.position] = lot
        if lot.expires_at > now:
            spendable.setdefault(account, []).append((lot.expires_at, lot.position))
    for account, found in spendable.items():
        if len(found) >= FIRST_LOTS and account not in needs.all_lots:
            wallets[account].horizon = max(found)


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
            row["is_expiry"],
        )
    for row in used:
        wallet = wallets[row["account_id"]]
        wallet.lots.setdefault(row["position"], _lot(row))
        if row["used"] > 0:
            wallet.originals[row["original"]].uses[row["position"]] = row["used"]


def _known(
    rows: Iterable[dict[str, Any]], lines: Iterable[dict[str, Any]]
) -> dict[tuple[int, str, str], tuple[bytes, Posted]]:
    # Keyed by line: a key that is asked for twice in one call brings its lines twice.
    by_entry: dict[int, dict[Line, None]] = {}
    for line in lines:
        entry_id, *rest = line.values()
        by_entry.setdefault(entry_id, {})[Line(*rest)] = None
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
    rows = _rows(book, writing)
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE_BOOK, [_json(rows[name]) if rows.get(name) else None for name in LISTS]
        )


def _rows(book: Book, writing: Writing) -> dict[str, list[dict[str, Any]]]:
    """Return the rows to write by the name of their list in `LISTS`."""
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
    raised, lowered = _split_totals(writing.totals)
    return {
        "new_entries": writing.entries,
        "new_transfers": writing.transfers,
        "new_lots": new_lots,
        "new_lot_uses": writing.lot_uses,
        "new_holds": writing.new_holds,
        "new_hold_lots": writing.hold_lots,
        "new_hold_moves": writing.hold_moves,
        "old_wallets": [_wallet_row(book.wallets[account]) for account in sorted(writing.wallets)],
        "old_lots": old_lots,
        "old_holds": old_holds,
        "old_hold_lots": old_hold_lots,
        "raised": raised,
        "lowered": lowered,
    }


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


def _json(rows: object) -> str:
    return orjson.dumps(rows).decode()


def _hex(value: bytes) -> str:
    return "\\x" + value.hex()
