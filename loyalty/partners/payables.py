"""What we owe partners, in money: a log of its own in the ledger for each partner and currency.

The payable is a wallet whose floor is far below zero, so what is taken back after it was paid
stands there as the partner's debt. Its log is the partner's statement: dense, sealed, provable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import ledger
from ledger import MAX_AMOUNT, Entry, Move, Reverse
from loyalty.partners.rules import split
from loyalty.web import NotFound, Refused, ids

PAYABLE, BORNE = "payable", "borne"
REDEEM, VOID, TAKE_BACK = "redeem", "void", "reverse"


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one partner in one currency, and those of the house that face them.

    `payable` is the wallet; `borne` counts what the partner bears itself, `all_borne` what all
    partners bear.
    """

    payable: int
    borne: int
    all_borne: int
    house: ledger.House


@dataclass(frozen=True, slots=True)
class Owing:
    """A redemption: `amount` in minor units came off, borne by us and the partner by `shares`.

    `shares` are weights of us and of the partner, such as (60, 40). `coupon` is a public id.
    `(source, reference)` is unique for the partner for ever. `paid_from` is the account without a
    floor that our share comes from; without it the money is newly issued.
    """

    partner_id: int
    currency: str
    outlet_id: int
    coupon: str
    source: str
    reference: str
    amount: int
    shares: tuple[int, int] = (1, 0)
    effective_at: datetime | None = None
    paid_from: int | None = None


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A void or a reversal of the redemption `(source, reference)`, under a reference of its own.

    `kind` is `void` (the same day) or `reverse`. Without `amount` all that is left is taken back.
    """

    partner_id: int
    currency: str
    source: str
    reference: str
    own_reference: str
    kind: str = TAKE_BACK
    amount: int | None = None
    effective_at: datetime | None = None


FIND = text("""
SELECT a.id, a.role, u.id AS unit FROM ledger.units u
JOIN ledger.accounts a ON a.unit_id = u.id AND a.holder = :holder
WHERE u.code = :currency AND u.kind = 'money' AND a.role IN ('payable', 'borne')
""")
ALL_BORNE = text("SELECT id FROM ledger.accounts WHERE holder = '' AND unit_id = :u AND role = :r")

# What a redemption wrote, a row for each leg, and how much of it is left.
LEGS = text("""
SELECT asked.place, e.cause, t.position,
    t.amount - coalesce((
        SELECT sum(r.amount) FROM ledger.transfers r
        WHERE r.account_id = t.account_id AND r.reverses = t.position
    ), 0)::bigint AS remaining
FROM unnest(CAST(:accounts AS bigint[]), CAST(:sources AS text[]), CAST(:references AS text[]))
    WITH ORDINALITY AS asked (account_id, source, reference, place)
JOIN ledger.entries e ON e.account_id = asked.account_id AND e.source = asked.source
    AND e.reference = asked.reference AND e.kind = 'redeem'
JOIN ledger.transfers t ON t.account_id = e.account_id
    AND t.position >= e.position AND t.position < e.position + e.transfers
ORDER BY asked.place, t.position
""")

_found: WeakKeyDictionary[Engine, dict[tuple[int, str], Accounts]] = WeakKeyDictionary()


def open_accounts(session: Session, partner_id: int, currency: str) -> None:
    """Open what a partner needs to be owed money in a currency. What exists stays as it is."""
    unit = ledger.open_unit(session, currency, "money")
    holder = ids.encode("prt", partner_id)
    ledger.open_wallets(session, unit, [holder], role=PAYABLE, floor=-MAX_AMOUNT)
    ledger.open_account(session, unit, BORNE, holder)
    ledger.open_account(session, unit, BORNE)


def payable_account(session: Session, partner_id: int, currency: str) -> int:
    """Return the wallet of what we owe a partner, to be named in `ledger.lock`.

    Raises `Refused` with `currency-not-settled`.
    """
    return find_accounts(session, partner_id, currency).payable


def find_accounts(session: Session, partner_id: int, currency: str) -> Accounts:
    """Return a partner's accounts; they never change, so each process reads them once.

    Raises `Refused` with `currency-not-settled`.
    """
    known = _found.setdefault(session.get_bind().engine, {})
    if (partner_id, currency) not in known:
        known[partner_id, currency] = _read_accounts(session, partner_id, currency)
    return known[partner_id, currency]


def _read_accounts(session: Session, partner_id: int, currency: str) -> Accounts:
    asked = {"currency": currency, "holder": ids.encode("prt", partner_id)}
    rows = session.execute(FIND, asked).all()
    if not rows:
        raise Refused("currency-not-settled")
    own = {row.role: row.id for row in rows}
    unit = rows[0].unit
    all_borne = session.execute(ALL_BORNE, {"u": unit, "r": BORNE}).scalar_one()
    return Accounts(own[PAYABLE], own[BORNE], all_borne, ledger.house(session, unit))


def owe(session: Session, owings: Sequence[Owing]) -> list[Entry]:
    """Return the entries that say what we owe for these redemptions, for `ledger.post`.

    Post them together with whatever else the redemption writes. Where nothing came off (amount 0)
    there is no entry. Our share becomes payable; the
    partner's own share is noted in the same log and changes no balance. Raises `Refused` with
    `currency-not-settled`.
    """
    return [
        _owe(find_accounts(session, one.partner_id, one.currency), one)
        for one in owings
        if one.amount
    ]


def _owe(accounts: Accounts, one: Owing) -> Entry:
    ours, theirs = split(one.amount, one.shares)
    acts = []
    if ours:
        acts.append(Move(one.paid_from or accounts.house.issued, accounts.payable, ours))
    if theirs:
        acts.append(Move(accounts.borne, accounts.all_borne, theirs))
    return Entry(
        accounts.payable,
        one.source,
        one.reference,
        REDEEM,
        tuple(acts),
        effective_at=one.effective_at,
        cause={
            "outlet": ids.encode("otl", one.outlet_id),
            "coupon": one.coupon,
            "shares": list(one.shares),
        },
    )


def take_back(session: Session, takings: Sequence[TakeBack]) -> list[Entry]:
    """Return the entries that take back what these redemptions made us owe, for `ledger.post`.

    Lock the payable accounts with `ledger.lock` before: what is left to take back is read here.
    Raises `NotFound` where there is no such redemption; `ledger.post` refuses with
    `over-reversal` where less is left than is to be taken back.
    """
    accounts = [payable_account(session, one.partner_id, one.currency) for one in takings]
    asked = {
        "accounts": accounts,
        "sources": [one.source for one in takings],
        "references": [one.reference for one in takings],
    }
    legs: dict[int, list[Any]] = {}
    for row in session.execute(LEGS, asked):
        legs.setdefault(row.place, []).append(row)
    return [
        _take_back(account, one, legs.get(place, []))
        for place, (account, one) in enumerate(zip(accounts, takings, strict=True), 1)
    ]


def _take_back(account: int, one: TakeBack, legs: Sequence[Any]) -> Entry:
    if not legs:
        raise NotFound
    cause = {**legs[0].cause, "of": one.reference}
    parts = _parts(one.amount, legs, cause["shares"])
    acts = tuple(
        Reverse(account, leg.position, part) for leg, part in zip(legs, parts, strict=True) if part
    )
    # With nothing left there is no act; the ledger must be the one to say so.
    acts = acts or tuple(Reverse(account, leg.position) for leg in legs)
    return Entry(account, one.source, one.own_reference, one.kind, acts, one.effective_at, cause)


def _parts(amount: int | None, legs: Sequence[Any], shares: Sequence[int]) -> list[int]:
    """Return how much of each leg goes back, so that what stays is split exactly as well.

    Where a dispute has corrected one leg, the other one bears what that one no longer can.
    """
    left = [int(leg.remaining) for leg in legs]
    if amount is None or amount >= sum(left):
        return left if amount is None else [left[0] + amount - sum(left), *left[1:]]
    if len(legs) == 1:
        return [amount]
    stays = sum(left) - amount
    ours, theirs = left  # our leg is written first
    kept = min(max(split(stays, shares)[0], stays - theirs), ours)
    return [ours - kept, theirs - (stays - kept)]
