"""Partners, their outlets and systems, made without the detour of proposals."""

from dataclasses import dataclass

from flask.testing import FlaskClient

import ledger
from loyalty import partners, staff
from loyalty.database import transaction
from loyalty.partners import Owing, TakeBack
from loyalty.web import Caller, Kind, ids
from tests.staff.conftest import ADMIN, Account, token_for

ALL = ["coupons:check", "coupons:redeem", "settlements:dispute", "settlements:read"]


@dataclass(frozen=True)
class Shop:
    """A partner with one outlet and a client that may do all there."""

    partner: int
    outlet: int
    account: Account
    caller: Caller


def add_partner(code: str) -> int:
    """Open a partner and return its number."""
    with transaction() as session:
        return partners.open_partner(session, ADMIN, code, name_zh="海港城", name_en="Harbour Mall")


def add_outlet(partner: int, code: str, **changes: object) -> int:
    """Open an outlet and return its number."""
    words = {"name_zh": "一楼", "name_en": "Ground floor", "address": "外滩 1 号", **changes}
    with transaction() as session:
        return partners.open_outlet(session, ADMIN, partner, code, **words)  # type: ignore[arg-type]


def add_system(
    partner: int,
    name: str,
    limits: partners.Limits | None = None,
    *,
    sandbox: bool = False,
    scopes: list[str] | None = None,
) -> Account:
    """Add a client of a partner's and return it with its secret."""
    with transaction() as session:
        number = partners.add_credential(
            session, ADMIN, partner, name, scopes or ALL, limits=limits, sandbox=sandbox
        )
        secret = partners.draw_secret(session, ADMIN, partner, number)
    return Account(number, ids.encode("cli", number), secret)


def caller_of(partner: int, account: Account) -> Caller:
    """Return the caller that a token of this client stands for."""
    return Caller(Kind.PARTNER, account.client_id, frozenset(ALL), partner_id=partner)


def open_shop(code: str) -> Shop:
    """Open a partner, an outlet and a client."""
    partner = add_partner(code)
    outlet = add_outlet(partner, "main")
    account = add_system(partner, f"{code}/till")
    return Shop(partner, outlet, account, caller_of(partner, account))


def bearer(client: FlaskClient, account: Account) -> dict[str, str]:
    """Return the header with which this client calls."""
    return {"Authorization": f"Bearer {token_for(client, account)}"}


def staff_bearer(staff_id: int) -> dict[str, str]:
    """Return the header with which this member of staff calls."""
    return {"Authorization": f"Bearer {staff.issue_staff_token(staff_id).token}"}


def owing(shop: Shop, reference: str, amount: int, shares: tuple[int, int] = (1, 0)) -> Owing:
    """Return what a redemption at this shop makes us owe."""
    return Owing(
        shop.partner, "CNY", shop.outlet, "cpn_0000000000001", "coupons", reference, amount, shares
    )


def redeem(*owings: Owing) -> list[ledger.Outcome]:
    """Post what these redemptions make us owe."""
    with transaction() as session:
        return ledger.post(session, partners.owe(session, owings))


def take_back(
    shop: Shop, reference: str, own: str, amount: int | None = None, kind: str = "reverse"
) -> ledger.Outcome:
    """Post the taking back of a redemption as the redeeming slice does it: lock, read, post."""
    one = TakeBack(shop.partner, "CNY", "coupons", reference, own, kind, amount)
    with transaction() as session:
        ledger.lock(session, [partners.payable_account(session, shop.partner, "CNY")])
        return ledger.post(session, partners.take_back(session, [one]))[0]


def owed(shop: Shop) -> int:
    """Return what we owe this partner now; below zero is what it owes us."""
    with transaction() as session:
        return ledger.read_balance(
            session, partners.payable_account(session, shop.partner, "CNY")
        ).posted


def borne(shop: Shop) -> int:
    """Return what this partner bore itself, by adding up the transfers."""
    with transaction() as session:
        account = partners.find_accounts(session, shop.partner, "CNY")
        return int(
            session.connection()
            .exec_driver_sql(
                "SELECT coalesce(sum(CASE WHEN from_account_id = %(a)s THEN amount"
                " WHEN to_account_id = %(a)s THEN -amount ELSE 0 END), 0)"
                " FROM ledger.transfers WHERE account_id = %(p)s",
                {"a": account.borne, "p": account.payable},
            )
            .scalar_one()
        )
