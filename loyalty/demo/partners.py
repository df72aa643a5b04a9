"""What the sample's partner works with: somebody at the counter, and a system of its own."""

import base64
import hmac
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import partners, staff
from loyalty.demo.coupons import DEMO, PARTNER
from loyalty.staff.models import Client
from loyalty.web import ids
from loyalty.web.keyfiles import read_secret

CLERK = "sample-clerk"
SCOPES = ("partners:read", "coupons:check", "coupons:redeem", "settlements:read")
FIND = text("""
SELECT p.id, min(o.id) AS outlet, (
    SELECT min(c.client_id) FROM loyalty.partner_clients c WHERE c.partner_id = p.id
) AS client
FROM loyalty.partners p JOIN loyalty.outlets o ON o.partner_id = p.id
WHERE p.code = :code GROUP BY p.id
""")


class SamplePartner(NamedTuple):
    """The partner's number, its first outlet's, and its client's id."""

    partner_id: int
    outlet_id: int
    client_id: str


def equip(session: Session) -> SamplePartner:
    """Give the sample's partner a clerk and a client; the same the second time."""
    row = session.execute(FIND, {"code": PARTNER}).one()
    client: int | None = row.client
    if client is None:
        _add_clerk(session, row.id, row.outlet)
        client = partners.add_credential(session, DEMO, row.id, f"{PARTNER}/till", SCOPES)
    return SamplePartner(row.id, row.outlet, ids.encode("cli", client))


def clerk_password() -> str:
    """Return the clerk's password: each installation's own, the same at every start."""
    digest = hmac.digest(read_secret("demo"), CLERK.encode(), "sha256")
    word = base64.b32encode(digest[:10]).decode().lower()
    return "-".join(word[place : place + 4] for place in range(0, 16, 4))


def describe(session: Session) -> str:
    """Return the lines that say how to call and sign in as the sample partner."""
    sample = equip(session)
    return (
        f"  合作方 partner   {ids.encode('prt', sample.partner_id)} ({PARTNER})"
        f"  店员 clerk {CLERK}  密码 password {clerk_password()}\n"
        f"  合作方系统 client  {sample.client_id}"
        f"  取密钥 its secret:  loyalty staff add-secret {PARTNER}/till"
    )


def token_of(session: Session, sample: SamplePartner) -> str:
    """Return a token of the partner's client, as its secret would get it."""
    client = session.get_one(Client, ids.decode("cli", sample.client_id))
    return staff.issue_client_token(client).token


def _add_clerk(session: Session, partner: int, outlet: int) -> None:
    clerk, _ = partners.add_clerk(session, DEMO, partner, outlet, CLERK, "样例店员")
    found = partners.find_staff(session, clerk)
    assert found is not None, "the partner is active"
    partners.change_password(session, DEMO, found, clerk_password())
