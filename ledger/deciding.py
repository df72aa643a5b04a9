"""The deciding core: state and entries in, rows and refusals out. No I/O, no clock of its own.

`decide` is the whole of the ledger's arithmetic. It works on a `Book` (what `posting` loaded
under the wallets' locks) and fills a `Writing` (rows by table, ready to insert or update).
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ledger.acts import (
    MAX_AMOUNT,
    MAX_BALANCE,
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


class Refuse(Exception):
    """An act cannot be done; the entry it belongs to is not written."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(code, detail)


class MissingLots(Exception):
    """The lots that were read do not suffice to decide: read all of this wallet's."""

    def __init__(self, account: int) -> None:
        super().__init__(f"more lots of account {account} are needed")
        self.account = account


@dataclass(slots=True)
class Lot:
    """A lot as it stands while deciding."""

    position: int
    amount: int
    available_from: datetime
    expires_at: datetime
    terms: bytes | None
    remaining: int
    held: int = 0
    expired: int = 0
    is_new: bool = False

    def free(self) -> int:
        """Return the points that are neither used nor held."""
        return self.remaining - self.held

    def is_usable(self, now: datetime) -> bool:
        """Return whether its points may be spent at `now`."""
        return self.available_from <= now < self.expires_at


@dataclass(slots=True)
class HoldState:
    """A hold as it stands while deciding: `lots` maps lot position to what is still reserved."""

    id: int
    amount: int
    lapses_at: datetime
    remaining: int
    lots: dict[int, int]


@dataclass(slots=True)
class Original:
    """A transfer that is to be reversed: what it did, and what was reversed of it already.

    `uses` maps lot position to what it took and has not been given back yet. `is_expiry` says
    that it swept out lapsed points.
    """

    position: int
    from_account: int
    to_account: int
    amount: int
    reversed: int
    is_reversal: bool
    uses: dict[int, int]
    is_expiry: bool = False


@dataclass(slots=True)
class Wallet:
    """A wallet under its lock.

    `horizon` is the expiry and position of the last lot that was read where only the soonest
    were; None: all that may be spent are here.
    """

    account: int
    unit: int
    floor: int
    posted: int = 0
    held: int = 0
    debt: int = 0
    position: int = 0
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[int, HoldState] = field(default_factory=dict)
    originals: dict[int, Original] = field(default_factory=dict)
    horizon: tuple[datetime, int] | None = None

    def copy(self, *, lots_stay: bool) -> Wallet:
        """Return a copy to go back to. With `lots_stay` its lots are the same, as a list of them.

        Spelled out, because the library's deep copy took longer than all of deciding.
        """
        return Wallet(
            self.account,
            self.unit,
            self.floor,
            self.posted,
            self.held,
            self.debt,
            self.position,
            dict(self.lots) if lots_stay else {p: copy.copy(lot) for p, lot in self.lots.items()},
            {i: replace(hold, lots=dict(hold.lots)) for i, hold in self.holds.items()},
            {p: replace(one, uses=dict(one.uses)) for p, one in self.originals.items()},
            self.horizon,
        )

    def usable_lots(self, now: datetime) -> list[Lot]:
        """Return the lots that may be spent at `now`, soonest to expire first."""
        usable = [x for x in self.lots.values() if x.remaining > x.held and x.is_usable(now)]
        usable.sort(key=_soonest)
        return usable


@dataclass(slots=True)
class Book:
    """What the ledger knows of all that a call touches.

    `wallets` by account, locked; `units` the unit of every other account; `known` the entries
    that exist already, by (account, source, reference), with their content's digest.
    """

    now: datetime
    wallets: dict[int, Wallet]
    units: dict[int, int] = field(default_factory=dict)
    known: dict[tuple[int, str, str], tuple[bytes, Posted]] = field(default_factory=dict)


Row = dict[str, Any]


@dataclass(slots=True)
class Writing:
    """Rows to append, by table, and the keys of what changed: its final state is in the book.

    `lots` and `holds` are keyed by account and position or id; `totals` by account, expiry and
    availability, each with the change of remaining and held, and whether a lot was opened there.
    """

    entries: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    lot_uses: list[Row] = field(default_factory=list)
    new_holds: list[Row] = field(default_factory=list)
    hold_lots: list[Row] = field(default_factory=list)
    hold_moves: list[Row] = field(default_factory=list)
    wallets: set[int] = field(default_factory=set)
    lots: set[tuple[int, int]] = field(default_factory=set)
    holds: set[tuple[int, int]] = field(default_factory=set)
    totals: dict[tuple[int, datetime, datetime], list[int]] = field(default_factory=dict)


def digest_entry(entry: Entry) -> bytes:
    """Return the hash of what `entry` asks for: the same key with another digest is refused.

    The cause is left out: it points at the caller's own rows.
    """
    content = [
        entry.kind,
        entry.effective_at.timestamp() if entry.effective_at else None,
        *([type(act).__name__, *_fields(act)] for act in entry.acts),
    ]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).digest()


def _fields(act: Act) -> list[object]:
    return [_plain(getattr(act, name)) for name in act.__slots__]


def _plain(value: object) -> object:
    if isinstance(value, Terms):
        return _terms_fields(value)
    return value.timestamp() if isinstance(value, datetime) else value


def _terms_fields(terms: Terms) -> list[object]:
    return [
        terms.available_from.timestamp(),
        terms.expires_at.timestamp(),
        terms.digest.hex() if terms.digest else None,
    ]


def decide(
    book: Book, entries: Sequence[Entry], ids: Iterable[int]
) -> tuple[Writing, list[Outcome]]:
    """Return what to write and an outcome for each entry, in their order.

    `ids` gives an entry id for each entry. Changes `book` in place, so that later entries see
    what earlier ones did. Raises `MissingLots` when the book holds too little to decide.
    """
    writing = Writing()
    outcomes: list[Outcome] = []
    for entry, entry_id in zip(entries, ids, strict=True):
        outcomes.append(_decide_one(book, writing, entry, entry_id))
    return writing, outcomes


def _decide_one(book: Book, writing: Writing, entry: Entry, entry_id: int) -> Outcome:
    digest = digest_entry(entry)
    key = (entry.account, entry.source, entry.reference)
    known = book.known.get(key)
    if known is not None:
        return _replay(known, digest)
    draft = _Draft(book, entry, entry_id)
    saved = None if draft.is_sure() else draft.save()
    try:
        draft.check()
        for act in entry.acts:
            draft.do(act)
    except Refuse as refuse:
        if saved is not None:
            book.wallets.update(saved)
        return refuse.refusal
    draft.write(writing, digest)
    posted = Posted(entry_id, draft.answer(), book.now)
    book.known[key] = (digest, Posted(entry_id, posted.lines, book.now, replayed=True))
    return posted


def _replay(known: tuple[bytes, Posted], digest: bytes) -> Outcome:
    before, posted = known
    if before != digest:
        return Refusal(
            "reference-reused",
            f"this reference belongs to entry {posted.entry_id}, which asked for something else",
        )
    return posted


class _Draft:
    """One entry being decided: its lines and rows, kept apart until all its acts are done."""

    def __init__(self, book: Book, entry: Entry, entry_id: int) -> None:
        self.book = book
        self.entry = entry
        self.entry_id = entry_id
        self.lines: list[Line] = []
        self.lots: set[tuple[int, int]] = set()
        self.uses: list[Row] = []
        self.new_holds: list[Row] = []
        self.hold_lots: list[Row] = []
        self.hold_moves: dict[tuple[int, int, str], int] = {}
        self.holds: set[tuple[int, int]] = set()
        self.totals: dict[tuple[int, datetime, datetime], list[int]] = {}
        self.touched: dict[int, Wallet] = {}

    def is_sure(self) -> bool:
        """Return whether nothing can refuse after the first change, so no copy is needed."""
        match self.entry.acts:
            case [Move(from_account=account) | Expire(account=account)]:
                giver = self.book.wallets.get(account)
                return giver is None or not giver.holds
            case _:
                return False

    def save(self) -> dict[int, Wallet]:
        """Return copies of the wallets that the acts may change, to go back to."""
        acts, wallets = self.entry.acts, self.book.wallets
        accounts = {self.entry.account}.union(*(wallets_of(act) for act in acts))
        # What only receives gets lots, and none that it has changes.
        lots_stay = all(isinstance(a, Move) and a.from_account not in wallets for a in acts)
        return {a: wallets[a].copy(lots_stay=lots_stay) for a in accounts if a in wallets}

    def check(self) -> None:
        """Refuse what no state of the ledger could make right."""
        entry = self.entry
        if entry.account not in self.book.wallets:
            raise Refuse("unknown-account", f"account {entry.account} is not a wallet")
        if not entry.acts:
            raise Refuse("empty-entry", "an entry needs at least one act")
        # The home log has a row of every entry, also of one that moves points elsewhere only:
        # that row is what makes the reference known.
        self._touch(self.book.wallets[entry.account])
        if sum(isinstance(act, Hold) for act in entry.acts) > 1:
            raise Refuse("several-holds", "an entry makes at most one hold")
        for act in entry.acts:
            amount = getattr(act, "amount", None)
            if amount is not None and not (type(amount) is int and 0 < amount <= MAX_AMOUNT):
                raise Refuse("bad-amount", f"amount {amount} is not from 1 to {MAX_AMOUNT}")

    def do(self, act: Act) -> None:
        match act:
            case Move():
                self._move(act)
            case Hold():
                self._hold(act)
            case Capture():
                self._capture(act)
            case Release():
                self._release(act)
            case Reverse():
                self._reverse(act)
            case Expire():
                self._expire(act)
            case Lapse():
                self._lapse(act)

    # -- acts ----------------------------------------------------------------------------------

    def _move(self, act: Move) -> None:
        source = self.book.wallets.get(act.from_account)
        target = self.book.wallets.get(act.to_account)
        self._same_unit(act.from_account, act.to_account)
        if source is not None and target is not None:
            raise Refuse("two-wallets", "between wallets, move through a clearing account")
        if target is not None:
            self._credit(target, act.from_account, act.amount, act.terms)
        elif source is not None:
            self._debit(source, act.to_account, act.amount)
        else:
            home = self._touch(self.book.wallets[self.entry.account])
            self._line(home, act.from_account, act.to_account, act.amount)

    def _hold(self, act: Hold) -> None:
        wallet = self._wallet(act.account)
        if act.account != self.entry.account:
            raise Refuse("foreign-hold", "a hold stands in the log of the entry's own account")
        if act.lapses_at <= self.book.now:
            raise Refuse("lapsed", "a hold must lapse in the future")
        self._lapse_holds(wallet)
        taken = self._take(wallet, act.amount)
        for lot, amount in taken:
            self._change_held(wallet, lot, amount)
        lots = {lot.position: amount for lot, amount in taken}
        hold = HoldState(self.entry_id, act.amount, act.lapses_at, act.amount, lots)
        wallet.holds[hold.id] = hold
        self.new_holds.append(
            {
                "account_id": wallet.account,
                "id": hold.id,
                "amount": act.amount,
                "lapses_at": act.lapses_at,
            }
        )
        self.hold_lots += [
            {"account_id": wallet.account, "hold_id": hold.id, "lot": lot, "amount": amount}
            for lot, amount in lots.items()
        ]

    def _capture(self, act: Capture) -> None:
        wallet = self._wallet(act.account)
        self._floorless(wallet, act.to_account)
        hold = self._open_hold(wallet, act.hold_id)
        if act.amount > hold.remaining:
            raise Refuse("over-hold", f"only {hold.remaining} of hold {hold.id} is left")
        taken = self._unhold(wallet, hold, act.amount, "capture")
        line = self._line(wallet, wallet.account, act.to_account, act.amount)
        for lot, amount in taken:
            self._use(wallet, line, lot, amount)

    def _release(self, act: Release) -> None:
        wallet = self._wallet(act.account)
        hold = self._open_hold(wallet, act.hold_id)
        amount = hold.remaining if act.amount is None else act.amount
        if amount > hold.remaining:
            raise Refuse("over-hold", f"only {hold.remaining} of hold {hold.id} is left")
        self._unhold(wallet, hold, amount, "release")

    def _reverse(self, act: Reverse) -> None:
        wallet = self._wallet(act.account)
        original = wallet.originals.get(act.position)
        if original is None:
            raise Refuse("unknown-transfer", f"no transfer {act.position} in this log")
        if original.is_reversal:
            raise Refuse("reversal-of-reversal", "a reversal is corrected by an adjustment")
        if original.is_expiry:
            # Else a reversal of the credit would fetch the same points once more.
            raise Refuse("reversal-of-expiry", "what lapsed is given back by an adjustment")
        if act.expired_account is not None:
            self._floorless(wallet, act.expired_account)
        left = original.amount - original.reversed
        amount = left if act.amount is None else act.amount
        if left == 0 or amount > left:
            raise Refuse("over-reversal", f"only {left} of transfer {act.position} is left")
        if original.to_account == wallet.account:
            self._take_back(wallet, original, amount, act.expired_account)
        elif original.from_account == wallet.account:
            self._give_back(wallet, original, amount, act.grace)
        else:
            self._line(
                wallet, original.to_account, original.from_account, amount, original.position
            )
        original.reversed += amount

    def _expire(self, act: Expire) -> None:
        wallet = self._wallet(act.account)
        self._floorless(wallet, act.to_account)
        self._lapse_holds(wallet)
        lapsed = [x for x in wallet.lots.values() if x.expires_at <= self.book.now and x.free() > 0]
        if not lapsed:
            raise Refuse("nothing-expired", "nothing in this wallet has expired")
        lapsed.sort(key=_soonest)
        amount = sum(lot.free() for lot in lapsed)
        line = self._line(wallet, wallet.account, act.to_account, amount)
        for lot in lapsed:
            free = lot.free()
            lot.expired += free
            self._use(wallet, line, lot, free)

    def _lapse(self, act: Lapse) -> None:
        if not self._lapse_holds(self._wallet(act.account)):
            raise Refuse("nothing-lapsed", "no hold in this wallet has lapsed")

    # -- what acts are made of -----------------------------------------------------------------

    def _credit(
        self, wallet: Wallet, giver: int, amount: int, terms: Terms, reverses: int | None = None
    ) -> None:
        self._touch(wallet)
        line = self._line(wallet, giver, wallet.account, amount, reverses)
        lot = self._open_lot(wallet, line, amount, terms)
        if wallet.debt > 0:
            self._pay_debt(wallet, line, lot)

    def _open_lot(self, wallet: Wallet, line: Line, amount: int, terms: Terms) -> Lot:
        lot = Lot(
            line.position,
            amount,
            terms.available_from,
            terms.expires_at,
            terms.digest,
            amount,
            is_new=True,
        )
        wallet.lots[lot.position] = lot
        self._change(wallet, lot)
        self._count(wallet, lot, amount, 0)
        return lot

    def _pay_debt(self, wallet: Wallet, line: Line, lot: Lot) -> None:
        paid = min(wallet.debt, lot.remaining)
        wallet.debt -= paid
        self._use(wallet, line, lot, paid)

    def _debit(self, wallet: Wallet, taker: int, amount: int) -> None:
        self._touch(wallet)
        self._lapse_holds(wallet)
        taken = self._take(wallet, amount)
        line = self._line(wallet, wallet.account, taker, amount)
        for lot, part in taken:
            self._use(wallet, line, lot, part)

    def _take(self, wallet: Wallet, amount: int) -> list[tuple[Lot, int]]:
        """Return which usable lots cover `amount`, soonest first; refuse if they do not."""
        taken, missing = _cover_all(wallet, wallet.usable_lots(self.book.now), amount + wallet.debt)
        if missing > 0:
            usable = max(0, amount - missing)
            raise Refuse("insufficient", f"{amount} asked, {usable} available")
        return taken if wallet.debt == 0 else _cover(wallet.usable_lots(self.book.now), amount)[0]

    def _take_back(
        self, wallet: Wallet, original: Original, amount: int, expired_account: int | None
    ) -> None:
        """Undo a credit: own lot, then other usable lots, then a debt down to the floor."""
        self._lapse_holds(wallet)
        own = wallet.lots[original.position]
        giver = original.from_account
        gone = 0 if expired_account is None else min(own.expired, amount)
        due = amount - gone
        taken, missing = _cover([own], due)
        if missing > 0:
            others = [lot for lot in wallet.usable_lots(self.book.now) if lot is not own]
            more, missing = _cover_all(wallet, others, missing)
            taken += more
        if missing > 0 and -(wallet.debt + missing) < wallet.floor:
            raise Refuse(
                "insufficient", f"{due} to take back, {due - missing} available: spent already"
            )
        wallet.debt += missing
        if gone and expired_account is not None:
            own.expired -= gone
            self._change(wallet, own)
            self._line(wallet, expired_account, giver, gone, original.position)
        if due:
            line = self._line(wallet, wallet.account, giver, due, original.position)
            for lot, part in taken:
                self._use(wallet, line, lot, part)

    def _give_back(self, wallet: Wallet, original: Original, amount: int, grace: Terms) -> None:
        """Undo a debit: back to its lots, latest to expire first; lapsed parts to a grace lot."""
        line = self._line(wallet, original.to_account, wallet.account, amount, original.position)
        lots = sorted(
            (wallet.lots[position] for position in original.uses), key=_soonest, reverse=True
        )
        left = amount
        for lot in lots:
            back = min(left, original.uses[lot.position])
            if back == 0 or lot.expires_at <= self.book.now:
                continue
            original.uses[lot.position] -= back
            self._use(wallet, line, lot, -back)
            left -= back
        if left > 0 and wallet.debt > 0:
            paid = min(left, wallet.debt)
            wallet.debt -= paid
            left -= paid
        if left > 0:
            self._open_lot(wallet, line, left, grace)

    def _use(self, wallet: Wallet, line: Line, lot: Lot, amount: int) -> None:
        if amount == 0:
            return
        lot.remaining -= amount
        self._change(wallet, lot)
        self._count(wallet, lot, -amount, 0)
        self.uses.append(
            {
                "account_id": wallet.account,
                "position": line.position,
                "lot": lot.position,
                "amount": amount,
            }
        )

    def _change_held(self, wallet: Wallet, lot: Lot, amount: int) -> None:
        lot.held += amount
        wallet.held += amount
        self._change(wallet, lot)
        self._count(wallet, lot, 0, amount)

    def _open_hold(self, wallet: Wallet, hold_id: int) -> HoldState:
        self._lapse_holds(wallet)
        hold = wallet.holds.get(hold_id)
        if hold is None:
            raise Refuse("unknown-hold", f"no hold {hold_id} in this wallet")
        if hold.remaining == 0:
            raise Refuse("hold-closed", f"nothing of hold {hold_id} is left")
        return hold

    def _unhold(
        self, wallet: Wallet, hold: HoldState, amount: int, kind: str
    ) -> list[tuple[Lot, int]]:
        """Free `amount` of a hold, soonest to expire first; return from which lots."""
        lots = sorted((wallet.lots[position] for position in hold.lots), key=_soonest)
        freed = []
        left = amount
        for lot in lots:
            part = min(left, hold.lots[lot.position])
            if part:
                hold.lots[lot.position] -= part
                self._change_held(wallet, lot, -part)
                freed.append((lot, part))
                left -= part
        hold.remaining -= amount
        self.holds.add((wallet.account, hold.id))
        key = (wallet.account, hold.id, kind)
        self.hold_moves[key] = self.hold_moves.get(key, 0) + amount
        return freed

    def _lapse_holds(self, wallet: Wallet) -> bool:
        """Free what lapsed holds reserve; return whether there was any."""
        lapsed = [
            hold
            for hold in wallet.holds.values()
            if hold.remaining > 0 and hold.lapses_at <= self.book.now
        ]
        for hold in lapsed:
            self._touch(wallet)
            self._unhold(wallet, hold, hold.remaining, "lapse")
        return bool(lapsed)

    def _line(
        self, wallet: Wallet, giver: int, taker: int, amount: int, reverses: int | None = None
    ) -> Line:
        self._touch(wallet)
        change = amount if taker == wallet.account else -amount if giver == wallet.account else 0
        if abs(wallet.posted + change) > MAX_BALANCE:
            raise Refuse("overflow", "the balance would be too large to count")
        wallet.posted += change
        wallet.position += 1
        line = Line(wallet.account, wallet.position, giver, taker, amount, wallet.posted, reverses)
        self.lines.append(line)
        return line

    def _wallet(self, account: int) -> Wallet:
        wallet = self.book.wallets.get(account)
        if wallet is None:
            raise Refuse("unknown-account", f"account {account} is not a wallet")
        return self._touch(wallet)

    def _touch(self, wallet: Wallet) -> Wallet:
        self.touched[wallet.account] = wallet
        return wallet

    def _same_unit(self, one: int, other: int) -> None:
        if self._unit(one) != self._unit(other):
            raise Refuse("other-unit", f"accounts {one} and {other} count different units")
        if one == other:
            raise Refuse("same-account", "a transfer needs two accounts")

    def _floorless(self, wallet: Wallet, account: int) -> None:
        """Refuse to move between `wallet` and `account` unless only `wallet` has a floor."""
        self._same_unit(wallet.account, account)
        if account in self.book.wallets:
            raise Refuse("two-wallets", "between wallets, move through a clearing account")

    def _unit(self, account: int) -> int:
        wallet = self.book.wallets.get(account)
        unit = wallet.unit if wallet is not None else self.book.units.get(account)
        if unit is None:
            raise Refuse("unknown-account", f"no account {account}")
        return unit

    def _change(self, wallet: Wallet, lot: Lot) -> None:
        self.lots.add((wallet.account, lot.position))

    def _count(self, wallet: Wallet, lot: Lot, remaining: int, held: int) -> None:
        total = self.totals.setdefault(
            (wallet.account, lot.expires_at, lot.available_from), [0, 0, 0]
        )
        total[0] += remaining
        total[1] += held
        total[2] += lot.is_new

    # -- rows ----------------------------------------------------------------------------------

    def answer(self) -> tuple[Line, ...]:
        """Return the lines in the order in which a repetition will find them: home log first."""
        home = self.entry.account
        return tuple(
            sorted(self.lines, key=lambda line: (line.account != home, line.account, line.position))
        )

    def write(self, writing: Writing, digest: bytes) -> None:
        """Add this entry's rows to `writing`: one entry row in each log that it touches."""
        entry = self.entry
        for account, wallet in self.touched.items():
            lines = [line for line in self.lines if line.account == account]
            writing.entries.append(
                {
                    "account_id": account,
                    "id": self.entry_id,
                    "home_id": entry.account,
                    "kind": entry.kind,
                    "source": entry.source,
                    "reference": entry.reference,
                    "digest": digest,
                    "position": lines[0].position if lines else wallet.position,
                    "transfers": len(lines),
                    "cause": entry.cause,
                    "effective_at": entry.effective_at or self.book.now,
                    "recorded_at": self.book.now,
                }
            )
            writing.wallets.add(account)
        writing.transfers += [
            {
                "account_id": line.account,
                "position": line.position,
                "entry_id": self.entry_id,
                "from_account_id": line.from_account,
                "to_account_id": line.to_account,
                "amount": line.amount,
                "balance_after": line.balance_after,
                "reverses": line.reverses,
            }
            for line in self.lines
        ]
        writing.lots |= self.lots
        writing.lot_uses += self.uses
        writing.new_holds += self.new_holds
        writing.hold_lots += self.hold_lots
        writing.hold_moves += [
            {
                "account_id": account,
                "entry_id": self.entry_id,
                "hold_id": hold,
                "kind": kind,
                "amount": amount,
            }
            for (account, hold, kind), amount in self.hold_moves.items()
        ]
        writing.holds |= self.holds
        for key, (remaining, held, opened) in self.totals.items():
            total = writing.totals.setdefault(key, [0, 0, 0])
            total[0] += remaining
            total[1] += held
            total[2] += opened


def _soonest(lot: Lot) -> tuple[datetime, int]:
    return (lot.expires_at, lot.position)


def _cover_all(
    wallet: Wallet, lots: Iterable[Lot], amount: int
) -> tuple[list[tuple[Lot, int]], int]:
    """Like `_cover`; raise `MissingLots` where a lot that was not read would have come first."""
    taken, missing = _cover(lots, amount)
    horizon = wallet.horizon
    if horizon is not None and (missing > 0 or any(_soonest(lot) > horizon for lot, _ in taken)):
        raise MissingLots(wallet.account)
    return taken, missing


def _cover(lots: Iterable[Lot], amount: int) -> tuple[list[tuple[Lot, int]], int]:
    """Return what to take of each lot to reach `amount`, and what is still missing."""
    taken = []
    left = amount
    for lot in lots:
        if left == 0:
            break
        part = min(left, lot.free())
        if part > 0:
            taken.append((lot, part))
            left -= part
    return taken, left


def wallets_of(act: Act) -> tuple[int, ...]:
    """Return the accounts of `act` that may be wallets."""
    if isinstance(act, Move):
        return (act.from_account, act.to_account)
    return (act.account,)
