"""Accounts that are no wallets, kept by id: few, and named in the leaves of many."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from findings import Report
from sources import Source
from streams import Stream


@dataclass
class Accounts:
    """Units and accounts without a floor, and what was moved over them.

    `moved` has debits and credits of sealed transfers; `clearing` what each entry left open.
    """

    units: dict[int, tuple[str, str]] = field(default_factory=dict)
    unit_of: dict[int, int] = field(default_factory=dict)
    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    moved: dict[int, list[int]] = field(default_factory=dict)
    clearing: dict[tuple[int, int], int] = field(default_factory=dict)

    def move(self, account: int, debit: int, credit: int) -> None:
        """Count what a sealed transfer moved from or to an account."""
        moved = self.moved.setdefault(account, [0, 0])
        moved[0] += debit
        moved[1] += credit

    def clear(self, account: int, entry: int, change: int) -> None:
        """Count what an entry leaves on a clearing account, which must come to nothing."""
        if account in self.names and self.names[account][0] == "clearing":
            left = self.clearing.pop((entry, account), 0) + change
            if left:
                self.clearing[entry, account] = left


def read_accounts(source: Source, report: Report) -> Accounts:
    """Return what is known of the accounts that have no wallet."""
    accounts = Accounts()
    for number, code, kind in _rows(Stream(source, report, "units", ("id",))):
        accounts.units[number] = (code, kind)
    wallets = Stream(source, report, "wallets", ("account_id",))
    for number, unit, role, holder, _ in _rows(Stream(source, report, "accounts", ("id",))):
        for row in wallets.until(number):
            if row[0] == number:
                break
            report.find("accounts", {"id": row[0]}, "is missing, and has a wallet")
        else:
            accounts.names[number] = (role, holder)
            accounts.unit_of[number] = unit
        if unit not in accounts.units:
            report.find("accounts", {"id": number}, f"counts a unit {unit} that does not exist")
    for row in _rows(wallets):
        report.find("accounts", {"id": row[0]}, "is missing, and has a wallet")
    return accounts


def check_accounts(source: Source, report: Report, accounts: Accounts) -> None:
    """Check what is known of house accounts once all wallets were walked."""
    for (entry, account), left in sorted(accounts.clearing.items()):
        report.find(
            "transfers", {"entry_id": entry, "account": account}, f"leave {left} on clearing"
        )
    found = set()
    for account, debits, credits_ in _rows(Stream(source, report, "totals", ("account_id",))):
        if account in accounts.names:
            found.add(account)
            if [debits, credits_] != accounts.moved.get(account, [0, 0]):
                report.find(
                    "totals", {"account_id": account}, "is not the sum of the sealed transfers"
                )
    for account in sorted(accounts.moved.keys() - found):
        report.find("totals", {"account_id": account}, "is missing")


def _rows(stream: Stream) -> Iterator[tuple[Any, ...]]:
    while stream.row:
        yield stream.advance()
