"""Walking wallets: every log is added up again, line by line, and compared with its seals.

Everything that belongs to a wallet is keyed by it, so one pass over all tables in key order
does, with no more in memory than the lots and amounts of one wallet.
"""

from dataclasses import dataclass, field
from typing import Any

from findings import Report
from houses import Accounts
from leaves import LEDGER, leaf, plain_json
from sources import Source
from streams import END, Stream
from trees import Hash

ORDERS = {
    "accounts": ("id",),
    "wallets": ("account_id",),
    "entries": ("account_id", "id"),
    "transfers": ("account_id", "position"),
    "lots": ("account_id", "position"),
    "lot_uses": ("account_id", "position", "lot"),
    "holds": ("account_id", "id"),
    "hold_lots": ("account_id", "hold_id", "lot"),
    "hold_moves": ("account_id", "entry_id", "hold_id", "kind"),
    "lot_totals": ("account_id", "expires_at", "available_from"),
    "totals": ("account_id",),
}
BELONGS = ("entries", "transfers", "lots", "lot_uses", "holds", "hold_lots", "hold_moves")


@dataclass
class Lot:
    """A lot as the log has it so far, and the row that says what is left of it."""

    row: tuple[Any, ...]
    left: int
    held: int = 0
    expired: int = 0
    is_expiry_known: bool = True


@dataclass
class Hold:
    """A hold as the log has it so far, and the row that says what is left of it."""

    row: tuple[Any, ...]
    left: int
    lots: list[tuple[Any, ...]]


@dataclass
class Log:
    """One wallet as its log has it so far."""

    account: int
    names: tuple[str, str]
    unit: int
    floor: int
    position: int = 0
    balance: int = 0
    debt: int = 0
    last_entry: int = 0
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    moves: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    reversals: set[int] = field(default_factory=set)
    reversed: dict[int, int] = field(default_factory=dict)
    sealed: list[int] = field(default_factory=lambda: [0, 0])


class Walk:
    """One pass over all wallets. `last_sealed` is the key of the last seal: entry, account."""

    def __init__(
        self,
        source: Source,
        report: Report,
        accounts: Accounts,
        hashing: Hash,
        last_sealed: tuple[int, int],
    ) -> None:
        self._report = report
        self._houses = accounts
        self._hashing = hashing
        self._last_sealed = last_sealed
        self._streams = {
            table: Stream(source, report, table, order) for table, order in ORDERS.items()
        }
        self._seals = Stream(source, report, "seals", ("account_id", "entry_id"), {"log": "ledger"})

    def run(self) -> None:
        """Walk every wallet, in the order of account ids."""
        streams = [self._streams[table] for table in (*BELONGS, "wallets", "lot_totals")]
        while (account := min(stream.key for stream in [*streams, self._seals])[0]) != END[0]:
            self._walk(account)

    def _walk(self, account: int) -> None:
        streams = self._streams
        owner = self._row_of("accounts", account)
        wallet = self._row_of("wallets", account)
        if owner is None or wallet is None:
            missing = "accounts" if owner is None else "wallets"
            self._find(missing, account, "is missing, and has a log")
        names = ("", "") if owner is None else (owner[2], owner[3])
        unit = -1 if owner is None else owner[1]
        log = Log(account, names, unit, 0 if wallet is None else wallet[2])
        for entry in streams["entries"].until(account):
            self._check_entry(log, owner, entry)
        for table in BELONGS:
            for row in streams[table].until(account):
                self._find_row(table, row, "belongs to no entry")
        self._check_missing(account, END[0])
        if wallet is not None:
            self._check_wallet(log, wallet)
        self._check_lots(log)
        self._check_totals(log)
        self._report.add("wallets")

    def _row_of(self, table: str, account: int) -> tuple[Any, ...] | None:
        found = None
        for row in self._streams[table].until(account):
            found = row
        return found if found is not None and found[0] == account else None

    # -- entries -------------------------------------------------------------------------------

    def _check_entry(self, log: Log, owner: Any, entry: tuple[Any, ...]) -> None:
        account, number, first, count = log.account, entry[1], entry[7], entry[8]
        self._report.add("entries")
        expected = log.position + 1 if count > 0 else log.position
        if first != expected:
            self._find_row("entries", entry, f"has position {first} where {expected} is next")
        last = first + count - 1 if count > 0 else log.position
        transfers = self._in_range("transfers", account, first, last)
        lots = self._in_range("lots", account, first, last)
        uses = self._in_range("lot_uses", account, first, last)
        holds = self._of_entry("holds", account, number)
        hold_lots = self._of_entry("hold_lots", account, number)
        moves = sorted(self._of_entry("hold_moves", account, number), key=lambda row: row[2:4])
        captures = any(row[3] == "capture" for row in moves)
        self._check_places(log, entry, transfers)
        for row in transfers:
            opened = next((lot for lot in lots if lot[1] == row[1]), None)
            used = [use for use in uses if use[1] == row[1]]
            self._check_transfer(log, entry, row)
            self._check_with_lots(log, row, opened, used)
            if row[3] == account and row[7] is None:
                _note_expiry(log, used, entry[11], captures)
        placed = {row[1] for row in transfers}
        for row in lots:
            if row[1] not in placed:
                self._find_row("lots", row, "was opened by no transfer")
        for row in uses:
            if row[1] not in placed:
                self._find_row("lot_uses", row, "belongs to no transfer")
        for row in moves:
            self._check_move(log, row)
        for row in holds:
            self._check_hold(log, row, hold_lots)
        if not holds:
            for row in hold_lots:
                self._find_row("hold_lots", row, "belongs to no hold")
        self._check_seal(log, owner, entry, (transfers, lots, uses, holds, hold_lots, moves))
        log.position = max(log.position, last)
        log.last_entry = number

    def _in_range(self, table: str, account: int, first: int, last: int) -> list[tuple[Any, ...]]:
        found = []
        for row in self._streams[table].until(account, last):
            if row[1] < first:
                self._find_row(table, row, "belongs to no entry")
            else:
                found.append(row)
        return found

    def _of_entry(self, table: str, account: int, number: int) -> list[tuple[Any, ...]]:
        found = []
        for row in self._streams[table].until(account, number):
            if row[1] < number:
                self._find_row(table, row, "belongs to no entry")
            else:
                found.append(row)
        return found

    def _check_places(self, log: Log, entry: Any, transfers: list[Any]) -> None:
        there = {row[1] for row in transfers}
        for position in range(entry[7], entry[7] + max(0, min(entry[8], 32_767))):
            if position not in there:
                key = {"account_id": log.account, "position": position}
                self._report.find("transfers", key, f"of entry {entry[1]} is missing")

    def _check_seal(self, log: Log, owner: Any, entry: Any, rows: tuple[list[Any], ...]) -> None:
        account, number = log.account, entry[1]
        self._check_missing(account, number - 1)
        seal = next(self._seals.until(account, number), None)
        if seal is None:
            if (number, account) <= self._last_sealed:
                self._find_row("entries", entry, "was slipped in: its neighbours are sealed")
            self._report.add("unsealed entries")
            return
        self._report.add("sealed entries")
        for row in rows[0]:
            self._count_sealed(log, row)
        content = self._content(log, owner, entry, rows)
        if content is None or self._hashing.leaf(content) != seal[4]:
            self._find_row(
                "entries",
                entry,
                f"is not what was sealed as leaf {seal[1]}: {_listed(rows)} differs",
            )

    def _check_missing(self, account: int, number: int) -> None:
        for seal in self._seals.until(account, number):
            key = {"account_id": account, "id": seal[3]}
            self._report.find("entries", key, f"was sealed as leaf {seal[1]} and is missing")

    def _content(
        self, log: Log, owner: Any, entry: Any, rows: tuple[list[Any], ...]
    ) -> bytes | None:
        """Return the bytes of the leaf, or None where an account that they name is missing."""
        if owner is None or log.unit not in self._houses.units:
            return None
        transfers, lots, uses, holds, hold_lots, moves = rows
        names = self._houses.names
        named = []
        for _, position, entry_id, giver, taker, amount, after, reverses in transfers:
            give = log.names if giver == log.account else names.get(giver)
            take = log.names if taker == log.account else names.get(taker)
            if give is None or take is None:
                return None
            named.append((position, entry_id, giver, *give, taker, *take, amount, after, reverses))
        code, kind = self._houses.units[log.unit]
        try:
            cause = entry[9] if entry[9] is None else plain_json(entry[9])
        except ValueError:
            return None
        parts: list[list[Any]] = [
            [(log.account, code, kind, *log.names, log.floor, owner[4])],
            [(*entry[:9], cause, *entry[10:])],
            named,
            [row[1:6] for row in lots],
            [row[1:4] for row in uses],
            [row[2:4] for row in holds],
            [row[2:4] for row in hold_lots],
            [row[2:5] for row in moves],
        ]
        return leaf(LEDGER, self._hashing.algorithm, parts)

    def _count_sealed(self, log: Log, row: Any) -> None:
        _, _, _, giver, taker, amount, *_ = row
        for account, debit, credit in ((giver, amount, 0), (taker, 0, amount)):
            if account == log.account:
                log.sealed[0] += debit
                log.sealed[1] += credit
            else:
                self._houses.move(account, debit, credit)

    # -- transfers -----------------------------------------------------------------------------

    def _check_transfer(self, log: Log, entry: Any, row: Any) -> None:
        _, position, entry_id, giver, taker, amount, after, reverses = row
        self._report.add("transfers")
        if entry_id != entry[1]:
            self._find_row("transfers", row, f"names entry {entry_id} and stands in {entry[1]}")
        if amount <= 0 or giver == taker:
            self._find_row("transfers", row, "is no transfer of a positive amount between two")
        for account in (giver, taker):
            if account != log.account and self._houses.unit_of.get(account) != log.unit:
                self._find_row("transfers", row, f"names account {account} of no or another unit")
        self._houses.clear(giver, entry[1], -amount)
        self._houses.clear(taker, entry[1], amount)
        log.balance += amount * ((taker == log.account) - (giver == log.account))
        if after != log.balance:
            self._find_row(
                "transfers", row, f"leaves {after} by its own word, {log.balance} by addition"
            )
            log.balance = after
        if after < log.floor:
            self._find_row("transfers", row, f"leaves {after}, below the floor of {log.floor}")
        log.moves[position] = (giver, taker, amount)
        if reverses is not None:
            self._check_reversal(log, row)

    def _check_with_lots(self, log: Log, row: Any, opened: Any, used: list[Any]) -> None:
        if opened is not None:
            log.lots[row[1]] = Lot(opened, opened[2])
        self._apply_uses(log, used)
        if row[4] == log.account:
            self._check_credit(log, row, opened, used)
        elif row[3] == log.account:
            self._check_debit(log, row, opened, used)
        elif used or opened:
            self._find_row("transfers", row, "touches lots and not the wallet")

    def _apply_uses(self, log: Log, uses: list[Any]) -> None:
        for row in uses:
            lot = log.lots.get(row[2])
            if lot is None:
                self._find_row("lot_uses", row, "takes from a lot that was not opened before")
                continue
            lot.left -= row[3]
            if not 0 <= lot.left <= lot.row[2]:
                self._find_row("lot_uses", row, f"leaves {lot.left} of a lot of {lot.row[2]}")

    def _check_credit(self, log: Log, row: Any, opened: Any, uses: list[Any]) -> None:
        position, amount, reverses = row[1], row[5], row[7]
        lot_amount = 0 if opened is None else opened[2]
        if reverses is None:
            if lot_amount != amount:
                key = {"account_id": log.account, "position": position}
                self._report.find(
                    "lots", key, f"opened with {lot_amount}, and its transfer gave {amount}"
                )
            paid = sum(use[3] for use in uses)
            wrong = any(use[2] != position or use[3] < 0 for use in uses)
        else:
            paid = amount - lot_amount + sum(use[3] for use in uses)
            wrong = any(use[3] > 0 for use in uses)
        if wrong or not 0 <= paid <= log.debt:
            self._find_row("transfers", row, "does not add up with its lots")
        log.debt = max(0, log.debt - paid)

    def _check_debit(self, log: Log, row: Any, opened: Any, uses: list[Any]) -> None:
        missing = row[5] - sum(use[3] for use in uses)
        wrong = opened is not None or any(use[3] < 0 for use in uses)
        if wrong or missing < 0 or (missing > 0 and row[7] is None):
            self._find_row("transfers", row, "does not add up with the lots that it used")
        log.debt += max(0, missing)

    def _check_reversal(self, log: Log, row: Any) -> None:
        _, position, _, giver, taker, amount, _, target = row
        original = log.moves.get(target)
        if original is None or target >= position or target in log.reversals:
            self._find_row("transfers", row, f"reverses {target}, which it cannot")
            return
        log.reversals.add(position)
        done = log.reversed[target] = log.reversed.get(target, 0) + amount
        if done > original[2]:
            self._find_row("transfers", row, f"reverses {done} in all of {original[2]}")
        lapsed = original[1] == log.account and giver != log.account
        if taker != original[0] or (giver != original[1] and not lapsed):
            self._find_row("transfers", row, f"does not go back the way of {target}")
        if lapsed and target in log.lots:
            log.lots[target].expired -= amount

    # -- holds ---------------------------------------------------------------------------------

    def _check_hold(self, log: Log, row: Any, hold_lots: list[Any]) -> None:
        _, number, amount, _, _ = row
        if amount != sum(part[3] for part in hold_lots):
            self._find_row("holds", row, f"is {amount}, and not the sum of what it reserves")
        for part in hold_lots:
            if part[2] not in log.lots:
                self._find_row("hold_lots", part, "reserves of a lot that was not opened before")
        log.holds[number] = Hold(row, amount, hold_lots)

    def _check_move(self, log: Log, row: Any) -> None:
        hold = log.holds.get(row[2])
        if hold is None or not 0 < row[4] <= hold.left:
            self._find_row("hold_moves", row, "moves more than is left of its hold")
            return
        hold.left -= row[4]
        if hold.left == 0:
            self._close_hold(log, log.holds.pop(row[2]))

    def _close_hold(self, log: Log, hold: Hold) -> None:
        """Compare what is left of a hold, in all and of each lot, with what its rows say."""
        if hold.row[4] != hold.left:
            self._find_row(
                "holds",
                hold.row,
                f"has {hold.row[4]} left by its own word, {hold.left} by addition",
            )
        gone = hold.row[2] - hold.left
        for part in sorted(hold.lots, key=lambda part: _soonest(log, part[2])):
            left = max(0, part[3] - gone)
            gone -= part[3] - left
            if part[4] != left:
                self._find_row(
                    "hold_lots", part, f"has {part[4]} left by its own word, {left} by addition"
                )
            if part[2] in log.lots:
                log.lots[part[2]].held += left

    # -- what is kept beside the log -----------------------------------------------------------

    def _check_wallet(self, log: Log, wallet: Any) -> None:
        _, unit, floor, posted, held, debt, position = wallet
        for hold in log.holds.values():
            self._close_hold(log, hold)
        by_lots = sum(lot.left for lot in log.lots.values()) - log.debt
        all_held = sum(lot.held for lot in log.lots.values())
        claims = (
            ("unit_id", unit, log.unit),
            ("posted", posted, log.balance),
            ("posted (by lots)", posted, by_lots),
            ("held", held, all_held),
            ("debt", debt, log.debt),
            ("position", position, log.position),
        )
        for name, said, added in claims:
            if said != added:
                self._find("wallets", log.account, f"says {name} {said}, and the log {added}")
        if posted - held < floor or floor > 0:
            self._find("wallets", log.account, f"is below its floor of {floor}")

    def _check_lots(self, log: Log) -> None:
        for lot in log.lots.values():
            _, _, _, _, _, _, remaining, held, expired, is_open = lot.row
            if remaining != lot.left:
                self._find_row("lots", lot.row, f"says {remaining} left, and its uses {lot.left}")
            if held != lot.held:
                self._find_row("lots", lot.row, f"says {held} held, and the holds {lot.held}")
            if lot.is_expiry_known and expired != lot.expired:
                self._find_row(
                    "lots", lot.row, f"says {expired} expired, and the log {lot.expired}"
                )
            if bool(is_open) != (remaining > 0):
                self._find_row("lots", lot.row, "is open or closed against what is left of it")

    def _check_totals(self, log: Log) -> None:
        sums: dict[tuple[int, int], list[int]] = {}
        for lot in log.lots.values():
            total = sums.setdefault((lot.row[4], lot.row[3]), [0, 0])
            total[0] += lot.left
            total[1] += lot.held
        for row in self._streams["lot_totals"].until(log.account):
            if sums.pop((row[1], row[2]), [0, 0]) != [row[3], row[4]]:
                self._find_row("lot_totals", row, "is not the sum of its lots")
        for (expires_at, available_from), total in sums.items():
            if total != [0, 0]:
                row = (log.account, expires_at, available_from)
                self._find_row("lot_totals", row, "is missing")
        totals = self._row_of("totals", log.account)
        if list((totals or (0, 0, 0))[1:]) != log.sealed:
            self._find("totals", log.account, "is not the sum of the sealed transfers")

    def _find(self, table: str, account: int, what: str) -> None:
        self._report.find(table, {ORDERS[table][0]: account}, what)

    def _find_row(self, table: str, row: tuple[Any, ...], what: str) -> None:
        names = ORDERS[table]
        self._report.find(table, dict(zip(names, row, strict=False)), what)


def _note_expiry(log: Log, uses: list[Any], recorded_at: int, captures: bool) -> None:
    """Count what a debit took from lapsed lots: only the sweep and a captured hold do that."""
    for use in uses:
        lot = log.lots.get(use[2])
        if lot is not None and lot.row[4] <= recorded_at:
            if captures:
                lot.is_expiry_known = False
            else:
                lot.expired += use[3]


def _soonest(log: Log, position: int) -> tuple[int, int]:
    lot = log.lots.get(position)
    return (lot.row[4] if lot else 0, position)


def _listed(rows: tuple[list[Any], ...]) -> str:
    """Return which rows a leaf covers, for people."""
    transfers, lots, uses, holds, _, moves = rows
    parts = ["the account", "the entry"]
    if transfers:
        parts.append("transfers " + ", ".join(str(row[1]) for row in transfers))
    if lots:
        parts.append("lots " + ", ".join(str(row[1]) for row in lots))
    if uses:
        parts.append(f"{len(uses)} lot_uses")
    if holds:
        parts.append("the hold and its lots")
    if moves:
        parts.append(f"{len(moves)} hold_moves")
    return "one of " + ", ".join(parts)
