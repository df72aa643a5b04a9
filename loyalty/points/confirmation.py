"""Confirmations: an event is reported, and the points that waited for it become usable.

An event is about a purchase (`delivered`) or about a customer (`membership_confirmed`); what is
known of a customer counts for purchases before and after it. Points that become usable are taken
back as pending and given anew, in one entry, to lapse when their rule had promised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import outbox, programmes
from loyalty.programmes import Programme

SOURCE = "confirmation"
SKEW = timedelta(seconds=60)  # how far a source's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class NewConfirmation:
    """An event as its source reports it, about one of these.

    `purchase` is the source's own reference of a purchase, `purchase_id` our number of any,
    `customer` the bank's reference of a customer.
    """

    reference: str
    event: str
    occurred_at: datetime
    purchase: str | None = None
    purchase_id: int | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A confirmation on record, and how many points it made usable."""

    reference: str
    confirmation_id: int
    points: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A confirmation that was not recorded; its neighbours were."""

    reference: str
    code: str


Outcome = Confirmed | Unconfirmed


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whom an event is about: a customer, or one purchase of theirs."""

    customer_id: int
    purchase_id: int | None = None


PURCHASES = text("""
SELECT id, customer_id, CASE WHEN source = :source THEN reference END AS reference
FROM loyalty.purchases
WHERE programme_id = :programme
    AND (id = ANY(:numbers) OR source = :source AND reference = ANY(:references))
""")

RECORD = text("""
INSERT INTO loyalty.confirmations (programme_id, source, reference, event, customer_id,
    purchase_id, occurred_at)
SELECT :programme, :source, r.reference, r.event, r.customer_id, r.purchase_id, r.occurred_at
FROM json_to_recordset(CAST(:rows AS json)) AS r(reference text, event text, customer_id bigint,
    purchase_id bigint, occurred_at timestamptz)
ON CONFLICT (programme_id, source, reference) DO NOTHING
RETURNING id, reference
""")

KNOWN = text("""
SELECT f.id, f.reference, f.event, f.customer_id, f.purchase_id, f.occurred_at,
    coalesce(sum(c.points), 0)::bigint AS points
FROM loyalty.confirmations f LEFT JOIN loyalty.confirmed_points c ON c.confirmation_id = f.id
WHERE f.programme_id = :programme AND f.source = :source AND f.reference = ANY(:references)
GROUP BY f.id
""")

# What still waits: neither taken back whole, nor lapsed, nor usable since its last day.
WAITING = text("""
WITH given AS (
    SELECT id, event, customer_id, purchase_id, occurred_at FROM loyalty.confirmations
    WHERE id = ANY(:numbers)
), matching AS (
    SELECT given.id, given.occurred_at, w.* FROM given
    JOIN loyalty.waiting_points w ON w.purchase_id = given.purchase_id
        AND w.about = 'purchase' AND w.event = given.event
    UNION ALL
    SELECT given.id, given.occurred_at, w.* FROM given
    JOIN loyalty.memberships m ON m.customer_id = given.customer_id AND m.programme_id = :programme
    JOIN loyalty.waiting_points w ON w.account_id = m.points_wallet_id
        AND w.about = 'customer' AND w.event = given.event
    WHERE given.purchase_id IS NULL
)
SELECT DISTINCT ON (w.account_id, w.position) w.id AS confirmation_id, w.account_id, w.position,
    w.purchase_id, w.occurred_at, w.expires_at, l.terms, l.remaining
FROM matching w
JOIN ledger.lots l ON l.account_id = w.account_id AND l.position = w.position
WHERE l.remaining > 0
    AND l.available_from > clock_timestamp() AND l.expires_at > clock_timestamp()
ORDER BY w.account_id, w.position, w.id
""")

SETTLE = text("""
INSERT INTO loyalty.confirmed_points (account_id, position, confirmation_id, new_position, points)
SELECT r.account_id, r.position, r.confirmation_id, r.new_position, r.points
FROM json_to_recordset(CAST(:rows AS json)) AS r(account_id bigint, position bigint,
    confirmation_id bigint, new_position bigint, points bigint)
""")


def confirm(
    session: Session, programme: Programme, source: str, reported: Sequence[NewConfirmation]
) -> list[Outcome]:
    """Record events and make usable what waited for them; one outcome for each, in their order.

    Codes of refusals: `unknown-purchase`, `unknown-customer`, `reference-reused`,
    `future-dated`.
    """
    subjects = _find_subjects(session, programme, source, reported)
    people = {subject.customer_id for subject in subjects.values()}
    members = programmes.find_members(session, programme, people)
    # Held until the end, so that no purchase is assessed beside an event that it waits for.
    ledger.lock(session, [member.points_wallet for member in members.values()])
    latest = datetime.now(UTC) + SKEW
    first: dict[str, NewConfirmation] = {}
    refused: dict[int, str] = {}
    for index, one in enumerate(reported):
        code = _fault(one, subjects, latest)
        if code is None and first.setdefault(one.reference, one) != one:
            code = "reference-reused"
        if code is not None:
            refused[index] = code
    written = _record(session, programme, source, first.values(), subjects)
    made = _release(session, programme, written)
    known = _read_known(session, programme, source, first.keys() - written.keys())
    outcomes: list[Outcome] = []
    for index, one in enumerate(reported):
        if index in refused:
            outcomes.append(Unconfirmed(one.reference, refused[index]))
        elif one.reference in written:
            number = written[one.reference]
            outcomes.append(Confirmed(one.reference, number, made.get(number, 0)))
        else:
            outcomes.append(_replay(one, subjects[one], known[one.reference]))
    return outcomes


def _find_subjects(
    session: Session, programme: Programme, source: str, reported: Sequence[NewConfirmation]
) -> dict[NewConfirmation, _Subject]:
    named = {one.customer for one in reported if one.customer is not None}
    members = programmes.find_or_enrol(session, programme, named) if named else {}
    rows = session.execute(
        PURCHASES,
        {
            "programme": programme.id,
            "source": source,
            "numbers": [one.purchase_id for one in reported if one.purchase_id is not None],
            "references": [one.purchase for one in reported if one.purchase is not None],
        },
    ).all()
    by_id = {row.id: _Subject(row.customer_id, row.id) for row in rows}
    by_reference = {row.reference: by_id[row.id] for row in rows}
    subjects: dict[NewConfirmation, _Subject] = {}
    for one in reported:
        if one.customer in members:
            subjects[one] = _Subject(members[one.customer].customer_id)
        elif one.purchase is not None and one.purchase in by_reference:
            subjects[one] = by_reference[one.purchase]
        elif one.purchase_id in by_id:
            subjects[one] = by_id[one.purchase_id]
    return subjects


def _fault(
    one: NewConfirmation, subjects: Mapping[NewConfirmation, _Subject], latest: datetime
) -> str | None:
    if one not in subjects:
        return "unknown-purchase" if one.customer is None else "unknown-customer"
    return "future-dated" if one.occurred_at > latest else None


def _record(
    session: Session,
    programme: Programme,
    source: str,
    reported: Any,
    subjects: Mapping[NewConfirmation, _Subject],
) -> dict[str, int]:
    """Write what is new, in order of reference; return the numbers by reference."""
    rows = [
        {
            "reference": one.reference,
            "event": one.event,
            "customer_id": subjects[one].customer_id,
            "purchase_id": subjects[one].purchase_id,
            "occurred_at": one.occurred_at.isoformat(),
        }
        for one in sorted(reported, key=lambda one: one.reference)
    ]
    if not rows:
        return {}
    written = session.execute(
        RECORD, {"programme": programme.id, "source": source, "rows": ledger.dump_json(rows)}
    )
    return {row.reference: row.id for row in written}


def _read_known(
    session: Session, programme: Programme, source: str, references: Any
) -> dict[str, Any]:
    if not references:
        return {}
    rows = session.execute(
        KNOWN, {"programme": programme.id, "source": source, "references": list(references)}
    )
    return {row.reference: row for row in rows}


def _replay(one: NewConfirmation, subject: _Subject, known: Any) -> Outcome:
    same = (known.event, known.occurred_at) == (one.event, one.occurred_at)
    if not same or (known.customer_id, known.purchase_id) != (
        subject.customer_id,
        subject.purchase_id,
    ):
        return Unconfirmed(one.reference, "reference-reused")
    return Confirmed(one.reference, known.id, known.points, replayed=True)


# -- making usable -----------------------------------------------------------------------------


def _release(session: Session, programme: Programme, written: Mapping[str, int]) -> dict[int, int]:
    """Make usable what waited for these confirmations; return how much, by confirmation."""
    if not written:
        return {}
    numbers = sorted(written.values())
    rows = list(session.execute(WAITING, {"programme": programme.id, "numbers": numbers}))
    rows.sort(key=lambda row: (row.confirmation_id, row.purchase_id, row.position))
    groups = [list(g) for _, g in groupby(rows, lambda r: (r.confirmation_id, r.purchase_id))]
    entries = [_entry(programme, group) for group in groups]
    settled: list[dict[str, Any]] = []
    for group, outcome in zip(groups, ledger.post(session, entries), strict=True):
        if isinstance(outcome, ledger.Refusal):
            raise RuntimeError(f"the ledger refused a confirmation: {outcome.detail}")
        settled += _settled(group, outcome)
    if settled:
        session.execute(SETTLE, {"rows": ledger.dump_json(settled)})
    outbox.publish(
        session,
        "points.confirmed",
        f"programme:{programme.id}",
        {"first": numbers[0], "last": numbers[-1], "count": len(numbers)},
    )
    made: dict[int, int] = {}
    for row in settled:
        made[row["confirmation_id"]] = made.get(row["confirmation_id"], 0) + row["points"]
    return made


def _entry(programme: Programme, rows: Sequence[Any]) -> ledger.Entry:
    """Return the entry that makes usable what of one purchase waited for one event."""
    one = rows[0]
    acts: list[ledger.Act] = []
    for row in rows:
        terms = ledger.Terms(ledger.AT_ONCE, row.expires_at, row.terms)
        acts += [
            ledger.Reverse(row.account_id, row.position, row.remaining),
            ledger.Move(programme.points.issued, row.account_id, row.remaining, terms),
        ]
    return ledger.Entry(
        account=one.account_id,
        source=SOURCE,
        reference=f"{one.confirmation_id}:{one.purchase_id}",
        kind="confirm",
        acts=tuple(acts),
        effective_at=one.occurred_at,
        cause={"confirmation": one.confirmation_id, "purchase": one.purchase_id},
    )


def _settled(rows: Sequence[Any], posted: ledger.Posted) -> Iterator[dict[str, Any]]:
    """Yield where the points of each waiting line went: every second line is a credit."""
    for row, line in zip(rows, posted.lines[1::2], strict=True):
        yield {
            "account_id": row.account_id,
            "position": row.position,
            "confirmation_id": row.confirmation_id,
            "new_position": line.position,
            "points": line.amount,
        }
