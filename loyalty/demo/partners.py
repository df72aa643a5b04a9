"""A sample partner: two outlets, somebody at the counter, and a system of its own."""

import base64
import hmac
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import partners
from loyalty.demo.sample import DEMO
from loyalty.partners import Limits
from loyalty.web import ids
from loyalty.web.keyfiles import read_secret

CODE = "sample-mall"
CLERK = "sample-clerk"
OUTLETS = {
    "first": ("一楼服务台", "Ground floor", "样例路 1 号一层"),
    "second": ("三楼茶室", "Tea house", "样例路 1 号三层"),
}
SCOPES = ("partners:read", "coupons:check", "coupons:redeem", "settlements:read")
FIND = text("""
SELECT p.id, c.client_id FROM loyalty.partners p
JOIN loyalty.partner_clients c ON c.partner_id = p.id WHERE p.code = :code LIMIT 1
""")


class SamplePartner(NamedTuple):
    """The partner's number, and its client's id."""

    partner_id: int
    client_id: str


def open_sample(session: Session) -> SamplePartner:
    """Open the sample partner with all that belongs to it; the same the second time."""
    row = session.execute(FIND, {"code": CODE}).one_or_none()
    if row is not None:
        return SamplePartner(row.id, ids.encode("cli", row.client_id))
    partner = partners.open_partner(session, DEMO, CODE, name_zh="样例商场", name_en="Sample mall")
    first, _ = [
        partners.open_outlet(session, DEMO, partner, code, name_zh=zh, name_en=en, address=address)
        for code, (zh, en, address) in OUTLETS.items()
    ]
    _add_clerk(session, partner, first)
    client = partners.add_credential(
        session, DEMO, partner, f"{CODE}/till", SCOPES, limits=Limits()
    )
    return SamplePartner(partner, ids.encode("cli", client))


def clerk_password() -> str:
    """Return the clerk's password: each installation's own, the same at every start."""
    digest = hmac.digest(read_secret("demo"), CLERK.encode(), "sha256")
    word = base64.b32encode(digest[:10]).decode().lower()
    return "-".join(word[place : place + 4] for place in range(0, 16, 4))


def describe(session: Session) -> str:
    """Return the lines that say how to call and sign in as the sample partner."""
    sample = open_sample(session)
    return (
        f"  合作方 partner   {ids.encode('prt', sample.partner_id)} ({CODE})"
        f"  店员 clerk {CLERK}  密码 password {clerk_password()}\n"
        f"  合作方系统 client  {sample.client_id}"
        f"  取密钥 its secret:  loyalty staff add-secret {CODE}/till"
    )


def _add_clerk(session: Session, partner: int, outlet: int) -> None:
    clerk, _ = partners.add_clerk(session, DEMO, partner, outlet, CLERK, "样例店员")
    found = partners.find_staff(session, clerk)
    assert found is not None, "the partner is active"
    partners.change_password(session, DEMO, found, clerk_password())
