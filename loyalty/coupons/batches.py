"""Batches: a million coupons without customers, made in chunks, their codes given out once.

A chunk is one transaction with a fixed number of statements. Whoever stops it, or the machine
it runs on, loses nothing: the run goes on at the chunk where it stood.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import outbox, programmes, vault
from loyalty.coupons import codes
from loyalty.coupons.issuance import PLACE, issue_batch
from loyalty.coupons.series import Series, find_versions
from loyalty.outbox import Done, Progress, Run
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused, ids

KIND = "coupons.batch"
AT_ONCE = 10_000
CODES_AT_ONCE = 5_000
FETCHED_WITHIN = timedelta(hours=24)

log = structlog.get_logger("loyalty.coupons")

ADD = text("""
INSERT INTO loyalty.coupon_batches (series_id, version, reference, size, made_by, run_id)
VALUES (:series, :version, :reference, :size, :made_by, :run) RETURNING id
""")
_BATCHES = """
SELECT b.id, s.programme_id, s.code AS series, b.series_id, b.version, b.reference, b.size,
    b.made_by, b.run_id, b.made_at, r.state, r.done, r.failed, r.finished_at,
    e.given_at, clock_timestamp() AS now
FROM loyalty.coupon_batches b JOIN loyalty.coupon_series s ON s.id = b.series_id
JOIN loyalty.runs r ON r.id = b.run_id
LEFT JOIN loyalty.coupon_exports e ON e.batch_id = b.id
"""
ONE = text(f"{_BATCHES} WHERE b.id = :batch")
BY_RUN = text(f"{_BATCHES} WHERE b.run_id = :run")
KNOWN = text(f"{_BATCHES} WHERE b.series_id = :series AND b.reference = :reference")
GIVE = text("""
INSERT INTO loyalty.coupon_exports (batch_id, mark, given_to) VALUES (:batch, :mark, :given_to)
ON CONFLICT (batch_id) DO NOTHING RETURNING batch_id
""")
CODES = text("""
SELECT id, digest, sealed, valid_until FROM loyalty.coupons
WHERE batch_id = :batch AND id > :after ORDER BY id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and how far its run came; `failed` are those that limits or budget refused."""

    id: int
    programme_id: int
    series: str
    series_id: int
    version: int
    reference: str
    size: int
    made_by: str
    run_id: int
    made_at: datetime
    state: str
    done: int
    failed: int
    finished_at: datetime | None
    given_at: datetime | None
    now: datetime


def start_batch(session: Session, series: Series, reference: str, size: int, made_by: str) -> Batch:
    """Begin to make `size` coupons in the background; the same reference begins once.

    Raises `Refused`: `customer-needed` where coupons of the series go to customers only,
    `coupon-halted`, `reference-reused`.
    """
    asked = {"series": series.id, "reference": reference}
    earlier = session.execute(KNOWN, asked).one_or_none()
    if earlier is not None:
        if (earlier.size, earlier.made_by) != (size, made_by):
            raise Refused("reference-reused")
        return Batch(*earlier)
    if series.terms.per_customer is not None or series.terms.short_code:
        raise Refused("customer-needed")
    if series.is_halted:
        raise Refused("coupon-halted")
    run = outbox.start_run(session, KIND, {"series": series.id}, created_by=made_by, total=size)
    batch: int = session.execute(
        ADD,
        {**asked, "version": series.version, "size": size, "made_by": made_by, "run": run},
    ).scalar_one()
    return find_batch(session, batch)


def find_batch(session: Session, batch_id: int) -> Batch:
    """Return a batch. Raises `NotFound`."""
    row = session.execute(ONE, {"batch": batch_id}).one_or_none()
    if row is None:
        raise NotFound
    return Batch(*row)


def make_some(session: Session, run: Run) -> Progress:
    """Make the next coupons of the run's batch, under the version that it began with."""
    batch = Batch(*session.execute(BY_RUN, {"run": run.id}).one())
    programme = _programme(session, batch)
    key = (batch.series_id, batch.version)
    series = find_versions(session, [key])[key]
    first = run.done + run.failed
    last = min(batch.size, first + AT_ONCE)
    references = [str(number) for number in range(first + 1, last + 1)]
    made = issue_batch(session, programme, series, batch.id, references)
    failed = len(references) - made
    kind = Done if last == batch.size else Progress
    return kind(done=made, failed=failed)


def _programme(session: Session, batch: Batch) -> Programme:
    found = {one.id: one for one in programmes.list_programmes(session)}
    return found[batch.programme_id]


def give_codes(session: Session, batch_id: int, given_to: str) -> tuple[Batch, str]:
    """Note that a batch's codes go to its maker, and return it with the mark for the file.

    Raises `NotFound` for everybody but the maker, and `Refused`: `batch-unfinished`,
    `codes-given`, `codes-over`.
    """
    batch = find_batch(session, batch_id)
    if batch.made_by != given_to:
        raise NotFound
    if batch.state != "done" or batch.finished_at is None:
        raise Refused("batch-unfinished")
    if batch.now > batch.finished_at + FETCHED_WITHIN:
        raise Refused("codes-over")
    mark = f"{given_to}-{secrets.token_hex(8)}"
    asked = {"batch": batch_id, "mark": mark, "given_to": given_to}
    if session.execute(GIVE, asked).first() is None:
        raise Refused("codes-given")
    return batch, mark


def read_codes(session: Session, batch_id: int, after: int) -> list[tuple[int, str, datetime]]:
    """Return the next codes of a batch after a coupon's number: number, code, valid until."""
    asked = {"batch": batch_id, "after": after, "limit": CODES_AT_ONCE}
    key = vault.value_key(PLACE)
    return [
        (row.id, codes.show_code(key.unseal(bytes(row.sealed), bytes(row.digest))), row.valid_until)
        for row in session.execute(CODES, asked)
    ]


def header_of(batch: Batch, mark: str) -> Iterator[list[Any]]:
    """Yield the first lines of a file of codes: what it is, and whose copy."""
    yield ["# quanyi", batch.series, ids.encode("bat", batch.id), mark]
    yield ["number", "code", "valid_until", "mark"]
