"""The second factor: codes of six digits that change with time (RFC 6238), each good once."""

import base64
import hmac
import secrets
import struct
import time
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loyalty.web.keyfiles import read_secret

STEP = 30  # seconds
DIGITS = 6
TOLERANCE = 1  # steps by which the other clock may be off
SECRET_BYTES = 20
_NONCE = 12


def new_secret() -> bytes:
    """Return a fresh secret for an authenticator."""
    return secrets.token_bytes(SECRET_BYTES)


def code_now(written_secret: str) -> str:
    """Return the code that an authenticator with this secret shows now."""
    return code_at(read_written(written_secret), step_now())


def code_at(secret: bytes, step: int) -> str:
    """Return the code of one half-minute."""
    digest = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_now() -> int:
    """Return the number of the present half-minute."""
    return int(time.time()) // STEP


def find_step(secret: bytes, code: str, last_step: int) -> int | None:
    """Return the half-minute whose code this is, if it is near and later than `last_step`."""
    now = step_now()
    matching = None
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        # Every neighbour is compared: the time taken tells nothing.
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > last_step:
            matching = step
    return matching


def address_of(secret: bytes, login: str) -> str:
    """Return the `otpauth:` address that authenticators read from a QR code."""
    return f"otpauth://totp/Quanyi:{quote(login)}?secret={written(secret)}&issuer=Quanyi"


def new_written() -> str:
    """Return a fresh secret as it is typed into an authenticator."""
    return written(new_secret())


def written(secret: bytes) -> str:
    """Return a secret as it is typed into an authenticator."""
    return base64.b32encode(secret).decode()


def read_written(text: str) -> bytes:
    """Return the secret that `written` wrote."""
    return base64.b32decode(text)


def seal(secret: bytes, staff_id: int) -> bytes:
    """Return the secret encrypted for its row: the key stands outside the database."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher().encrypt(nonce, secret, _bound_to(staff_id))


def unseal(sealed: bytes, staff_id: int) -> bytes:
    """Return the secret that `seal` sealed for this member of staff."""
    return _cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(staff_id))


def _cipher() -> AESGCM:
    return AESGCM(read_secret("second-factor"))


def _bound_to(staff_id: int) -> bytes:
    return b"loyalty.staff_credentials.second_factor|%d" % staff_id
