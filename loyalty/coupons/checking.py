"""Looking at the coupons of a ticket: whether each may be redeemed here and now, and why not.

Whoever may not take a coupon learns nothing of it: its verdict is that of a code of nobody's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import vault
from loyalty.coupons import codes, rules
from loyalty.coupons.issuance import PLACE, digest_code
from loyalty.coupons.rules import Answer, Held, Line, Till
from loyalty.coupons.series import Series, find_versions
from loyalty.database import fetch
from loyalty.programmes import Programme

_COUPONS = """
SELECT c.id, c.series_id, c.version, c.digest, c.customer_id, c.state, c.seq, c.worth, c.remaining,
    c.valid_from, c.valid_until, c.held_by, c.held_until, s.code AS series,
    coalesce(k.state <> 'active', false) AS is_orphan,
    coalesce((SELECT h.kind = 'halt' FROM loyalty.coupon_halts h WHERE h.series_id = c.series_id
        ORDER BY h.number DESC LIMIT 1), false) AS is_halted
FROM loyalty.coupons c JOIN loyalty.coupon_series s ON s.id = c.series_id
LEFT JOIN loyalty.customers k ON k.id = c.customer_id
WHERE s.programme_id = %(programme)s AND (c.digest = ANY(%(digests)s) OR c.id = ANY(%(numbers)s))
ORDER BY c.id
"""
LOCKED = f"{_COUPONS} FOR NO KEY UPDATE OF c"
# What is read once the coupons are locked: a statement that waits keeps its old moment. From
# here on those who wait for each other wait for a partner's log, some milliseconds each, so a
# list of requests need not be as impatient as for a coupon that somebody holds.
THEN = """
SELECT set_config('lock_timeout', '1s', true), clock_timestamp() AS now, (
    SELECT coalesce(json_agg(json_build_array(reference, id, encode(digest, 'hex'))), '[]')
    FROM loyalty.redemptions
    WHERE partner_id = %(partner)s AND kind = %(kind)s AND reference = ANY(%(references)s)
) AS known
"""
HELD = text("""
SELECT r.id, e.coupon_id FROM loyalty.redemptions r
JOIN loyalty.coupon_events e ON e.redemption_id = r.id
WHERE r.id = ANY(:holds) AND r.kind = 'hold' AND r.partner_id = :partner
""")
NOW = text("SELECT clock_timestamp()")
USED = text("""
SELECT series_id, period, used FROM loyalty.coupon_counters
WHERE counted = 'used' AND whose = 'all' AND (series_id, period) IN (
    SELECT * FROM unnest(CAST(:series AS integer[]), CAST(:periods AS text[])))
""")
COUNTERS = text("""
INSERT INTO loyalty.coupon_counters AS c (series_id, counted, whose, period, quota)
SELECT series_id, 'used', 'all', period, quota FROM unnest(CAST(:series AS integer[]),
    CAST(:periods AS text[]), CAST(:quotas AS bigint[])) AS asked (series_id, period, quota)
ORDER BY series_id, period
ON CONFLICT (series_id, counted, whose, period) DO UPDATE SET quota = excluded.quota
RETURNING series_id, period, used
""")


@dataclass(frozen=True, slots=True)
class Desk:
    """Who redeems: a partner's client (`client`, a public id) and which series it may take."""

    partner_id: int
    client: str
    currency: str
    series: frozenset[str] | None = None

    def takes(self, series: Series) -> bool:
        """Return whether coupons of this series are the partner's business at all."""
        allowed = self.series is None or series.code in self.series
        return allowed and (not series.terms.partners or self.partner_id in series.terms.partners)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Coupons shown with one basket, under a reference of the till's.

    `hold` names the reservation to be redeemed, in place of codes. `customer_id` is who shows
    them, where the till knows.
    """

    reference: str
    outlet_id: int
    codes: tuple[str, ...] = ()
    basket: tuple[Line, ...] = ()
    customer_id: int | None = None
    hold: int | None = None

    @property
    def total(self) -> int:
        """What the basket costs without coupons."""
        return sum(line.amount for line in self.basket)

    def digest(self) -> bytes:
        """Return the hash of what is asked for, with each code as whoever types it means it."""
        content = [
            self.outlet_id,
            [codes.read_code(code) or code for code in self.codes],
            [[line.category, line.amount] for line in self.basket],
            self.customer_id,
            self.hold,
        ]
        return hashlib.sha256(orjson.dumps(content)).digest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be done with one coupon; `coupon_id` None: no such coupon for whoever asks."""

    coupon_id: int | None
    answer: Answer
    series: Series | None = None
    remaining: int = 0
    valid_until: datetime | None = None


UNKNOWN = Verdict(None, Answer(("unknown-coupon",)))


@dataclass(slots=True)
class Shelf:
    """The coupons that tickets show, as they stand; drafts change them as they are made.

    `known` are the partner's earlier acts under the tickets' references: number and digest.
    `used` counts today's uses of the series that limit them.
    """

    now: datetime
    zone: ZoneInfo
    rows: dict[bytes, Any]
    digests: dict[tuple[str, int | None], bytes | None]
    series: Mapping[tuple[int, int], Series]
    holds: dict[int, set[int]]
    known: Mapping[str, tuple[int, bytes]]
    used: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def today(self) -> str:
        """The day in the programme's zone."""
        return self.now.astimezone(self.zone).date().isoformat()

    def series_of(self, row: Any) -> Series:
        """Return the series of a coupon in the version under which it was issued."""
        return self.series[row.series_id, row.version]

    def find(self, ticket: Ticket) -> list[Any]:
        """Return the row of each coupon of a ticket, None for a code that is nobody's."""
        if ticket.hold is not None:
            return [
                row
                for row in self.rows.values()
                if row.id in self.holds.get(ticket.hold, ()) and row.held_by == ticket.hold
            ]
        found = [self.digests[code, ticket.customer_id] for code in ticket.codes]
        return [None if digest is None else self.rows.get(digest) for digest in found]

    def decide(self, desk: Desk, ticket: Ticket, at: datetime) -> list[Verdict]:
        """Return a verdict for each coupon of a ticket, in their order."""
        rows = self.find(ticket)
        verdicts = [UNKNOWN] * len(rows)
        places: dict[int, int] = {}
        for place, row in enumerate(rows):
            if row is None or not desk.takes(self.series_of(row)):
                continue
            if places.setdefault(row.id, place) != place:
                verdicts[place] = self._verdict(row, Answer(("repeated",)))
        till = Till(
            desk.partner_id, ticket.outlet_id, at, self.zone, ticket.customer_id, ticket.hold
        )
        shown = [(self.series_of(rows[x]).terms, _held(rows[x])) for x in places.values()]
        uses: Counter[int] = Counter()
        barred = [self._barred(rows[x], uses) for x in places.values()]
        answers = rules.decide_basket(shown, ticket.basket, till, barred)
        for place, answer in zip(places.values(), answers, strict=True):
            verdicts[place] = self._verdict(rows[place], answer)
        return verdicts

    def _barred(self, row: Any, uses: Counter[int]) -> tuple[str, ...]:
        """Return what stands against a coupon beside its own state and terms.

        `uses` counts by series what the ticket shows before it.
        """
        reasons = []
        if row.is_halted:
            reasons.append("halted")
        if row.is_orphan:
            reasons.append("owner-gone")
        quota = self.series_of(row).terms.uses_per_day
        used = self.used.get((row.series_id, self.today), 0) + uses[row.series_id]
        if quota is not None and used >= quota:
            reasons.append("used-up-today")
        uses[row.series_id] += 1
        return tuple(reasons)

    def _verdict(self, row: Any, answer: Answer) -> Verdict:
        return Verdict(row.id, answer, self.series_of(row), row.remaining, row.valid_until)


def check(
    session: Session, programme: Programme, desk: Desk, ticket: Ticket, at: datetime | None = None
) -> list[Verdict]:
    """Return for each coupon why it may be redeemed or why not, and what it would take off."""
    shelf = read_shelf(session, programme, desk, [ticket])
    return shelf.decide(desk, ticket, at or shelf.now)


def read_shelf(
    session: Session,
    programme: Programme,
    desk: Desk,
    tickets: Sequence[Ticket],
    kind: str | None = None,
) -> Shelf:
    """Read the coupons that tickets show.

    With the `kind` of what is to be done nobody else changes them until the end.
    """
    digests = _digest_all(tickets)
    holds = _find_holds(session, desk, tickets)
    asked = {
        "programme": programme.id,
        "digests": [digest for digest in digests.values() if digest is not None],
        "numbers": [number for numbers in holds.values() for number in numbers],
    }
    rows = fetch(session, _COUPONS if kind is None else LOCKED, asked)
    series = find_versions(session, {(row.series_id, row.version) for row in rows})
    references = [ticket.reference for ticket in tickets]
    asked = {"partner": desk.partner_id, "kind": kind, "references": references}
    (then,) = fetch(session, THEN, asked)
    shelf = Shelf(
        then.now,
        programme.zone,
        {bytes(row.digest): row for row in rows},
        digests,
        series,
        holds,
        {reference: (number, bytes.fromhex(digest)) for reference, number, digest in then.known},
    )
    _read_uses(session, shelf, desk, lock=kind is not None)
    return shelf


def _find_holds(session: Session, desk: Desk, tickets: Sequence[Ticket]) -> dict[int, set[int]]:
    """Return the coupons that the partner's holds were made for, by hold."""
    wanted = [ticket.hold for ticket in tickets if ticket.hold is not None]
    found: dict[int, set[int]] = {}
    if wanted:
        for row in session.execute(HELD, {"holds": wanted, "partner": desk.partner_id}):
            found.setdefault(row.id, set()).add(row.coupon_id)
    return found


def _digest_all(tickets: Sequence[Ticket]) -> dict[tuple[str, int | None], bytes | None]:
    key = vault.value_key(PLACE)
    digests: dict[tuple[str, int | None], bytes | None] = {}
    for ticket in tickets:
        for typed in ticket.codes:
            code = codes.read_code(typed)
            digest = None if code is None else digest_code(key, code, ticket.customer_id)
            digests[typed, ticket.customer_id] = digest
    return digests


def _read_uses(session: Session, shelf: Shelf, desk: Desk, *, lock: bool) -> None:
    """Read today's uses, but nothing for coupons of others: those must take no longer."""
    limited = {
        key[0]: series.terms.uses_per_day
        for row in shelf.rows.values()
        for key, series in [((row.series_id, row.version), shelf.series_of(row))]
        if series.terms.uses_per_day is not None and desk.takes(series)
    }
    if not limited:
        return
    asked = {
        "series": list(limited),
        "periods": [shelf.today] * len(limited),
        "quotas": list(limited.values()),
    }
    if not lock:
        del asked["quotas"]
    rows = session.execute(COUNTERS if lock else USED, asked)
    shelf.used = {(row.series_id, row.period): row.used for row in rows}


def _held(row: Any) -> Held:
    return Held(
        row.state,
        row.remaining,
        row.valid_from,
        row.valid_until,
        row.customer_id,
        row.held_by,
        row.held_until,
    )
