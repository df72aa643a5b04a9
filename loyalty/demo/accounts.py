"""How the people of the sample sign in: random passwords and second factors, kept in the home.

Nobody ships a password: each installation draws its own at its first start.
"""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import orjson
from sqlalchemy.orm import Session

from loyalty import customers, staff
from loyalty.demo.sample import STAFF
from loyalty.settings import settings

FILE = "demo-accounts.json"
CODE_LIVES = timedelta(hours=12)
WORDS = (
    *("amber", "anchor", "basin", "birch", "cedar", "cliff", "cloud", "coral"),
    *("delta", "ember", "fjord", "flint", "grove", "harbor", "heron"),
    *("indigo", "island", "juniper", "kettle", "lagoon", "lantern", "maple", "meadow"),
    *("nectar", "oasis", "orchid", "pebble"),
    *("pepper", "plume", "quartz", "raven", "ripple", "saddle", "sierra", "spruce"),
    *("temple", "thistle", "timber", "tundra"),
)


class Account(NamedTuple):
    """A password and the secret of an authenticator."""

    password: str
    secret: str


def prepare(session: Session) -> dict[str, Account]:
    """Return how each person of the sample signs in; drawn now where it was not before."""
    path = settings().home / FILE
    kept = _read(path)
    fresh = {login: _draw() for login in STAFF if login not in kept}
    for login, account in fresh.items():
        person = staff.find_staff(session, login)
        hashed = staff.hash_password(account.password, login)
        secret = staff.read_second_factor(account.secret)
        staff.set_credentials(session, person.id, hashed, secret)
    if fresh:
        kept |= fresh
        _write(path, kept)
    return kept


def code_of(login: str) -> str | None:
    """Return the code that the person's authenticator would show now; None for nobody of ours."""
    account = _read(settings().home / FILE).get(login)
    return None if account is None else staff.code_now(account.secret)


def customer_code(session: Session, customer_id: int) -> str:
    """Return a code with which a customer of the sample comes in once."""
    return customers.make_code(session, customer_id, CODE_LIVES)


def _draw() -> Account:
    words = [secrets.choice(WORDS) for _ in range(4)]
    password = "-".join([*words, f"{secrets.randbelow(10_000):04}"])
    return Account(password, staff.new_second_factor())


def _read(path: Path) -> dict[str, Account]:
    if not path.exists():
        return {}
    return {login: Account(**kept) for login, kept in orjson.loads(path.read_bytes()).items()}


def _write(path: Path, accounts: dict[str, Account]) -> None:
    content = {login: account._asdict() for login, account in accounts.items()}
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    draft.replace(path)
