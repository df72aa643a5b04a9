"""Releases: what was approved above may be sent from now on, until then, or until it is stopped."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import policy
from loyalty.messages.gate import SEPARATELY
from loyalty.settings import settings
from loyalty.web import Caller, Refused

_RELEASE = text("""
INSERT INTO loyalty.send_releases (origin_kind, origin, digest, approved_digest, approval, terms,
    starts_at, expires_at)
VALUES (:origin_kind, :origin, :digest, :approved_digest, :approval, CAST(:terms AS jsonb),
    :starts_at, :expires_at)
ON CONFLICT (origin_kind, origin, digest) DO NOTHING RETURNING id
""")
_FIND = text("""
SELECT id FROM loyalty.send_releases
WHERE origin_kind = :origin_kind AND origin = :origin AND digest = :digest
""")
_ACT = text("""
INSERT INTO loyalty.sending_stops (scope, name, act, reason, done_by)
VALUES (:scope, :name, :act, :reason, :done_by) RETURNING id
""")
_STOPS = text("""
SELECT DISTINCT ON (scope, name) scope, name, act, reason, done_by, at FROM loyalty.sending_stops
ORDER BY scope, name, id DESC
""")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the gate must know of a release; nothing else of it matters here.

    `templates` are digests (hex) of approved versions. `separately` are consents that are needed
    beside that of the purpose, as (purpose, partner). `product` is the category of the product
    that it is about, `discloses` the codes of what its words disclose. `quiet` and the caps narrow
    what the house allows anyway, and never widen it.
    """

    templates: tuple[str, ...]
    separately: tuple[tuple[str, int], ...] = ()
    topics: tuple[str, ...] = ()
    automated: bool = True
    risk_grade: int | None = None
    product: str | None = None
    quiet: tuple[str, str] | None = None
    day: int | None = None
    week: int | None = None
    has_return: bool = False
    discloses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a separate consent that no rule would look for. Raises `ValueError`."""
        if unknown := {code for code, _ in self.separately} - set(SEPARATELY):
            raise ValueError(f"no rule looks for {sorted(unknown)}")

    def as_json(self) -> dict[str, Any]:
        """Return the terms as they stand in a release."""
        return {
            "templates": sorted(self.templates),
            "separately": sorted([purpose, partner] for purpose, partner in self.separately),
            "topics": sorted(self.topics),
            "automated": self.automated,
            "risk_grade": self.risk_grade,
            "product": self.product,
            "quiet": None if self.quiet is None else list(self.quiet),
            "caps": {"day": self.day, "week": self.week},
            "has_return": self.has_return,
            "discloses": sorted(self.discloses),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRelease:
    """Something that was approved as a whole: `approved_digest` is what those who agreed read."""

    origin_kind: str
    origin: str
    digest: bytes
    approved_digest: bytes
    approval: str
    terms: Terms
    starts_at: datetime
    expires_at: datetime


def release(session: Session, new: NewRelease) -> int:
    """Let what was approved be sent, and return the release's id; once, however often asked.

    It holds as long as the policy pack that is in force now does.
    Raises `Refused` with `not-as-approved` where the digest is not the one that was approved,
    and with `no-policy-pack`.
    """
    if new.digest != new.approved_digest:
        raise Refused("not-as-approved")
    try:
        pack = policy.pack_in_force(session, settings().keys)
    except policy.NoPack:
        raise Refused("no-policy-pack") from None
    row = {
        "origin_kind": new.origin_kind,
        "origin": new.origin,
        "digest": new.digest,
        "approved_digest": new.approved_digest,
        "approval": new.approval,
        "terms": orjson.dumps({**new.terms.as_json(), "pack": pack.version}).decode(),
        "starts_at": new.starts_at,
        "expires_at": new.expires_at,
    }
    written: int | None = session.execute(_RELEASE, row).scalar()
    if written is None:
        written = session.execute(_FIND, row).scalar_one()
    return written


def stop(session: Session, caller: Caller, scope: str, name: str, reason: str) -> None:
    """Stop sending at once: all of it, a channel (`sms`), or a release (its number as text)."""
    _act(session, caller, scope, name, "stop", reason)


def resume(session: Session, caller: Caller, scope: str, name: str, reason: str) -> None:
    """Let sending go on; whoever asks for it has had it approved by others."""
    _act(session, caller, scope, name, "resume", reason)


def stops_in_force(session: Session) -> list[Any]:
    """Return the stops that hold now."""
    return [row for row in session.execute(_STOPS) if row.act == "stop"]


def _act(session: Session, caller: Caller, scope: str, name: str, act: str, reason: str) -> None:
    row = {"scope": scope, "name": name, "act": act, "reason": reason, "done_by": caller.id}
    session.execute(_ACT, row)
