"""Where a customer is reached, under which digest, and the link by which they say no."""

import base64
import binascii
import hmac
from hashlib import sha256

from loyalty import consent
from loyalty.customers import Person
from loyalty.web.keyfiles import read_secret

_MAC_BYTES = 16


def contact_of(channel: str, customer_id: int, person: Person) -> str | None:
    """Return the address of a customer on a channel, or None where there is none."""
    if channel == "in_app":
        return f"inbox:{customer_id}"
    return person.email if channel == "email" else person.phone


def contact_digest(channel: str, contact: str) -> bytes:
    """Return the keyed digest that stands for an address where the address may not stand."""
    kind = consent.CONTACT_OF[channel.upper()]
    if kind is None:
        return hmac.digest(read_secret("contacts"), f"{channel}\0{contact}".encode(), sha256)
    return consent.contact_digest(kind, contact)


def unsubscribe_token(request_id: int) -> str:
    """Return the token that lets whoever got the message of a request refuse more of its kind."""
    number = request_id.to_bytes(8, "big")
    return base64.urlsafe_b64encode(number + _mac(number)).rstrip(b"=").decode()


def read_unsubscribe_token(token: str) -> int | None:
    """Return the request that a token of ours stands for, or None."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    number, mac = raw[:8], raw[8:]
    if len(number) != 8 or not hmac.compare_digest(mac, _mac(number)):
        return None
    return int.from_bytes(number, "big")


def _mac(number: bytes) -> bytes:
    return hmac.digest(read_secret("unsubscribe"), number, sha256)[:_MAC_BYTES]
