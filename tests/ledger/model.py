"""The ledger once more, as naively as can be: every single point is an object in a list.

It shares no code with the ledger, only the words in which acts are written. It is slow and has
nothing to be clever about, which is the point: where it and the ledger differ, one of them is
wrong.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import ledger

FREE, HELD, USED, EXPIRED = "free", "held", "used", "expired"


class Refused(Exception):
    """The model would not write this."""


@dataclass
class Point:
    """One point: of which lot, and where it is now (`by`: the hold or the transfer)."""

    lot: int
    place: str = FREE
    by: int = 0


@dataclass
class Moved:
    """One transfer and how much of it was reversed; `change` is +1 in, -1 out, 0 neither."""

    giver: int
    taker: int
    amount: int
    change: int
    reverses: int | None = None
    reversed: int = 0
    is_expiry: bool = False


@dataclass
class Log:
    """A wallet: its points, what it owes, its transfers by position, its holds by id."""

    account: int
    floor: int
    points: list[Point] = field(default_factory=list)
    debt: int = 0
    lots: dict[int, ledger.Terms] = field(default_factory=dict)
    moved: dict[int, Moved] = field(default_factory=dict)
    holds: dict[int, datetime] = field(default_factory=dict)

    def posted(self) -> int:
        return sum(move.change * move.amount for move in self.moved.values())

    def soonest(self, points: list[Point]) -> list[Point]:
        return sorted(points, key=lambda p: (self.lots[p.lot].expires_at, p.lot))

    def free(self, now: datetime) -> list[Point]:
        return [p for p in self.points if p.place == FREE or self.is_lapsed(p, now)]

    def is_lapsed(self, point: Point, now: datetime) -> bool:
        return point.place == HELD and self.holds[point.by] <= now

    def usable(self, now: datetime) -> list[Point]:
        return self.soonest(
            [
                p
                for p in self.free(now)
                if self.lots[p.lot].available_from <= now < self.lots[p.lot].expires_at
            ]
        )

    def available(self, now: datetime) -> int:
        return max(0, len(self.usable(now)) - self.debt)

    def reserved(self, hold: int) -> list[Point]:
        return self.soonest([p for p in self.points if p.place == HELD and p.by == hold])

    def count(self, *places: str) -> Counter[int]:
        """Count by lot the points that are in these places."""
        return Counter(p.lot for p in self.points if p.place in places)


class Model:
    """Wallets by account and the units of all accounts."""

    def __init__(self, floors: dict[int, int], units: dict[int, int]) -> None:
        self.logs = {account: Log(account, floor) for account, floor in floors.items()}
        self.units = units

    def post(self, entry: ledger.Entry, entry_id: int, now: datetime) -> str | None:
        """Write `entry` and return None, or leave all as it was and return why not."""
        before = copy.deepcopy(self.logs)
        try:
            self._check(entry)
            for act in entry.acts:
                self._do(act, entry, entry_id, now)
        except Refused as refused:
            self.logs = before
            return str(refused)
        return None

    def _check(self, entry: ledger.Entry) -> None:
        self._refuse("unknown-account", entry.account not in self.logs)
        self._refuse("empty-entry", not entry.acts)
        holds = [act for act in entry.acts if isinstance(act, ledger.Hold)]
        self._refuse("several-holds", len(holds) > 1)
        for act in entry.acts:
            amount = getattr(act, "amount", None)
            self._refuse("bad-amount", amount is not None and not 1 <= amount < 2**53)

    def _do(self, act: ledger.Act, entry: ledger.Entry, entry_id: int, now: datetime) -> None:
        if isinstance(act, ledger.Move):
            return self._move(act, self.logs[entry.account], now)
        self._refuse("unknown-account", act.account not in self.logs)
        log = self.logs[act.account]
        if isinstance(act, ledger.Hold):
            self._refuse("foreign-hold", act.account != entry.account)
            return self._hold(log, act, entry_id, now)
        if isinstance(act, ledger.Capture):
            self._outside(log, act.to_account)
            part = self._part(log, act.hold_id, act.amount, now)
            return self._use(part, self._write(log, log.account, act.to_account, act.amount))
        if isinstance(act, ledger.Release):
            return self._free(self._part(log, act.hold_id, act.amount, now))
        if isinstance(act, ledger.Lapse):
            return self._refuse("nothing-lapsed", self._lapse(log, now) == 0)
        if isinstance(act, ledger.Reverse):
            return self._reverse(log, act, now)
        return self._expire(log, act, now)

    def _move(self, act: ledger.Move, home: Log, now: datetime) -> None:
        self._alike(act.from_account, act.to_account)
        giver, taker = self.logs.get(act.from_account), self.logs.get(act.to_account)
        self._refuse("two-wallets", giver is not None and taker is not None)
        if taker is not None:
            position = self._write(taker, act.from_account, act.to_account, act.amount)
            self._open(taker, position, act.amount, act.terms)
            paid = min(taker.debt, act.amount)
            taker.debt -= paid
            self._use([p for p in taker.points if p.lot == position][:paid], position)
        elif giver is not None:
            taken = self._spendable(giver, act.amount, now)
            self._use(taken, self._write(giver, act.from_account, act.to_account, act.amount))
        else:
            self._write(home, act.from_account, act.to_account, act.amount)

    def _hold(self, log: Log, act: ledger.Hold, entry_id: int, now: datetime) -> None:
        self._refuse("lapsed", act.lapses_at <= now)
        for point in self._spendable(log, act.amount, now):
            point.place, point.by = HELD, entry_id
        log.holds[entry_id] = act.lapses_at

    def _expire(self, log: Log, act: ledger.Expire, now: datetime) -> None:
        self._outside(log, act.to_account)
        self._lapse(log, now)
        lapsed = [p for p in log.free(now) if log.lots[p.lot].expires_at <= now]
        self._refuse("nothing-expired", not lapsed)
        position = self._write(log, log.account, act.to_account, len(lapsed))
        log.moved[position].is_expiry = True
        for point in lapsed:
            point.place, point.by = EXPIRED, position

    def _reverse(self, log: Log, act: ledger.Reverse, now: datetime) -> None:
        moved = log.moved.get(act.position)
        if moved is None:
            raise Refused("unknown-transfer")
        self._refuse("reversal-of-reversal", moved.reverses is not None)
        self._refuse("reversal-of-expiry", moved.is_expiry)
        if act.expired_account is not None:
            self._outside(log, act.expired_account)
        left = moved.amount - moved.reversed
        amount = left if act.amount is None else act.amount
        self._refuse("over-reversal", not 0 < amount <= left)
        moved.reversed += amount
        if moved.change > 0:
            self._take_back(log, act, moved, amount, now)
        elif moved.change < 0:
            self._give_back(log, act, moved, amount, now)
        else:
            self._write(log, moved.taker, moved.giver, amount, act.position)

    def _take_back(
        self, log: Log, act: ledger.Reverse, moved: Moved, amount: int, now: datetime
    ) -> None:
        self._lapse(log, now)
        gone = []
        if act.expired_account is not None:
            gone = [p for p in log.points if p.lot == act.position and p.place == EXPIRED][:amount]
            if gone:
                self._write(log, act.expired_account, moved.giver, len(gone), act.position)
        due = amount - len(gone)
        own = [p for p in log.free(now) if p.lot == act.position]
        taken = (own + [p for p in log.usable(now) if p.lot != act.position])[:due]
        missing = due - len(taken)
        self._refuse("insufficient", missing > 0 and log.debt + missing > -log.floor)
        log.debt += missing
        position = 0
        if due:
            position = self._write(log, log.account, moved.giver, due, act.position)
        self._use(gone + taken, position)

    def _give_back(
        self, log: Log, act: ledger.Reverse, moved: Moved, amount: int, now: datetime
    ) -> None:
        position = self._write(log, moved.taker, log.account, amount, act.position)
        used = [p for p in log.points if p.place == USED and p.by == act.position]
        live = [p for p in used if log.lots[p.lot].expires_at > now]
        back = log.soonest(live)[::-1][:amount]
        self._free(back)
        paid = min(log.debt, amount - len(back))
        log.debt -= paid
        if amount > len(back) + paid:
            self._open(log, position, amount - len(back) - paid, act.grace)

    def _lapse(self, log: Log, now: datetime) -> int:
        lapsed = [p for p in log.points if log.is_lapsed(p, now)]
        self._free(lapsed)
        return len(lapsed)

    def _part(self, log: Log, hold: int, amount: int | None, now: datetime) -> list[Point]:
        self._lapse(log, now)
        self._refuse("unknown-hold", hold not in log.holds)
        reserved = log.reserved(hold)
        self._refuse("hold-closed", not reserved)
        self._refuse("over-hold", amount is not None and amount > len(reserved))
        return reserved[:amount]

    def _spendable(self, log: Log, amount: int, now: datetime) -> list[Point]:
        self._lapse(log, now)
        self._refuse("insufficient", amount > log.available(now))
        return log.usable(now)[:amount]

    def _open(self, log: Log, position: int, amount: int, terms: ledger.Terms) -> None:
        log.lots[position] = terms
        log.points += [Point(position) for _ in range(amount)]

    def _use(self, points: list[Point], position: int) -> None:
        for point in points:
            point.place, point.by = USED, position

    def _free(self, points: list[Point]) -> None:
        for point in points:
            point.place, point.by = FREE, 0

    def _write(
        self, log: Log, giver: int, taker: int, amount: int, reverses: int | None = None
    ) -> int:
        position = len(log.moved) + 1
        change = (taker == log.account) - (giver == log.account)
        log.moved[position] = Moved(giver, taker, amount, change, reverses)
        return position

    def _outside(self, log: Log, account: int) -> None:
        self._alike(log.account, account)
        self._refuse("two-wallets", account in self.logs)

    def _alike(self, one: int, other: int) -> None:
        self._refuse("unknown-account", one not in self.units or other not in self.units)
        self._refuse("other-unit", self.units[one] != self.units[other])
        self._refuse("same-account", one == other)

    def _refuse(self, code: str, is_wrong: bool) -> None:
        if is_wrong:
            raise Refused(code)
