"""Imports over the API: open, send, look, apply, follow; and only by those who may."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from loyalty import staff
from loyalty.database import transaction
from loyalty.points import import_api
from loyalty.web import ids
from tests.points.builders import World
from tests.points.filing import HEADER, LAYOUT, ROWS, csv_text, finish
from tests.staff.conftest import add_account

OCTETS = "application/octet-stream"


class Sender:
    """A client that sends files."""

    def __init__(self, client: FlaskClient, name: str, scope: str = "imports:write") -> None:
        add_account(name, [scope])
        with transaction() as session:
            token = staff.issue_client_token(staff.find_client(session, name)).token
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
        self._keys = 0

    def post(self, path: str, body: Any = None) -> Any:
        self._keys += 1
        headers = {**self._headers, "Idempotency-Key": f"key-{self._keys:08}"}
        return self._client.post(path, json=body, headers=headers)

    def put(self, path: str, content: bytes, content_type: str = OCTETS) -> Any:
        return self._client.put(
            path, data=content, headers=self._headers, content_type=content_type
        )

    def get(self, path: str) -> Any:
        return self._client.get(path, headers=self._headers)

    def open(self, **more: Any) -> str:
        answer = self.post("/v1/imports", {"layout": LAYOUT, **more})
        assert answer.status_code == 201, answer.json
        return f"/v1/imports/{answer.json['import_id']}"


@pytest.fixture
def bank(world: World, application: FlaskClient) -> Sender:
    return Sender(application, "bank")


def number(path: str) -> int:
    return ids.decode("imp", path.rpartition("/")[2])


def test_a_file_goes_all_the_way(bank: Sender) -> None:
    path = bank.open(source="pos")
    content = csv_text([*ROWS, ("00001", "2026-02-30", "1"), ("00009", "2026-01-01", "2")])
    staged = bank.put(f"{path}/file", content.encode())
    assert staged.status_code == 200, staged.json
    assert staged.json["state"] == "staged"
    assert staged.json["rows"] == {"total": 5, "sound": 4, "faulty": 1, "amount": "11929"}
    assert staged.json["foreseen"] == {"on_record": 0, "changed": 0, "unknown_customers": 1}
    applied = bank.post(f"{path}/apply")
    assert (applied.status_code, applied.json["state"]) == (202, "queued")
    finish(number(path))
    done = bank.get(path).json
    assert done["state"] == "done"
    assert done["applied"] == {"recorded": 3, "replayed": 0, "refused": 1, "points": "116"}
    errors = bank.get(f"{path}/errors")
    assert errors.headers["Content-Disposition"].startswith("attachment;")
    lines = errors.get_data(as_text=True).lstrip("\ufeff").splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["5", "day", "date"],
        ["6", "customer", "unknown-customer"],
    ]


def test_an_import_stops_and_resumes(bank: Sender) -> None:
    path = bank.open()
    assert bank.post(f"{path}/stop").status_code == 409
    assert bank.post(f"{path}/apply").json["type"].endswith("/not-staged")
    bank.put(f"{path}/file", csv_text(ROWS).encode())
    bank.post(f"{path}/apply")
    assert bank.post(f"{path}/stop").json["state"] == "stopped"
    assert bank.post(f"{path}/resume").json["state"] == "queued"
    assert finish(number(path)).recorded == 3


def test_an_import_takes_one_file(bank: Sender) -> None:
    path = bank.open()
    assert bank.put(f"{path}/file", csv_text(ROWS).encode()).status_code == 200
    assert bank.put(f"{path}/file", csv_text(ROWS).encode()).status_code == 409


def test_a_file_that_cannot_be_read_says_where_and_why_and_may_be_sent_anew(bank: Sender) -> None:
    path = bank.open()
    answer = bank.put(f"{path}/file", csv_text(ROWS, ("customer", "day", "sum")).encode())
    assert answer.status_code == 422
    (error,) = answer.json["errors"]
    assert (error["row"], error["column"], error["code"]) == ("1", "amount", "missing-column")
    assert bank.put(f"{path}/file", csv_text(ROWS).encode()).status_code == 200


def test_another_system_sees_nothing_of_it(bank: Sender, application: FlaskClient) -> None:
    other = Sender(application, "other")
    path = bank.open()
    bank.put(f"{path}/file", csv_text(ROWS).encode())
    assert other.get(path).status_code == 404
    assert other.get(f"{path}/errors").status_code == 404
    assert other.put(f"{path}/file", b"x").status_code == 404
    for act in ("apply", "stop", "resume"):
        assert other.post(f"{path}/{act}").status_code == 404


def test_the_list_goes_page_by_page_and_shows_a_system_its_own(
    bank: Sender, application: FlaskClient
) -> None:
    other = Sender(application, "other")
    paths = [bank.open() for _ in range(3)]
    other.open()
    first = bank.get("/v1/imports?limit=2").json
    rest = bank.get(f"/v1/imports?limit=2&cursor={first['next_cursor']}").json
    shown = [one["import_id"] for one in (*first["items"], *rest["items"])]
    assert shown == [path.rpartition("/")[2] for path in reversed(paths)]
    assert rest["next_cursor"] is None
    assert first["items"][0] == bank.get(paths[2]).json
    assert len(other.get("/v1/imports").json["items"]) == 1


def test_systems_cannot_use_up_each_others_numbers(bank: Sender, application: FlaskClient) -> None:
    other = Sender(application, "other")
    layout = {"columns": {**LAYOUT["columns"], "reference": "no"}}
    for sender, amount in ((other, "1"), (bank, "2")):
        path = sender.open(layout=layout, source="pos")
        row = ("n1", "00001", "2026-01-01", amount)
        sender.put(f"{path}/file", csv_text([row], ("no", *HEADER)).encode())
        sender.post(f"{path}/apply")
        assert finish(number(path)).recorded == 1


def test_the_scope_is_needed(world: World, application: FlaskClient) -> None:
    reader = Sender(application, "reader", "points:read")
    assert reader.post("/v1/imports", {"layout": LAYOUT}).status_code == 403
    assert reader.get("/v1/imports/imp_0000000000001").status_code == 403


def test_a_file_larger_than_the_limit_is_refused(bank: Sender) -> None:
    path = bank.open()
    answer = bank.put(f"{path}/file", bytes(import_api.LARGEST_FILE + 1))
    assert answer.status_code == 413


def test_only_octets_are_taken(bank: Sender) -> None:
    path = bank.open()
    answer = bank.put(f"{path}/file", b"--x\r\n" * 100_000, "multipart/form-data; boundary=x")
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "layout",
    [
        {"columns": {"customer": "a", "purchased_at": "b"}},
        {**LAYOUT, "dates": "%Y"},
        {**LAYOUT, "encoding": "utf-7"},
        {**LAYOUT, "what": 1},
    ],
    ids=str,
)
def test_a_layout_that_makes_no_sense_is_refused(bank: Sender, layout: dict[str, Any]) -> None:
    assert bank.post("/v1/imports", {"layout": layout}).status_code == 422
