"""Sending twice takes effect once, over real connections and several processes."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from loyalty.database import transaction
from loyalty.web import ids
from tests.http.conftest import SCOPES
from tests.http.serving import Answer, Web
from tests.ledger.invariants import check_ledger
from tests.points.builders import YESTERDAY, World, balance, record
from tests.points.builders import purchase as new_purchase
from tests.servers import Database
from tests.staff.conftest import Account, add_account, token_for

AT_ONCE = 20
JSON = "application/json"


def purchase(reference: str = "p1", amount: int = 1_000) -> bytes:
    one = {
        "reference": reference,
        "customer": "00001",
        "purchased_at": YESTERDAY.isoformat(),
        "amount": amount,
    }
    return json.dumps({"purchases": [one]}).encode()


def count(table: str) -> int:
    with transaction() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def at_once(send: Callable[[int], Answer]) -> list[Answer]:
    """Return the answers of senders that all begin at the same moment."""
    start = Barrier(AT_ONCE)

    def wait_and_send(number: int) -> Answer:
        start.wait()
        return send(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(wait_and_send, range(AT_ONCE)))


def check_one_effect(answers: list[Answer]) -> None:
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    replayed = [answer for answer in answers if answer.headers.get("Idempotent-Replayed")]
    assert len(replayed) == AT_ONCE - 1


@pytest.fixture
def token(web: Web, bank: Account) -> str:
    return web.token(bank)


def test_a_purchase_sent_twenty_times_at_once_is_one_purchase(
    web: Web, token: str, world: World, database: Database
) -> None:
    answers = at_once(lambda _: web.connect(token).post("/v1/purchases", purchase(), "k1"))
    check_one_effect(answers)
    assert count("loyalty.purchases") == count("loyalty.awards") == 1
    assert balance(world).available == 10
    check_ledger(database)


def test_points_spent_twenty_times_at_once_are_spent_once(
    web: Web, token: str, world: World, database: Database
) -> None:
    record(world, new_purchase("p1", 10_000))
    path = f"/v1/customers/{ids.encode('cus', world.customers['00001'])}/redemptions"
    body = b'{"reference":"r1","points":7}'
    answers = at_once(lambda _: web.connect(token).post(path, body, "k1"))
    check_one_effect(answers)
    assert balance(world).available == 93
    check_ledger(database)


def test_twenty_keys_for_one_purchase_are_one_purchase(
    web: Web, token: str, world: World, database: Database
) -> None:
    answers = at_once(lambda n: web.connect(token).post("/v1/purchases", purchase(), f"k{n}"))
    results: list[dict[str, Any]] = [answer.content["purchases"][0] for answer in answers]
    assert {answer.status for answer in answers} == {201}
    assert sorted(result.pop("outcome") for result in results) == ["known"] * 19 + ["recorded"]
    assert all(result == results[0] for result in results)
    assert count("loyalty.purchases") == 1
    assert balance(world).available == 10
    check_ledger(database)


def test_twenty_keys_for_more_than_there_is_never_overdraw(
    web: Web, token: str, world: World, database: Database
) -> None:
    record(world, new_purchase("p1", 10_000))
    path = f"/v1/customers/{ids.encode('cus', world.customers['00001'])}/redemptions"

    def spend(number: int) -> Answer:
        body = json.dumps({"reference": f"r{number}", "points": 30}).encode()
        return web.connect(token).post(path, body, f"k{number}")

    statuses = sorted(answer.status for answer in at_once(spend))
    assert statuses == [201] * 3 + [409] * 17
    assert balance(world).available == 10
    check_ledger(database)


class Sender:
    """Sends to the application in this process, as `account`."""

    def __init__(self, client: FlaskClient, account: Account) -> None:
        self._client = client
        self._token = token_for(client, account)

    def post(self, path: str, body: bytes, key: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        answer = self._client.post(path, data=body, headers=headers, content_type=JSON)
        return answer.status_code, answer.get_json(force=True)


@pytest.fixture
def sender(client: FlaskClient, bank: Account) -> Sender:
    return Sender(client, bank)


def test_a_key_stands_for_one_request_alone(sender: Sender, world: World) -> None:
    assert sender.post("/v1/purchases", purchase(), "k1")[0] == 201
    for path, body in (
        ("/v1/purchases", purchase(amount=2_000)),
        ("/v1/purchases", purchase() + b" "),
        ("/v1/customers", b'{"customers":[{"reference":"9"}]}'),
    ):
        status, problem = sender.post(path, body, "k1")
        assert status == 422
        assert problem["type"].endswith("/problems/idempotency-key-reused")
    assert balance(world).available == 10
    assert count("loyalty.customers") == len(world.customers)


def test_two_clients_may_use_the_same_key_and_reference(
    sender: Sender, client: FlaskClient, world: World
) -> None:
    other = Sender(client, add_account("other", SCOPES))
    _, first = sender.post("/v1/purchases", purchase(), "k1")
    _, second = other.post("/v1/purchases", purchase(), "k1")
    outcomes = [answer["purchases"][0] for answer in (first, second)]
    assert [outcome["outcome"] for outcome in outcomes] == ["recorded", "recorded"]
    assert outcomes[0]["purchase_id"] != outcomes[1]["purchase_id"]
    assert balance(world).available == 20


def test_a_refused_request_may_be_mended_under_its_key(sender: Sender, world: World) -> None:
    path = f"/v1/customers/{ids.encode('cus', world.customers['00001'])}/redemptions"
    body = b'{"reference":"r1","points":7}'
    record(world, new_purchase("p1", 100))
    assert sender.post(path, body, "k1")[0] == 409
    record(world, new_purchase("p2", 10_000))
    assert sender.post(path, body, "k1")[0] == 201
    assert balance(world).available == 94


def test_a_purchase_sent_again_under_a_new_key_is_the_same_purchase(
    sender: Sender, world: World
) -> None:
    first = sender.post("/v1/purchases", purchase(), "k1")[1]["purchases"][0]
    again = sender.post("/v1/purchases", purchase(), "k2")[1]["purchases"][0]
    assert (first.pop("outcome"), again.pop("outcome")) == ("recorded", "known")
    assert first == again
    status, problem = sender.post("/v1/purchases", purchase(amount=2_000), "k3")
    assert status == 409
    assert problem["type"].endswith("/problems/reference-reused")
    assert balance(world).available == 10


def test_points_spent_again_under_a_new_key_are_spent_once(sender: Sender, world: World) -> None:
    path = f"/v1/customers/{ids.encode('cus', world.customers['00001'])}/redemptions"
    record(world, new_purchase("p1", 10_000))
    body = b'{"reference":"r1","points":7}'
    assert sender.post(path, body, "k1") == sender.post(path, body, "k2")
    assert balance(world).available == 93
    assert sender.post(path, b'{"reference":"r1","points":8}', "k3")[0] == 409
    assert balance(world).available == 93
