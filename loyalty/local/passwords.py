"""Passwords of the embedded servers: made once, kept in a file that the owner alone may read."""

import json
import secrets
from pathlib import Path

from loyalty.local.postgres import SUPERUSER
from loyalty.local.roles import LOGINS

VALKEY = "valkey"


def make_passwords() -> dict[str, str]:
    """Return a new random password for each login and server."""
    return {name: secrets.token_urlsafe(24) for name in (SUPERUSER, *LOGINS, VALKEY)}


def read_passwords(path: Path) -> dict[str, str]:
    """Return the passwords kept at `path`, made and written there on first use.

    A login that this version has and the file lacks gets its password now.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    passwords = {**make_passwords(), **kept}
    if passwords != kept:
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_text(json.dumps(passwords, indent=2))
        draft.rename(path)
    return passwords
