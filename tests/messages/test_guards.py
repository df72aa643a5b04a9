"""What the database refuses, whatever the code does: attempts without leave, decisions by others.

Acceptance 3 of the gate: an attempt with a DENY decision is a database error.
"""

from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.messages.builders import (
    MARKETING,
    NEWS,
    add_customers,
    add_template,
    ask,
    decide,
    rows,
    send,
)
from tests.servers import Database

ATTEMPT = (
    "INSERT INTO loyalty.send_attempts (decision_id, request_id, verdict, permit_id,"
    " permit_expires_at, content_digest, content, gateway, reference)"
    " SELECT d.id, d.request_id, {verdict}, p.id, p.expires_at, p.content_digest, '\\x00', 'hand',"
    " '{reference}' FROM loyalty.decisions d, loyalty.permits p WHERE d.id = {decision}"
)


@pytest.fixture
def decided(both: Database) -> dict[str, int]:
    """The numbers of a decision that allows and of one that denies."""
    known, unknown = add_customers(2)
    add_template()
    ask(known, "r1")
    add_template(MARKETING)
    ask(unknown, "r2", template=NEWS, filling={"place": "三亚"})
    decide()
    return dict(rows(both.superuser_url, "SELECT verdict, id FROM loyalty.decisions"))


def refused(url: str, statement: str, role: str = "") -> psycopg.Error:
    """Return what the database says to a statement."""
    with psycopg.connect(url) as connection, pytest.raises(psycopg.Error) as caught:
        if role:
            connection.execute(f"SET ROLE {role}".encode())
        connection.execute(statement.encode())
    return caught.value


def test_an_attempt_with_a_denial_is_impossible(both: Database, decided: dict[str, int]) -> None:
    """Even for a superuser: by the foreign key, or by the check where the verdict is told true."""
    lying = ATTEMPT.format(verdict="'ALLOW'", decision=decided["DENY"], reference="x")
    assert isinstance(refused(both.superuser_url, lying), errors.ForeignKeyViolation)
    honest = ATTEMPT.format(verdict="d.verdict", decision=decided["DENY"], reference="x")
    assert isinstance(refused(both.superuser_url, honest), errors.CheckViolation)


def test_a_permit_allows_one_attempt(both: Database, decided: dict[str, int]) -> None:
    statement = ATTEMPT.format(verdict="'ALLOW'", decision=decided["ALLOW"], reference="{0}")
    with psycopg.connect(both.superuser_url) as connection:
        connection.execute("SET ROLE quanyi_adapter")
        connection.execute(statement.format("first").encode())
    again = refused(both.superuser_url, statement.format("second"), "quanyi_adapter")
    assert isinstance(again, errors.UniqueViolation)


def test_a_lapsed_permit_allows_nothing(both: Database, decided: dict[str, int]) -> None:
    statement = ATTEMPT.format(verdict="'ALLOW'", decision=decided["ALLOW"], reference="x")
    late = statement.replace("reference)", "reference, at)").replace(
        "'x' FROM", "'x', p.expires_at + interval '1 ms' FROM"
    )
    assert isinstance(refused(both.superuser_url, late, "quanyi_adapter"), errors.CheckViolation)


@pytest.mark.parametrize("role", ["quanyi_app", "quanyi_gate", "quanyi_sealer", "quanyi_auditor"])
def test_only_the_adapter_hands_over(both: Database, decided: dict[str, int], role: str) -> None:
    statement = ATTEMPT.format(verdict="'ALLOW'", decision=decided["ALLOW"], reference="x")
    denied = refused(both.superuser_url, statement, role)
    assert isinstance(denied, errors.InsufficientPrivilege)


@pytest.mark.parametrize("role", ["quanyi_app", "quanyi_adapter", "quanyi_sealer"])
@pytest.mark.parametrize("table", ["decisions", "permits", "frequency_reservations"])
def test_only_the_gate_decides(
    both: Database, decided: dict[str, int], role: str, table: str
) -> None:
    always = "" if table == "frequency_reservations" else " OVERRIDING SYSTEM VALUE"
    statement = f"INSERT INTO loyalty.{table}{always} SELECT * FROM loyalty.{table} WHERE false"
    denied = refused(both.superuser_url, statement, role)
    assert isinstance(denied, errors.InsufficientPrivilege)


@pytest.mark.parametrize("login", ["web_url", "url"])
def test_who_serves_or_works_cannot_become_the_adapter(database: Database, login: str) -> None:
    denied = refused(getattr(database, login), "SET ROLE quanyi_adapter")
    assert isinstance(denied, errors.InsufficientPrivilege)


def test_who_serves_cannot_become_the_gate(database: Database) -> None:
    denied: Any = refused(database.web_url, "SET ROLE quanyi_gate")
    assert isinstance(denied, errors.InsufficientPrivilege)


def test_a_forged_permit_is_not_obeyed(both: Database, decided: dict[str, int]) -> None:
    """Whoever writes a permit without the gate's key has its request decided anew."""
    with psycopg.connect(both.superuser_url) as connection:
        connection.execute("ALTER TABLE loyalty.permits DISABLE TRIGGER USER")
        connection.execute("UPDATE loyalty.permits SET mac = '\\x00'")
    assert send() == 0
    assert rows(both.superuser_url, "SELECT count(*) FROM loyalty.send_attempts") == [(0,)]
    assert decide().allowed == 1
    assert send() == 1
