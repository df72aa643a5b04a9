"""Tries at signing in: so many in a while for each account and each address, and no more.

A try is counted, and the count committed, before anything is verified: a burst of parallel tries
gets no further than one after the other. Unknown accounts count like known ones.
"""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.web.keyfiles import read_secret

WINDOW = timedelta(minutes=15)
PER_ACCOUNT = 5
PER_ADDRESS = 50

_COUNT = text("""
INSERT INTO loyalty.sign_in_attempts AS a (subject, tries, since) VALUES (:subject, 1, now())
ON CONFLICT (subject) DO UPDATE SET
    tries = CASE WHEN a.since < now() - :window THEN 1 ELSE a.tries + 1 END,
    since = CASE WHEN a.since < now() - :window THEN now() ELSE a.since END
RETURNING tries
""")
_FORGET = text("DELETE FROM loyalty.sign_in_attempts WHERE subject = :subject")
_PURGE = text(
    "DELETE FROM loyalty.sign_in_attempts WHERE subject IN (SELECT subject"
    " FROM loyalty.sign_in_attempts WHERE since < now() - :window"
    " LIMIT :most FOR UPDATE SKIP LOCKED)"
)


@dataclass(frozen=True, slots=True)
class Door:
    """What is tried and from where: `account` is a login or reference with its kind before it."""

    account: str
    address: str


def admits(session: Session, door: Door) -> bool:
    """Count a try and return whether it may be looked at; commit before looking."""
    by_address = _count(session, f"address:{door.address}") <= PER_ADDRESS
    by_account = _count(session, door.account) <= PER_ACCOUNT
    return by_address and by_account


def forget(session: Session, door: Door) -> None:
    """Begin anew with an account whose owner came in."""
    session.execute(_FORGET, {"subject": _subject(door.account)})


def purge(session: Session, *, most: int) -> int:
    """Delete up to `most` counts that no longer matter; return how many went."""
    asked = {"window": WINDOW, "most": most}
    return session.execute(_PURGE, asked).rowcount  # type: ignore[attr-defined,no-any-return]


def _count(session: Session, name: str) -> int:
    asked = {"subject": _subject(name), "window": WINDOW}
    tries: int = session.execute(_COUNT, asked).scalar_one()
    return tries


def _subject(name: str) -> bytes:
    # Keyed: a login or a telephone number in it cannot be guessed from the table.
    return hmac.new(read_secret("sign-in"), name.encode(), sha256).digest()
