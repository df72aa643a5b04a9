"""Sending twice takes effect once: the same key gives the same answer, byte for byte.

The key is claimed by inserting its row before anything else is done, in the transaction of the
change itself. An equal request that comes meanwhile waits on that row: it replays the answer
after a commit, and does the work itself after a rollback. A refusal rolls back, so it stores
nothing and may be tried again.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import driver, write_last
from loyalty.web.access import Caller
from loyalty.web.errors import Refused
from loyalty.web.keyfiles import read_secret

KEPT_DAYS = 30

_KEY = re.compile(r'"([!#-\[\]-~]{1,255})"|([!#-~]{1,255})')
_CLAIM = (
    "INSERT INTO loyalty.idempotency_keys (caller, key, request_digest) VALUES (%s, %s, %s)"
    " ON CONFLICT DO NOTHING"
)
_FIND = (
    "SELECT request_digest, status, answer, headers FROM loyalty.idempotency_keys"
    " WHERE caller = %s AND key = %s"
)
_KEEP = (
    "UPDATE loyalty.idempotency_keys SET status = %s, answer = %s, headers = %s::jsonb"
    " WHERE caller = %s AND key = %s"
)

_CLAIM_MANY = (
    "INSERT INTO loyalty.idempotency_keys (caller, key, request_digest)"
    " SELECT c->>0, c->>1, decode(c->>2, 'hex') FROM json_array_elements(%s::json) AS c"
    " ORDER BY 1, 2 ON CONFLICT DO NOTHING RETURNING caller, key"
)
_KEEP_MANY = (
    "UPDATE loyalty.idempotency_keys AS row SET status = kept.status,"
    " answer = convert_to(kept.answer, 'UTF8'), headers = kept.headers"
    " FROM json_to_recordset(%s::json)"
    " AS kept (caller text, key text, status int, answer text, headers jsonb)"
    " WHERE row.caller = kept.caller AND row.key = kept.key"
)
_DROP_MANY = (
    "DELETE FROM loyalty.idempotency_keys AS row USING unnest(%s::text[], %s::text[])"
    " AS dropped (caller, key) WHERE row.caller = dropped.caller AND row.key = dropped.key"
)
_PURGE = text(
    "DELETE FROM loyalty.idempotency_keys AS row USING (SELECT caller, key"
    " FROM loyalty.idempotency_keys WHERE created_at < now() - make_interval(days => :days)"
    " LIMIT :most FOR UPDATE SKIP LOCKED) AS old"
    " WHERE row.caller = old.caller AND row.key = old.key"
)


class Kept(NamedTuple):
    """An answer that was given before."""

    status: int
    answer: bytes
    headers: Mapping[str, str]


class Claim(NamedTuple):
    """One caller's key and the digest of the request that it stands for."""

    caller: str
    key: str
    digest: bytes


def read_claim(caller: Caller, header: str | None, method: str, path: str, body: bytes) -> Claim:
    """Return the claim that a request makes.

    Raises `Refused` where the key is missing or malformed. `path` includes the query.
    """
    if not header:
        raise Refused("idempotency-key-missing")
    match = _KEY.fullmatch(header)
    if match is None:
        raise Refused("idempotency-key-invalid")
    # Keyed, because a body may hold a person: a plain digest of it can be guessed from the outside.
    digest = hmac.new(read_secret("idempotency"), digestmod=sha256)
    for part in (method.encode(), path.encode(), body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Claim(f"{caller.kind}:{caller.id}", match[1] or match[2], digest.digest())


def take(session: Session, claim: Claim) -> Kept | None:
    """Claim the key for the transaction of `session`; return the earlier answer if there is one.

    Waits for an equal request under way. Raises `Refused` with `idempotency-key-reused` where
    the key stands for another request.
    """
    if driver(session).execute(_CLAIM, claim).rowcount == 1:
        return None
    return _find(session, claim)


def find(session: Session, claim: Claim) -> Kept | None:
    """Return the answer that was given under this claim, or None; claims nothing.

    Raises `Refused` with `idempotency-key-reused` where the key stands for another request.
    """
    row = driver(session).execute(_FIND, (claim.caller, claim.key)).fetchone()
    return None if row is None else _find(session, claim)


def _find(session: Session, claim: Claim) -> Kept:
    connection = driver(session)
    found = connection.execute(_FIND, (claim.caller, claim.key)).fetchone()
    if found is None:  # a month old, and purged between the two statements
        raise Refused("unavailable")
    request_digest, status, answer, headers = found
    if request_digest != claim.digest:
        raise Refused("idempotency-key-reused")
    return Kept(status, answer, headers or {})


def keep(session: Session, claim: Claim, kept: Kept) -> None:
    """Store the answer with the claim that this transaction took."""
    headers = _dump(kept.headers)
    driver(session).execute(_KEEP, (kept.status, kept.answer, headers, claim.caller, claim.key))


def take_many(session: Session, claims: Sequence[Claim]) -> dict[Claim, Kept | Refused]:
    """Claim the keys, each named once, and return what there was before of those known already.

    As `take` does, with one statement for those that are new; a refusal is a value here.
    """
    asked = [(claim.caller, claim.key, claim.digest.hex()) for claim in claims]
    rows = driver(session).execute(_CLAIM_MANY, (orjson.dumps(asked).decode(),))
    taken = {(caller, key) for caller, key in rows}
    earlier: dict[Claim, Kept | Refused] = {}
    for claim in claims:
        if claim[:2] not in taken:
            try:
                earlier[claim] = _find(session, claim)
            except Refused as refusal:
                earlier[claim] = refusal
    return earlier


def keep_many(session: Session, kept: Mapping[Claim, Kept]) -> None:
    """Store the answers with the claims that this transaction took, right before its commit."""
    rows = [
        {
            "caller": claim.caller,
            "key": claim.key,
            "status": answer.status,
            "answer": answer.answer.decode(),
            "headers": dict(answer.headers) or None,
        }
        for claim, answer in kept.items()
    ]
    if rows:
        write_last(session, _KEEP_MANY, rows)


def drop_many(session: Session, claims: Sequence[Claim]) -> None:
    """Give up claims of this transaction: what was refused may be tried again."""
    if claims:
        columns = [claim.caller for claim in claims], [claim.key for claim in claims]
        driver(session).execute(_DROP_MANY, columns)


def _dump(headers: Mapping[str, str]) -> str | None:
    return orjson.dumps(dict(headers)).decode() if headers else None


def purge(session: Session, *, most: int) -> int:
    """Delete up to `most` answers older than the published 30 days; return how many went."""
    asked = {"days": KEPT_DAYS, "most": most}
    return session.execute(_PURGE, asked).rowcount  # type: ignore[attr-defined,no-any-return]
