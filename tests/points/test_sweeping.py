"""What lapsed leaves the wallets: by command, every night, and with an import that is stopped."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
from click.testing import CliRunner
from sqlalchemy import text

from loyalty import outbox
from loyalty.commands import main
from loyalty.database import transaction
from loyalty.outbox import Event
from loyalty.points import jobs
from tests.points.builders import BASE, balance, build_world, purchase, record
from tests.points.filing import csv_text, finish, write
from tests.servers import Database

SHORT = {**BASE, "expiry": {"months": 1}}
LONG_SINCE = datetime(2020, 1, 1, tzinfo=UTC)


def test_the_command_sweeps_every_wallet_of_every_unit(database: Database) -> None:
    world = build_world(base=SHORT)
    record(world, purchase("a", 500, at=LONG_SINCE), purchase("b", 700, "00002", at=LONG_SINCE))
    record(world, purchase("c", 900))
    ran = CliRunner().invoke(main, ["expire"])
    assert ran.exit_code == 0, ran.output
    assert balance(world).posted == 9
    assert balance(world, "00002").posted == 0
    again = CliRunner().invoke(main, ["expire"])
    assert "Swept 0 wallets" in again.output


def test_a_sweep_begins_every_night(database: Database) -> None:
    world = build_world(base=SHORT)
    record(world, purchase("a", 500, at=LONG_SINCE))
    now = datetime.now(UTC)
    payload = {"period": "2026-01-01T17:00:00.000000Z"}
    event = Event(1, "points.expiry_due", "schedule", 0, payload, now, 1, uuid4())
    with transaction() as session:
        jobs.start_expiry(session, event)
    outbox.advance(jobs.EXPIRY, 60)
    assert balance(world).posted == 0


def test_an_import_that_is_asked_to_stop_leaves_no_lease_behind(
    database: Database, tmp_path: Path
) -> None:
    build_world()
    rows = [(f"{n % 500:05}", f"2026-01-{n % 28 + 1:02}", "1.00") for n in range(30_000)]
    path = write(tmp_path / "purchases.csv", csv_text(rows))
    words = ["import", "purchases", str(path), "--programme", "sample", "--source", "pos"]
    words += ["--map", "purchased_at=day", "--register-unknown"]
    importing = subprocess.Popen(
        [sys.executable, "-m", "loyalty", *words], stderr=subprocess.PIPE, text=True
    )
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        until = time.monotonic() + 60
        while time.monotonic() < until and importing.poll() is None:
            row = connection.execute("SELECT max(recorded) FROM loyalty.imports").fetchone()
            if row and row[0]:
                break
    importing.send_signal(signal.SIGTERM)
    _, said = importing.communicate(timeout=60)
    assert importing.returncode == 1
    assert "interrupted" in said
    with transaction() as session:
        number, recorded, lease = session.execute(
            text(
                "SELECT i.id, i.recorded, r.lease_until FROM loyalty.imports i"
                " JOIN loyalty.runs r ON r.id = i.run_id"
            )
        ).one()
    assert 0 < recorded < 30_000
    assert lease is None
    assert finish(number).recorded == 30_000
