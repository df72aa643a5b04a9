"""Runs: long work in chunks, each one transaction; it can stop, go on, and outlive workers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.outbox import doorbell, rules
from loyalty.outbox.delivery import Orphaned
from loyalty.outbox.models import CLAIMABLE
from loyalty.outbox.registry import Done, Paused, Progress, Run
from loyalty.web import NotFound

_START = text(
    """
    INSERT INTO loyalty.runs (kind, arguments, total, created_by)
    VALUES (:kind, CAST(:arguments AS jsonb), :total, :created_by) RETURNING id
    """
)
_STOP = text(
    """
    UPDATE loyalty.runs
    SET state = CASE WHEN lease_until > clock_timestamp() THEN 'stopping' ELSE 'stopped' END
    WHERE id = :id AND state IN ('queued', 'running', 'paused')
    """
)
_RESUME = text(
    """
    UPDATE loyalty.runs
    SET state = 'queued', attempts = 0, error = NULL, finished_at = NULL,
        lease_token = NULL, lease_until = NULL, not_before = clock_timestamp()
    WHERE id = :id AND state IN ('stopped', 'paused', 'failed') RETURNING kind
    """
)
_STATE = text("SELECT state FROM loyalty.runs WHERE id = :id")
_ABOUT = text(
    """
    SELECT id, kind, state, total, done, failed, error, created_at, started_at, finished_at,
        arguments
    FROM loyalty.runs
    WHERE kind = :kind AND (CAST(:name AS text) IS NULL OR arguments ->> :name = :value)
    ORDER BY id DESC LIMIT :limit
    """
)
_CLAIM = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT id FROM loyalty.runs
        WHERE kind = :kind AND {CLAIMABLE} AND not_before <= clock_timestamp()
            AND attempts < :attempts
            AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY not_before LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE loyalty.runs AS run
    SET state = 'running', lease_token = :token, lease_until = clock_timestamp() + :lease,
        attempts = attempts + 1, started_at = coalesce(started_at, clock_timestamp())
    FROM due WHERE run.id = due.id RETURNING run.id, run.lease_token
    """  # noqa: S608
)
_NEXT = text(
    """
    SELECT id, kind, arguments, cursor, total, done, failed, chunks, created_by, lease_token
    FROM loyalty.runs WHERE id = :id AND lease_token = :token AND state = 'running'
    """
)
_RECORD = text(
    """
    UPDATE loyalty.runs
    SET done = done + :done, failed = failed + :failed, chunks = chunks + 1, attempts = 0,
        cursor = coalesce(CAST(:cursor AS jsonb), cursor), total = coalesce(:total, total),
        lease_until = clock_timestamp() + :lease,
        state = CASE WHEN :state = 'done' THEN 'done' WHEN state = 'running' THEN :state
            ELSE state END,
        finished_at = CASE WHEN :state = 'done' THEN clock_timestamp() END
    WHERE id = :id AND lease_token = :token AND state IN ('running', 'stopping')
    RETURNING chunks
    """
)
_CHUNK = text(
    """
    INSERT INTO loyalty.run_chunks (run_id, chunk_no, done, failed)
    VALUES (:id, :chunk_no, :done, :failed)
    """
)
_RELEASE = text(
    """
    UPDATE loyalty.runs
    SET lease_token = NULL, lease_until = NULL, attempts = 0,
        state = CASE state WHEN 'stopping' THEN 'stopped' ELSE state END
    WHERE id = :id AND lease_token = :token RETURNING state
    """
)
_POSTPONE = """
    UPDATE loyalty.runs
    SET lease_token = NULL, lease_until = NULL, error = :error,
        not_before = clock_timestamp() + (CAST(:backoff AS interval[]))[greatest(attempts, 1)],
        state = CASE WHEN state = 'stopping' THEN 'stopped'
            WHEN attempts >= :attempts THEN 'failed' ELSE state END,
        finished_at = CASE WHEN state = 'running' AND attempts >= :attempts
            THEN clock_timestamp() END
"""
_POSTPONE_ONE = text(f"{_POSTPONE} WHERE id = :id AND lease_token = :token")
_SWEEP = text(
    f"""{_POSTPONE} WHERE id IN (
        SELECT id FROM loyalty.runs
        WHERE state IN ('running', 'stopping') AND lease_until < clock_timestamp()
        FOR NO KEY UPDATE SKIP LOCKED
    ) RETURNING id"""  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is, as people see it; `total` is None where nobody knows it yet."""

    id: int
    kind: str
    state: str
    total: int | None
    done: int
    failed: int
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    arguments: Mapping[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come by itself."""
        return self.state in ("done", "failed", "stopped")


def find_about(session: Session, kind: str, name: str, value: object) -> Standing | None:
    """Return the newest run of `kind` whose argument `name` is `value`."""
    asked = {"kind": kind, "name": name, "value": str(value), "limit": 1}
    row = session.execute(_ABOUT, asked).one_or_none()
    return None if row is None else Standing(*row)


def list_newest(session: Session, kind: str, limit: int) -> list[Standing]:
    """Return up to `limit` runs of `kind`, the newest first."""
    asked = {"kind": kind, "name": None, "value": None, "limit": limit}
    return [Standing(*row) for row in session.execute(_ABOUT, asked)]


def start(
    session: Session,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    created_by: str,
    total: int | None = None,
) -> int:
    """Queue a run of `kind` and return its number; it begins once this transaction is durable.

    `arguments` hold ids only and `created_by` is one (as `staff:17`). Raises `NotIds`.
    """
    rules.check_ids({"created_by": created_by, **arguments})
    number: int = session.execute(
        _START,
        {
            "kind": kind,
            "arguments": json.dumps(dict(arguments)),
            "total": total,
            "created_by": created_by,
        },
    ).scalar_one()
    doorbell.ring_after_commit(session, doorbell.Bell("work", kind))
    return number


def stop(session: Session, run_id: int) -> str:
    """Ask a run to stop after its present chunk; return the state it is in then.

    A run that has ended keeps its state. Raises `NotFound`.
    """
    session.execute(_STOP, {"id": run_id})
    return _state(session, run_id)


def resume(session: Session, run_id: int) -> str:
    """Let a stopped, paused or failed run go on where it stood; return its state.

    A run in any other state keeps it. Raises `NotFound`.
    """
    kind = session.execute(_RESUME, {"id": run_id}).scalar()
    if kind is not None:
        doorbell.ring_after_commit(session, doorbell.Bell("work", kind))
    return _state(session, run_id)


def claim(session: Session, kind: str, lease: timedelta) -> Run | None:
    """Lease the run of `kind` that waits longest, or return None. Commit at once."""
    row = session.execute(
        _CLAIM,
        {"kind": kind, "lease": lease, "token": uuid4(), "attempts": rules.RUN_ATTEMPTS},
    ).first()
    return None if row is None else _next(session, row.id, row.lease_token)


def refresh(session: Session, run: Run) -> Run | None:
    """Return `run` as its next chunk should see it; None where it is not to go on with me."""
    return _next(session, run.id, run.lease_token)


def record(session: Session, run: Run, progress: Progress, lease: timedelta) -> None:
    """Write what a chunk did, in the chunk's own transaction, and extend the lease.

    Raises `Orphaned` where the lease passed to somebody else: the chunk must not last.
    """
    if progress.cursor is not None:
        rules.check_ids(progress.cursor)
    state = {Done: "done", Paused: "paused"}.get(type(progress), "running")
    row = session.execute(
        _RECORD,
        {
            "id": run.id,
            "token": run.lease_token,
            "done": progress.done,
            "failed": progress.failed,
            "total": progress.total,
            "cursor": None if progress.cursor is None else json.dumps(progress.cursor),
            "lease": lease,
            "state": state,
        },
    ).first()
    if row is None:
        raise Orphaned(f"run {run.id}")
    session.execute(
        _CHUNK,
        {
            "id": run.id,
            "chunk_no": row.chunks,
            "done": progress.done,
            "failed": progress.failed,
        },
    )


def release(session: Session, run: Run) -> str | None:
    """Give `run` back between two chunks; return its state, or None where it was not mine."""
    state: str | None = session.execute(_RELEASE, {"id": run.id, "token": run.lease_token}).scalar()
    return state


def postpone(session: Session, run: Run, error: str) -> None:
    """Try the chunk again later, or fail the run after too many attempts without progress."""
    session.execute(_POSTPONE_ONE, {"id": run.id, "token": run.lease_token, **_postponement(error)})


def sweep(session: Session) -> int:
    """Open runs again whose worker went away; return how many."""
    return len(session.execute(_SWEEP, _postponement("lease expired")).all())


def _postponement(error: str) -> dict[str, Any]:
    return {"error": error, "backoff": list(rules.BACKOFF), "attempts": rules.RUN_ATTEMPTS}


def _next(session: Session, run_id: int, token: object) -> Run | None:
    row = session.execute(_NEXT, {"id": run_id, "token": token}).mappings().first()
    return None if row is None else Run(**row)


def _state(session: Session, run_id: int) -> str:
    state = session.execute(_STATE, {"id": run_id}).scalar()
    if state is None:
        raise NotFound
    return str(state)
