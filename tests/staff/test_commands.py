"""Operations add people and systems by command; a secret is shown once; no tokens in production."""

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from loyalty.commands import main
from loyalty.settings import settings
from tests.servers import Database
from tests.staff.conftest import Account, ping_with, token_for


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


def test_a_client_is_added_and_can_get_a_token(client: FlaskClient) -> None:
    said = dict(
        line.split() for line in run("staff", "add-client", "till", "--scope", "points:read")
        .output.splitlines()
    )  # fmt: skip
    account = Account(1, said["client_id"], said["client_secret"])
    assert ping_with(client, token_for(client, account)) == 200
    again = run("staff", "add-client", "till")
    assert (again.exit_code, "name-taken" in again.output) == (1, True)


def test_people_are_added_with_roles_that_fit(database: Database) -> None:
    unit = run("staff", "add-unit", "Head office", "--kind", "head_office").output.strip()
    added = run("staff", "add", "li", "--name", "李四", "--unit", unit, "--role", "viewer")
    assert added.output.startswith("stf_")
    assert run("staff", "grant", "li", "security_admin").exit_code == 0
    refused = run("staff", "grant", "li", "branch")
    assert (refused.exit_code, "roles-conflict" in refused.output) == (1, True)


def test_tokens_for_trying_out(client: FlaskClient) -> None:
    run("staff", "add-client", "till", "--scope", "points:read")
    for words in (("--customer", "cus_0000000000007"), ("--client", "till")):
        assert ping_with(client, run("token", *words).output.strip()) == 200
    assert run("token", "--client", "nobody").exit_code == 1
    assert run("token", "--customer", "7").exit_code == 1
    assert run("token").exit_code == 2


def test_production_prints_no_token(database: Database, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QUANYI_ENV", "production")
    settings.cache_clear()
    refused = run("token", "--customer", "cus_0000000000007")
    assert (refused.exit_code, "production" in refused.output) == (1, True)


def test_migrating_a_migrated_database_changes_nothing(database: Database) -> None:
    assert run("migrate").exit_code == 0


def test_a_bad_setting_is_a_sentence(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "sqlite://")
    environment.delenv("OWNER_DATABASE_URL", raising=False)
    settings.cache_clear()
    refused = run("migrate")
    assert (refused.exit_code, "DATABASE_URL" in refused.output) == (1, True)
