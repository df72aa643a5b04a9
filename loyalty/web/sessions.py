"""Who is signed in by browser: rows in PostgreSQL, of which the browser holds a random id.

The id is 256 random bits and stored as its digest alone, so the table lets nobody in. A session
belongs to one kind of person (staff, partner, customer) and opens that kind's pages only.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.orm import Session

KINDS = ("staff", "partner", "customer")
IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=12)
FRESH = timedelta(minutes=5)
KEPT = timedelta(days=30)

_START = text("""
INSERT INTO loyalty.browser_sessions (digest, kind, subject_id, device, ends_at, confirmed_at)
VALUES (:digest, :kind, :subject, :device, now() + :absolute,
    CASE WHEN :confirmed THEN now() END)
RETURNING id
""")
_FIND = text("""
SELECT id, subject_id, seen_at < now() - interval '1 minute' AS stale,
    coalesce(confirmed_at > now() - :fresh, false) AS confirmed
FROM loyalty.browser_sessions
WHERE digest = :digest AND kind = :kind AND ended_at IS NULL AND ends_at > now()
    AND seen_at > now() - :idle
""")
_TOUCH = text("UPDATE loyalty.browser_sessions SET seen_at = now() WHERE id = :id")
_CONFIRM = text("UPDATE loyalty.browser_sessions SET confirmed_at = now() WHERE id = :id")
_LIVE = text("""
SELECT id, device, created_at, seen_at, ends_at FROM loyalty.browser_sessions
WHERE kind = :kind AND subject_id = :subject AND ended_at IS NULL AND ends_at > now()
    AND seen_at > now() - :idle
ORDER BY seen_at DESC, id DESC LIMIT 100
""")
_END = text("""
UPDATE loyalty.browser_sessions SET ended_at = now()
WHERE kind = :kind AND subject_id = :subject AND ended_at IS NULL
    AND (CAST(:id AS bigint) IS NULL OR id = :id)
RETURNING id
""")
_PURGE = text(
    "DELETE FROM loyalty.browser_sessions WHERE id IN (SELECT id FROM loyalty.browser_sessions"
    " WHERE ends_at < now() - :kept LIMIT :most FOR UPDATE SKIP LOCKED)"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A live session: its row, whose it is, and whether the second factor is fresh."""

    id: int
    kind: str
    subject_id: int
    secret: str
    confirmed: bool

    @property
    def fingerprint(self) -> str:
        """What the audit trail keeps of the session."""
        return digest(self.secret).hex()[:32]


@dataclass(frozen=True, slots=True)
class Listed:
    """A live session as its owner sees it."""

    id: int
    device: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


def start(session: Session, kind: str, subject_id: int, device: str, *, confirmed: bool) -> str:
    """Open a session and return its id for the browser; `confirmed`: by a second factor."""
    secret = secrets.token_urlsafe(32)
    session.execute(
        _START,
        {
            "digest": digest(secret),
            "kind": kind,
            "subject": subject_id,
            "device": device,
            "absolute": ABSOLUTE,
            "confirmed": confirmed,
        },
    )
    return secret


def find(session: Session, kind: str, secret: str) -> Signed | None:
    """Return the live session of this kind with the id `secret`, and note that it was used."""
    if not secret:
        return None
    asked = {"digest": digest(secret), "kind": kind, "fresh": FRESH, "idle": IDLE}
    row = session.execute(_FIND, asked).one_or_none()
    if row is None:
        return None
    if row.stale:
        session.execute(_TOUCH, {"id": row.id})
    return Signed(row.id, kind, row.subject_id, secret, row.confirmed)


def confirm(session: Session, session_id: int) -> None:
    """Note that the second factor was shown just now."""
    session.execute(_CONFIRM, {"id": session_id})


def list_live(session: Session, kind: str, subject_id: int) -> list[Listed]:
    """Return somebody's live sessions, the last used first."""
    rows = session.execute(_LIVE, {"kind": kind, "subject": subject_id, "idle": IDLE})
    return [Listed(*row) for row in rows]


def end(session: Session, kind: str, subject_id: int, session_id: int | None = None) -> int:
    """End one of somebody's sessions, or all of them; return how many ended."""
    asked = {"kind": kind, "subject": subject_id, "id": session_id}
    return len(session.execute(_END, asked).all())


def purge(session: Session, *, most: int) -> int:
    """Delete up to `most` sessions that ended long ago; return how many went."""
    asked = {"kept": KEPT, "most": most}
    return session.execute(_PURGE, asked).rowcount  # type: ignore[attr-defined,no-any-return]


def digest(secret: str) -> bytes:
    """Return what is stored of a session's id."""
    return sha256(secret.encode()).digest()


def form_token(secret: str) -> str:
    """Return the token that the forms of a session carry: who lacks the cookie cannot know it."""
    return hmac.new(secret.encode(), b"form", sha256).hexdigest()


def device_of(user_agent: str) -> str:
    """Return browser and system by name, as far as a person would recognise their own."""
    browsers = ("MicroMessenger", "Edg", "Firefox", "Chrome", "Safari")
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    names = {"Edg": "Edge", "MicroMessenger": "WeChat", "Mac OS": "macOS"}
    browser = next((name for name in browsers if name in user_agent), "?")
    system = next((name for name in systems if name in user_agent), "?")
    return f"{names.get(browser, browser)} · {names.get(system, system)}"
