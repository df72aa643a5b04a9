"""Reports: a statement that proves itself to anyone, and a liability that adds up."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from ledger.checkpoints import create_sealing_key
from loyalty.commands import main
from loyalty.settings import CHECKOUT, settings
from loyalty.web import ids
from tests.callers import Client, add_system, problem
from tests.points.builders import World, purchase, recorded, spend

NOW = datetime.now(UTC).date()
AROUND_NOW = {"since": str(NOW - timedelta(days=2)), "until": str(NOW + timedelta(days=2))}


@pytest.fixture
def bank(world: World, application: FlaskClient) -> Client:
    return add_system(application, "points:read", "liability:read")


def verify(statement: Path) -> subprocess.CompletedProcess[str]:
    key = settings().keys / "sealing-public.pem"
    program = [sys.executable, "-I", str(CHECKOUT / "ledger" / "verifier")]
    asked = ["--statement", str(statement), "--public-key", str(key)]
    return subprocess.run([*program, *asked], capture_output=True, text=True, check=False)


def test_a_statement_proves_itself_to_the_verifier_and_a_changed_one_does_not(
    world: World, bank: Client, tmp_path: Path
) -> None:
    recorded(world, purchase("p1", 12_345))
    spend(world, "s1", 23)
    create_sealing_key(settings().keys)
    assert CliRunner().invoke(main, ["seal"]).exit_code == 0
    customer = ids.encode("cus", world.customers["00001"])
    answer = bank.get(f"/v1/customers/{customer}/signed-statement")
    assert answer.status_code == 200
    statement = tmp_path / "statement.json"
    statement.write_bytes(answer.data)
    good = verify(statement)
    assert good.returncode == 0, good.stdout + good.stderr
    document = json.loads(answer.data)
    assert len(document["entries"]) == 2
    statement.write_bytes(answer.data.replace(b'"amount":123', b'"amount":923'))
    assert verify(statement).returncode == 1


def test_the_liability_adds_up(world: World, bank: Client) -> None:
    recorded(world, purchase("p1", 10_000))
    spend(world, "s1", 40)
    code = world.programme.code
    answer = bank.get(f"/v1/programmes/{code}/liability", **AROUND_NOW).get_json()
    assert (answer["earned"], answer["redeemed"], answer["closing"]) == (100, 40, 60)
    assert answer["opening"] + answer["earned"] - answer["redeemed"] == answer["closing"]
    assert sum(month["points"] for month in answer["outstanding"]) == 60


@pytest.mark.parametrize(
    ("since", "until"), [("2026-02-02", "2026-02-01"), ("2020-01-01", "2026-01-01")]
)
def test_a_period_that_makes_no_sense_is_refused(
    world: World, bank: Client, since: str, until: str
) -> None:
    path = f"/v1/programmes/{world.programme.code}/liability"
    assert problem(bank.get(path, since=since, until=until)) == (422, "invalid-period")
