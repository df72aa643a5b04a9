"""Callers with tokens that the application really issues and checks."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from loyalty import staff
from loyalty.database import transaction
from loyalty.web import Caller, ids

ADMIN = Caller.job("test")
_numbers = count(1)


class Client:
    """One caller of the application: sends its token, and a new idempotency key with each write."""

    def __init__(self, application: FlaskClient, token: str, name: str) -> None:
        self.application = application
        self.token = token
        self.name = name

    def get(self, path: str, *, known: str = "", **query: Any) -> TestResponse:
        headers = {**self._headers(), **({"If-None-Match": known} if known else {})}
        return self.application.get(path, query_string=query, headers=headers)

    def post(
        self, path: str, body: Mapping[str, Any], key: str = "", *, match: str = ""
    ) -> TestResponse:
        return self._write("POST", path, body, key, match)

    def put(
        self, path: str, body: Mapping[str, Any], key: str = "", *, match: str = ""
    ) -> TestResponse:
        return self._write("PUT", path, body, key, match)

    def patch(
        self, path: str, body: Mapping[str, Any], key: str = "", *, match: str = ""
    ) -> TestResponse:
        return self._write("PATCH", path, body, key, match)

    def tag(self, path: str) -> str:
        """Return the tag of what the path answers now."""
        return str(self.get(path).headers["ETag"])

    def _write(
        self, method: str, path: str, body: Mapping[str, Any], key: str, match: str
    ) -> TestResponse:
        headers = {**self._headers(), "Idempotency-Key": key or f"key-{next(_numbers)}"}
        if match:
            headers["If-Match"] = match
        return self.application.open(path, method=method, json=body, headers=headers)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept-Language": "en"}


def add_system(application: FlaskClient, *scopes: str) -> Client:
    """Add a system with `scopes` and return it as a caller."""
    with transaction() as session:
        client, _ = staff.add_client(session, ADMIN, f"system-{next(_numbers)}", scopes)
        issued = staff.issue_client_token(client)
        return Client(application, issued.token, ids.encode("cli", client.id))


def add_person(application: FlaskClient, *roles: str) -> Client:
    """Add a member of staff with `roles` and return them as a caller."""
    with transaction() as session:
        unit = staff.add_unit(session, ADMIN, "branch", f"支行 {next(_numbers)}")
        login = f"person-{next(_numbers)}"
        person = staff.add_staff(
            session, ADMIN, login=login, name="李四", unit_id=unit.id, roles=roles
        )
        return Client(application, staff.issue_staff_token(person.id).token, as_staff(person.id))


def as_customer(application: FlaskClient, giver: Client, customer_id: int, *scopes: str) -> Client:
    """Return a customer as a caller, with a token that `giver`'s system would hand out."""
    caller = Caller("system", giver.name, scopes=frozenset(scopes))
    issued = staff.issue_customer_token(caller, customer_id, scopes)
    return Client(application, issued.token, ids.encode("cus", customer_id))


def as_staff(number: int) -> str:
    """Return the public id of a member of staff."""
    return ids.encode("stf", number)


def problem(response: TestResponse) -> tuple[int, str]:
    """Return the status and the code of a refusal."""
    return response.status_code, response.get_json()["type"].rpartition("/")[2]


def pointers(response: TestResponse) -> list[tuple[str, str]]:
    """Return where a refusal points to, with the codes."""
    return [
        (error.get("pointer") or error.get("parameter"), error["code"])
        for error in response.get_json()["errors"]
    ]


def trail(action: str) -> list[tuple[str, str, Any]]:
    """Return who did `action` to what, with the detail, in order."""
    with transaction() as session:
        rows = session.execute(
            text(
                "SELECT actor_id, subject_id, detail FROM loyalty.audit_events"
                " WHERE action = :action ORDER BY id"
            ),
            {"action": action},
        )
        return [(row.actor_id, row.subject_id, row.detail) for row in rows]
