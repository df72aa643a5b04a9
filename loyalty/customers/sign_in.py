"""How customers come in by browser: handed over by their bank, or with a one-time code.

The bank knows who its customer is and signs a link that lives for five minutes and opens once.
The code is for trying things out: operations make one at the command line, never in production.
"""

import hmac
import secrets
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import staff
from loyalty.customers.queries import customers_by_id, find_by_reference
from loyalty.web import Caller, Kind, Refused, ids
from loyalty.web.keyfiles import read_secret

SCOPE = "customers:tokens"
DIGITS = 8

_ADD = text("""
INSERT INTO loyalty.sign_in_codes (customer_id, digest, expires_at)
VALUES (:customer, :digest, now() + :life) ON CONFLICT DO NOTHING
""")
_USE = text("""
UPDATE loyalty.sign_in_codes SET used_at = now()
WHERE customer_id = :customer AND digest = :digest AND used_at IS NULL AND expires_at > now()
RETURNING customer_id
""")


def accept_hand_over(session: Session, assertion: str, audiences: frozenset[str]) -> int:
    """Return whom the bank's signed `assertion` hands over, and use it up.

    Its subject is the bank's reference or our id of the customer; its client needs the scope to
    get customers' tokens. Raises `Refused` with `hand-over-refused`.
    """
    claims = staff.open_hand_over(session, assertion, audiences, SCOPE)
    if claims is None:
        raise Refused("hand-over-refused")
    found = _find(session, claims["sub"])
    if found is None:
        raise Refused("hand-over-refused")
    return found


def make_code(session: Session, customer_id: int, life: timedelta) -> str:
    """Return a code with which this customer can sign in once."""
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    session.execute(
        _ADD, {"customer": customer_id, "digest": _digest(customer_id, code), "life": life}
    )
    return code


def use_code(session: Session, reference: str, code: str) -> int | None:
    """Return the customer whose live code this is, and use it up; None where it is none."""
    found = find_by_reference(session, [reference])
    if reference not in found:
        return None
    customer_id = found[reference]
    asked = {"customer": customer_id, "digest": _digest(customer_id, code)}
    return customer_id if session.execute(_USE, asked).one_or_none() is not None else None


def recognise(session: Session, customer_id: int) -> Caller | None:
    """Return the caller behind a session; None once the customer is erased."""
    found = customers_by_id(session, [customer_id])
    if customer_id not in found or not found[customer_id].is_active:
        return None
    return Caller(Kind.CUSTOMER, ids.encode("cus", customer_id), customer_id=customer_id)


def _find(session: Session, subject: str) -> int | None:
    try:
        number = ids.decode("cus", subject)
    except ValueError:
        return find_by_reference(session, [subject]).get(subject)
    found = customers_by_id(session, [number]).get(number)
    return number if found is not None and found.is_active else None


def _digest(customer_id: int, code: str) -> bytes:
    return hmac.new(
        read_secret("sign-in"), b"%d|%s" % (customer_id, code.encode()), sha256
    ).digest()
