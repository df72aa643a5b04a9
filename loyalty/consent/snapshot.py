"""What is known of customers at one moment, as far as a message to them depends on it.

Everything is read in sets: a fixed number of statements, however many customers.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.consent.rules import AGAINST, CONTACT_OF, EXPIRED, GRANTED, NO_CHANNEL, PENDING

SUBJECTS = text("""
SELECT c.id, c.state = 'active', coalesce(s.newest_seq, 0), coalesce(s.revision, 0),
    clock_timestamp(), e.risk_grade, e.risk_assessed_at, e.age_band, e.capacity,
    coalesce(e.open_complaints, 0), coalesce(e.restricted, false), coalesce(e.deceased, false),
    coalesce(e.distress, false)
FROM loyalty.customers c
LEFT JOIN loyalty.consent_subjects s ON s.customer_id = c.id
LEFT JOIN loyalty.eligibility e ON e.customer_id = c.id
WHERE c.id = ANY(CAST(:ids AS bigint[]))
""")
STATES = text("""
SELECT s.customer_id, s.purpose_id, s.channel, s.partner_id, s.status, s.since_seq, s.mechanism,
    s.notice_id, s.separate, s.whole_channel, s.guardian, s.granted_at, s.refused_at, s.expires_at
FROM loyalty.consent_states s
WHERE s.customer_id = ANY(CAST(:ids AS bigint[])) AND s.channel IN (:channel, 'NONE')
""")
PURPOSES = text("""
SELECT p.id, p.code, p.is_marketing, n.id AS notice_id, n.material_version,
    n.effective_from <= clock_timestamp() AS in_force
FROM loyalty.consent_purposes p LEFT JOIN loyalty.consent_notices n ON n.purpose_id = p.id
""")
SUPPRESSIONS = text("""
SELECT f.whose, f.id, f.scope, f.scope_value, f.reason, f.by_contact FROM (
    SELECT s.customer_id AS whose, s.*, NULL::bytea AS by_contact FROM loyalty.suppressions s
    WHERE s.customer_id = ANY(CAST(:ids AS bigint[])) AND s.scope <> 'CONTACT_POINT'
    UNION ALL
    SELECT p.customer_id, s.*, s.contact_digest FROM loyalty.contact_points p
    JOIN loyalty.suppressions s ON s.contact_digest = p.digest
    WHERE p.customer_id = ANY(CAST(:ids AS bigint[]))
) f
WHERE f.starts_at <= clock_timestamp() AND (f.ends_at IS NULL OR f.ends_at > clock_timestamp())
    AND NOT EXISTS (SELECT FROM loyalty.suppression_ends e WHERE e.suppression_id = f.id)
ORDER BY f.id
""")
PREFERENCES = text("""
SELECT DISTINCT ON (customer_id) customer_id, version, weekly_cap, topics_off, hours_from,
    hours_until, personalisation_off
FROM loyalty.contact_preferences WHERE customer_id = ANY(CAST(:ids AS bigint[]))
ORDER BY customer_id, version DESC
""")
CONTACTS = text("""
SELECT DISTINCT ON (customer_id) customer_id, id, kind, digest, verified_at,
    ownership_checked_at, dead_reason
FROM loyalty.contact_points
WHERE customer_id = ANY(CAST(:ids AS bigint[])) AND kind = :kind AND digest IS NOT NULL
ORDER BY customer_id, dead_reason IS NOT NULL, verified_at IS NULL,
    ownership_checked_at DESC NULLS LAST, id DESC
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a customer's will is for one purpose, channel and partner, at the moment asked.

    `status` is None where the customer never said anything: then the answer is no.
    """

    status: str | None = None
    since_seq: int = 0
    mechanism: str = ""
    notice_id: int | None = None
    material_version: int = 0
    required_version: int = 0
    separate: bool = False
    guardian: bool = False
    granted_at: datetime | None = None
    refused_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def is_granted(self) -> bool:
        """Whether consent stands, and to the notice that is in force."""
        return self.status == GRANTED and self.material_version >= self.required_version


@dataclass(frozen=True, slots=True)
class Suppression:
    """A stop that is in force and meets the message that was asked about."""

    id: int
    scope: str
    scope_value: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Preference:
    """A customer's wishes; version 0 where there are none."""

    version: int = 0
    weekly_cap: int | None = None
    topics_off: tuple[str, ...] = ()
    hours_from: time | None = None
    hours_until: time | None = None
    personalisation_off: bool = False


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What the bank told us; None and False where nothing is known."""

    risk_grade: int | None = None
    risk_assessed_at: datetime | None = None
    age_band: str | None = None
    capacity: str | None = None
    open_complaints: int = 0
    restricted: bool = False
    deceased: bool = False
    distress: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a message would go; its value stays sealed."""

    id: int
    kind: str
    digest: bytes
    verified_at: datetime | None
    ownership_checked_at: datetime | None
    dead_reason: str | None


NO_STANDING = Standing()
NO_PREFERENCE = Preference()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One customer at one moment (`at`), for messages of one purpose by one channel.

    `channel_refused`: the customer said "nothing by this channel" after they agreed to the
    purpose, or without ever agreeing. `separately` holds the standing separate consents as
    (purpose, partner), partner 0 for none. `contact` is None where the channel needs none, too.
    """

    customer_id: int
    at: datetime
    active: bool
    newest_seq: int
    revision: int
    standing: Standing
    channel_refused: bool
    separately: frozenset[tuple[str, int]]
    suppressions: tuple[Suppression, ...]
    preference: Preference
    eligibility: Eligibility
    contact: Contact | None


@dataclass(slots=True)
class _Will:
    """The states of one customer as they are read."""

    standing: Standing = NO_STANDING
    refused_seq: int = 0
    separately: set[tuple[str, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Purpose:
    code: str
    is_marketing: bool
    required: int


def read_snapshot(
    session: Session,
    customer_ids: Collection[int],
    *,
    purpose: str,
    channel: str,
    topics: Collection[str] = (),
) -> dict[int, Snapshot]:
    """Return what is known of each customer for a message; unknown ids are left out.

    To decide, hold `lock` on them first. Raises `KeyError` on an unknown purpose or channel.
    """
    asked = {"ids": list(customer_ids), "channel": channel}
    subjects = session.execute(SUBJECTS, asked).all()
    if not subjects:
        return {}
    contacts = _read_contacts(session, asked, CONTACT_OF[channel])
    stops = _read_suppressions(session, asked)
    wishes = {
        row[0]: Preference(row[1], row[2], tuple(row[3]), *row[4:])
        for row in session.execute(PREFERENCES, asked)
    }
    wills = _read_wills(session, asked, purpose, subjects[0][4])
    met = {"CHANNEL": {channel}, "PURPOSE": {purpose}, "TOPIC": set(topics)}
    found = {}
    for number, active, newest_seq, revision, at, *facts in subjects:
        contact = contacts.get(number)
        will = wills[number] if number in wills else wills[0]
        found[number] = Snapshot(
            customer_id=number,
            at=at,
            active=active,
            newest_seq=newest_seq,
            revision=revision,
            standing=will.standing,
            channel_refused=will.refused_seq > 0
            and not (
                will.standing.status == GRANTED and will.standing.since_seq > will.refused_seq
            ),
            separately=frozenset(will.separately),
            suppressions=_meeting(stops.get(number, ()), met, contact),
            preference=wishes.get(number, NO_PREFERENCE),
            eligibility=Eligibility(*facts),
            contact=contact,
        )
    return found


def _read_contacts(
    session: Session, asked: Mapping[str, Any], kind: str | None
) -> dict[int, Contact]:
    if kind is None:
        return {}
    rows = session.execute(CONTACTS, {**asked, "kind": kind})
    return {row[0]: Contact(row[1], row[2], bytes(row[3]), *row[4:]) for row in rows}


def _read_suppressions(session: Session, asked: Mapping[str, Any]) -> dict[int, list[Any]]:
    stops: dict[int, list[Any]] = {}
    for row in session.execute(SUPPRESSIONS, asked):
        stops.setdefault(row.whose, []).append(row)
    return stops


def _meeting(
    stops: Iterable[Any], met: Mapping[str, set[str]], contact: Contact | None
) -> tuple[Suppression, ...]:
    """Return those of a customer's stops that this message meets."""
    return tuple(
        Suppression(stop.id, stop.scope, stop.scope_value, stop.reason)
        for stop in stops
        if (stop.scope_value is None or stop.scope_value in met[stop.scope])
        and (
            stop.by_contact is None
            or (contact is not None and bytes(stop.by_contact) == contact.digest)
        )
    )


def _read_wills(
    session: Session, asked: Mapping[str, Any], purpose: str, now: datetime
) -> dict[int, _Will]:
    """Return the wills of those who ever said anything; 0 stands for everybody else."""
    purposes, versions = _read_purposes(session)
    by_code = {known.code: (number, known) for number, known in purposes.items()}
    wanted, known = by_code[purpose]
    wills = {0: _Will(Standing(required_version=known.required))}
    for row in session.execute(STATES, asked):
        will = wills.get(row.customer_id)
        if will is None:
            will = wills[row.customer_id] = _Will(wills[0].standing)
        of = purposes[row.purpose_id]
        if row.whole_channel and row.status in AGAINST and of.is_marketing:
            will.refused_seq = max(will.refused_seq, row.since_seq)
        if row.channel == NO_CHANNEL:
            standing = _standing(row, versions, of, now)
            if standing.is_granted and standing.separate:
                will.separately.add((of.code, row.partner_id))
        elif row.purpose_id == wanted and row.partner_id == 0:
            will.standing = _standing(row, versions, of, now)
    return wills


def _read_purposes(session: Session) -> tuple[dict[int, _Purpose], dict[int | None, int]]:
    """Return the purposes with the version that consent must have, and each notice's version."""
    purposes: dict[int, _Purpose] = {}
    versions: dict[int | None, int] = {None: 0}
    for row in session.execute(PURPOSES):
        required = row.material_version if row.in_force else 0
        if row.id in purposes:
            required = max(required, purposes[row.id].required)
        purposes[row.id] = _Purpose(row.code, row.is_marketing, required)
        if row.notice_id is not None:
            versions[row.notice_id] = row.material_version
    return purposes, versions


def _standing(
    row: Any, versions: Mapping[int | None, int], purpose: _Purpose, now: datetime
) -> Standing:
    over = row.expires_at is not None and row.expires_at <= now
    return Standing(
        status=EXPIRED if over and row.status in (GRANTED, PENDING) else row.status,
        since_seq=row.since_seq,
        mechanism=row.mechanism,
        notice_id=row.notice_id,
        material_version=versions[row.notice_id],
        required_version=purpose.required,
        separate=row.separate,
        guardian=row.guardian,
        granted_at=row.granted_at,
        refused_at=row.refused_at,
        expires_at=row.expires_at,
    )
