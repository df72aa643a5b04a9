"""What the doors kept for a while goes by night, in chunks; what is still needed stays."""

import psycopg
import pytest

from loyalty import outbox
from loyalty.database import transaction
from loyalty.outbox import jobs as outbox_jobs
from loyalty.outbox import registry
from loyalty.staff import jobs
from tests.servers import Database

OLD, FRESH = 7, 2

KEPT = {
    "idempotency_keys": (
        "INSERT INTO loyalty.idempotency_keys (caller, key, request_digest, created_at)"
        " SELECT 'system:x', %(age)s || n, '', now() - %(age)s::interval"
        " FROM generate_series(1, %(many)s) n"
    ),
    "browser_sessions": (
        "INSERT INTO loyalty.browser_sessions (digest, kind, subject_id, device, ends_at)"
        " SELECT sha256((%(age)s || n)::bytea), 'staff', 1, '', now() - %(age)s::interval"
        " FROM generate_series(1, %(many)s) n"
    ),
    "sign_in_attempts": (
        "INSERT INTO loyalty.sign_in_attempts (subject, tries, since)"
        " SELECT sha256((%(age)s || n)::bytea), 1, now() - %(age)s::interval"
        " FROM generate_series(1, %(many)s) n"
    ),
}


def test_a_night_deletes_all_that_is_old_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 3)
    with psycopg.connect(database.superuser_url) as connection:
        for insert in KEPT.values():
            connection.execute(insert, {"age": "100 days", "many": OLD})
            connection.execute(insert, {"age": "0 seconds", "many": FRESH})
    with transaction() as session:
        number = outbox.start_run(session, jobs.FORGETTING, {}, created_by="job:test")
    outbox_jobs.work(jobs.FORGETTING)
    with psycopg.connect(database.superuser_url) as connection:
        for table in KEPT:
            left = connection.execute(f"SELECT count(*) FROM loyalty.{table}").fetchone()
            assert left == (FRESH,), table
        run = connection.execute(
            "SELECT state, done, chunks FROM loyalty.runs WHERE id = %s", [number]
        ).fetchone()
    assert run == ("done", OLD * len(KEPT), 3)


def test_the_night_is_on_the_clock() -> None:
    registry.load()
    assert registry.schedules()["web.forgetting_due"] == outbox.Daily(hour=3)
