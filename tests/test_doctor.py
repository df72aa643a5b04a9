"""The doctor finds what is wrong and says what to do; in production the app then stays down."""

import psycopg
import pytest
from click.testing import CliRunner

from loyalty import doctor
from loyalty.commands import main
from loyalty.settings import settings
from tests.servers import Database, forget_connections


def states() -> dict[str, str]:
    return {finding.check: finding.state for finding in doctor.examine()}


def test_a_sound_installation_has_nothing_red(database: Database) -> None:
    red = [finding for finding in doctor.examine() if finding.state == doctor.RED]
    assert [finding for finding in red if not finding.check.startswith("key ")] == []


def test_a_key_that_others_may_read_is_red(database: Database) -> None:
    settings().keys.mkdir(parents=True, exist_ok=True)
    path = settings().keys / "sealing.pem"
    path.write_text("secret")
    path.chmod(0o644)
    assert states()["key sealing.pem"] == doctor.RED
    path.chmod(0o600)
    assert states()["key sealing.pem"] == doctor.GOOD


def test_a_policy_pack_that_our_key_did_not_sign_is_red(database: Database) -> None:
    assert states()["policy pack"] == doctor.WARNING
    assert CliRunner().invoke(main, ["policy", "install"]).exit_code == 0
    assert states()["policy pack"] == doctor.GOOD
    (settings().keys / "policy.pem").chmod(0o644)
    (settings().keys / "policy-public.pem").unlink()
    found = states()
    assert (found["policy key"], found["policy pack"]) == (doctor.RED, doctor.RED)


def test_a_trigger_that_was_switched_off_is_red(database: Database) -> None:
    assert states()["append-only triggers"] == doctor.GOOD
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("ALTER TABLE ledger.transfers DISABLE TRIGGER USER")
    assert states()["append-only triggers"] == doctor.RED


def test_a_power_over_the_past_is_red(database: Database) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("GRANT UPDATE ON ledger.transfers TO quanyi_app")
    assert states()["powers"] == doctor.RED


def test_a_login_that_owns_the_tables_is_red(
    database: Database, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DATABASE_URL", database.superuser_url)
    forget_connections()
    assert states()["login"] == doctor.RED


def test_debug_is_red(database: Database, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FLASK_DEBUG", "1")
    assert states()["debug"] == doctor.RED


def test_production_does_not_start_on_red_and_development_does(
    database: Database, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("FLASK_DEBUG", "1")
    doctor.refuse_to_start_sick()
    environment.setenv("QUANYI_ENV", "production")
    settings.cache_clear()
    with pytest.raises(doctor.Unhealthy, match="FLASK_DEBUG"):
        doctor.refuse_to_start_sick()


def test_the_command_exits_with_1_on_red(
    database: Database, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("FLASK_DEBUG", "1")
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "FLASK_DEBUG" in result.output
