"""Assignment of a tier: a branch applies, head office decides, and they are two people.

An application is fixed by the digest of its content and by the customer's last change as the
applicant saw it. A decision names that digest, comes within three days, and is refused where
the customer's tier or the ladder has moved since. The database holds both to it by keys and
checks of its own.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

import ledger
from loyalty import programmes, vault
from loyalty.programmes import Member, Programme
from loyalty.tiers import qualification
from loyalty.tiers.ladders import ladder_in_force
from loyalty.tiers.qualification import Decided
from loyalty.tiers.rules import BASIC, Case, Step, add_months, midnight, settle
from loyalty.web import NotFound, Refused

DECIDED_WITHIN = timedelta(hours=72)
LONGEST_MONTHS = 24
APPROVED, REJECTED = "approved", "rejected"
STATES = ("open", APPROVED, REJECTED, "expired")
REASON, COMMENT = "loyalty.tier_applications.reason", "loyalty.tier_decisions.comment"


@dataclass(frozen=True, slots=True)
class Application:
    """An application and what became of it; `reason` and `comment` are None after an erasure."""

    id: int
    customer_id: int
    programme: str
    tier: str
    ends_on: date
    reason: str | None
    applied_by: int
    applied_at: datetime
    expires_at: datetime
    digest: str
    state: str
    decided_by: int | None
    decided_at: datetime | None
    comment: str | None


_STATE = """
CASE WHEN d.decision IS NOT NULL THEN d.decision
    WHEN a.expires_at <= clock_timestamp() THEN 'expired' ELSE 'open' END
"""
_SELECT = f"""
SELECT a.id, a.customer_id, p.code AS programme, a.tier, a.ends_on, a.reason, a.ladder_version,
    a.before_change, a.applied_by, a.applied_at, a.expires_at, a.digest, {_STATE} AS state,
    d.decided_by, d.decided_at, d.comment
FROM loyalty.tier_applications a JOIN loyalty.programmes p ON p.id = a.programme_id
LEFT JOIN loyalty.tier_decisions d ON d.application_id = a.id
"""  # noqa: S608 - constants of this module
_ONE = text(f"{_SELECT} WHERE a.id = :id")
_LIST = text(
    f"""{_SELECT}
    WHERE a.id < :before AND (CAST(:applied_by AS bigint) IS NULL OR a.applied_by = :applied_by)
        AND (CAST(:state AS text) IS NULL OR {_STATE} = :state)
    ORDER BY a.id DESC LIMIT :limit"""
)
_APPLY = text("""
INSERT INTO loyalty.tier_applications (customer_id, programme_id, tier, ends_on, reason,
    ladder_version, before_change, applied_by, applied_at, expires_at, digest)
VALUES (:customer_id, :programme_id, :tier, :ends_on, :reason, :ladder_version, :before_change,
    :applied_by, :applied_at, :expires_at, :digest)
RETURNING id
""")
_DECIDE = text("""
INSERT INTO loyalty.tier_decisions (application_id, applied_by, digest, expires_at, decision,
    comment, decided_by)
VALUES (:id, :applied_by, :digest, :expires_at, :decision, :comment, :decided_by)
""")


def apply(
    session: Session,
    programme: Programme,
    *,
    customer_id: int,
    tier: str,
    reason: str,
    ends_on: date,
    applied_by: int,
) -> Application:
    """Record that `applied_by` (staff) asks for a tier until the end of `ends_on`, and return it.

    A customer who is no member becomes one. The day is one of the programme's zone, tomorrow at
    the earliest and two years ahead at the latest. Raises `Refused` with `customer-erased`,
    `unknown-tier`, `tier-below-earned` or `end-out-of-range`.
    """
    key = _open_key(session, customer_id)
    member = programmes.enrol(session, programme, [customer_id])[customer_id]
    found = qualification.find(session, programme, [member])[0]
    ladder = ladder_in_force(session, programme, found.at)
    if tier == BASIC or tier not in {step.code for step in ladder.tiers}:
        raise Refused("unknown-tier")
    if ladder.rank(tier) < ladder.rank(found.state.earned):
        raise Refused("tier-below-earned")
    today = found.at.astimezone(programme.zone).date()
    if not today < ends_on <= add_months(today, LONGEST_MONTHS):
        raise Refused("end-out-of-range")
    content = {
        "customer_id": customer_id,
        "programme_id": programme.id,
        "tier": tier,
        "ends_on": ends_on,
        "reason": key.seal(REASON, reason),
        "ladder_version": ladder.version,
        "before_change": found.change_id,
        "applied_by": applied_by,
        "applied_at": found.at,
        "expires_at": found.at + DECIDED_WITHIN,
    }
    content["digest"] = digest(programme.code, content)
    return read_application(session, session.execute(_APPLY, content).scalar_one())


def decide(
    session: Session,
    application_id: int,
    *,
    decision: str,
    comment: str,
    content_digest: str,
    decided_by: int,
) -> Application:
    """Record what head office decided on an application, and on approval assign the tier.

    `content_digest` (hex) says what the person saw. Raises `NotFound`, or `Refused` with
    `own-application`, `application-decided`, `application-expired`, `digest-differs`,
    `application-stale` or `customer-erased`; then nothing is decided.
    """
    row = _row(session, application_id)
    programme = programmes.find_programme(session, row.programme)
    member = programmes.find_members(session, programme, [row.customer_id])[row.customer_id]
    ledger.lock(session, [member.status_wallet])
    row = _row(session, application_id)
    if row.applied_by == decided_by:
        raise Refused("own-application")
    if row.state != "open":
        expired = row.state == "expired"
        raise Refused("application-expired" if expired else "application-decided")
    stored = bytes(row.digest)
    if stored.hex() != content_digest or digest(programme.code, row._mapping) != stored:
        raise Refused("digest-differs")
    if decision == APPROVED:
        _assign(session, programme, member, row)
    session.execute(
        _DECIDE,
        {
            "id": row.id,
            "applied_by": row.applied_by,
            "digest": stored,
            "expires_at": row.expires_at,
            "decision": decision,
            "comment": _open_key(session, row.customer_id).seal(COMMENT, comment),
            "decided_by": decided_by,
        },
    )
    return read_application(session, row.id)


def read_application(session: Session, application_id: int) -> Application:
    """Return one application. Raises `NotFound`."""
    return _open(session, [_row(session, application_id)])[0]


def list_applications(
    session: Session,
    *,
    before: int | None,
    limit: int,
    state: str | None = None,
    applied_by: int | None = None,
) -> list[Application]:
    """Return up to `limit` applications below the number `before`, newest first."""
    rows = session.execute(
        _LIST,
        {
            "before": 2**62 if before is None else before,
            "limit": limit,
            "state": state,
            "applied_by": applied_by,
        },
    )
    return _open(session, list(rows))


def digest(programme: str, content: Any) -> bytes:
    """Return the hash of what is asked for, by whom, when, and on which state it rests.

    The reason goes in as it is sealed, so the digest tells nothing of it and outlives an erasure.
    """
    canonical = {
        "kind": "tier-application/1",
        "programme": programme,
        "customer_id": content["customer_id"],
        "tier": content["tier"],
        "ends_on": content["ends_on"].isoformat(),
        "reason": bytes(content["reason"]).hex(),
        "ladder_version": content["ladder_version"],
        "before_change": content["before_change"],
        "applied_by": content["applied_by"],
        "applied_at": content["applied_at"].astimezone(UTC).isoformat(),
        "expires_at": content["expires_at"].astimezone(UTC).isoformat(),
    }
    return sha256(orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).digest()


def _assign(session: Session, programme: Programme, member: Member, row: Row[Any]) -> None:
    found = qualification.find(session, programme, [member])[0]
    ladder = ladder_in_force(session, programme, found.at)
    until = midnight(row.ends_on + timedelta(days=1), programme.zone)
    moved = (found.change_id, ladder.version) != (row.before_change, row.ladder_version)
    if moved or until <= found.at:
        raise Refused("application-stale")
    case = Case(ladder, programme.zone, member.joined_at, found.score, found.at)
    steps = settle(case, found.state)
    before = steps[-1].after if steps else found.state
    after = replace(before, assigned=row.tier, assigned_until=until)
    threshold = ladder.tiers[ladder.rank(row.tier)].threshold
    steps.append(Step("assigned", before, after, threshold))
    cause = {"kind": "application", "application": row.id}
    qualification.write(session, programme, [Decided(found, ladder, steps)], lambda _: cause)


def _row(session: Session, application_id: int) -> Row[Any]:
    row = session.execute(_ONE, {"id": application_id}).one_or_none()
    if row is None:
        raise NotFound
    return row


def _open(session: Session, rows: list[Row[Any]]) -> list[Application]:
    keys = vault.open_keys(session, {row.customer_id for row in rows})
    return [_application(row, keys.get(row.customer_id)) for row in rows]


def _application(row: Row[Any], key: vault.CustomerKey | None) -> Application:
    return Application(
        id=row.id,
        customer_id=row.customer_id,
        programme=row.programme,
        tier=row.tier,
        ends_on=row.ends_on,
        reason=_unseal(key, REASON, row.reason),
        applied_by=row.applied_by,
        applied_at=row.applied_at,
        expires_at=row.expires_at,
        digest=bytes(row.digest).hex(),
        state=row.state,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        comment=_unseal(key, COMMENT, row.comment),
    )


def _unseal(key: vault.CustomerKey | None, column: str, sealed: bytes | None) -> str | None:
    return None if key is None or sealed is None else key.unseal(column, bytes(sealed))


def _open_key(session: Session, customer_id: int) -> vault.CustomerKey:
    try:
        return vault.open_key(session, customer_id)
    except vault.Erased:
        raise Refused("customer-erased") from None
