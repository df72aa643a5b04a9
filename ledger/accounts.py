"""Opening units and accounts, and finding them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

# The accounts that every unit has: where points come from and where they go.
HOUSE_ROLES = ("issued", "redeemed", "expired", "adjusted", "clearing")


@dataclass(frozen=True, slots=True)
class House:
    """The accounts without a floor of one unit, by what they are for."""

    unit_id: int
    issued: int
    redeemed: int
    expired: int
    adjusted: int
    clearing: int


def open_unit(session: Session, code: str, kind: str) -> int:
    """Open a unit (`points`, `status` or `money`) with its house accounts; return its id.

    Opening a unit that exists returns it.
    """
    session.execute(
        text(
            "INSERT INTO ledger.units (code, kind) VALUES (:code, :kind)"
            " ON CONFLICT (code) DO NOTHING"
        ),
        {"code": code, "kind": kind},
    )
    unit_id: int = session.execute(
        text("SELECT id FROM ledger.units WHERE code = :code"), {"code": code}
    ).scalar_one()
    for role in HOUSE_ROLES:
        open_account(session, unit_id, role)
    return unit_id


def open_account(session: Session, unit_id: int, role: str, holder: str = "") -> int:
    """Open an account without a floor and return its id; the same if it exists already."""
    key = {"unit": unit_id, "role": role, "holder": holder}
    session.execute(
        text(
            "INSERT INTO ledger.accounts (unit_id, role, holder) VALUES (:unit, :role, :holder)"
            " ON CONFLICT (holder, unit_id, role) DO NOTHING"
        ),
        key,
    )
    account: int = session.execute(
        text(
            "SELECT id FROM ledger.accounts"
            " WHERE holder = :holder AND unit_id = :unit AND role = :role"
        ),
        key,
    ).scalar_one()
    return account


def open_wallets(
    session: Session,
    unit_id: int,
    holders: Sequence[str],
    *,
    role: str = "wallet",
    floor: int = 0,
) -> dict[str, int]:
    """Open a wallet for each holder and return their account ids by holder.

    `floor` is 0 or how far below zero a debt may go. Wallets that exist are returned as they are.
    """
    if floor > 0:
        raise ValueError("a floor is zero or below")
    parameters = {"unit": unit_id, "role": role, "holders": list(holders), "floor": floor}
    session.execute(
        text(
            "WITH opened AS ("
            " INSERT INTO ledger.accounts (unit_id, role, holder)"
            " SELECT :unit, :role, h FROM unnest(CAST(:holders AS text[])) AS h"
            " ON CONFLICT (holder, unit_id, role) DO NOTHING RETURNING id)"
            " INSERT INTO ledger.wallets (account_id, unit_id, floor)"
            " SELECT id, :unit, :floor FROM opened"
        ),
        parameters,
    )
    return find_wallets(session, unit_id, holders, role=role)


def find_wallets(
    session: Session, unit_id: int, holders: Iterable[str], *, role: str = "wallet"
) -> dict[str, int]:
    """Return the account ids of the wallets that these holders have, by holder."""
    rows = session.execute(
        text(
            "SELECT holder, id FROM ledger.accounts"
            " WHERE holder = ANY(:holders) AND unit_id = :unit AND role = :role"
        ),
        {"unit": unit_id, "role": role, "holders": list(holders)},
    )
    return {row.holder: row.id for row in rows}


def house(session: Session, unit_id: int) -> House:
    """Return the accounts without a floor of a unit."""
    rows = session.execute(
        text("SELECT role, id FROM ledger.accounts WHERE holder = '' AND unit_id = :unit"),
        {"unit": unit_id},
    )
    accounts = {row.role: row.id for row in rows}
    return House(unit_id, **{role: accounts[role] for role in HOUSE_ROLES})
