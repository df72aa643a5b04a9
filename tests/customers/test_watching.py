"""Looking customers up in a loop comes to an end and to light; so does reading a canary."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import text

from loyalty.customers.commands import customers_group
from loyalty.customers.rules import NewCustomer
from loyalty.customers.watching import MOST_AN_HOUR
from loyalty.database import transaction
from tests.customers.conftest import WANG, bearer, register
from tests.customers.test_customer_api import public_id, trail

CANARY = NewCustomer(reference="C-0009", name="金丝雀", phone="13900000009")


def search(client: FlaskClient, name: str, reference: str = "B-0001") -> Any:
    body = {"reference": reference, "purpose": "complaint"}
    return client.post("/v1/customers/search", json=body, headers=bearer(name))


def reveal(client: FlaskClient, name: str, number: int) -> Any:
    path = f"/v1/customers/{public_id(number)}/reveal"
    return client.post(path, json={"purpose": "complaint"}, headers=bearer(name))


def set_count(actor: str, count: int, hours_ago: int = 0) -> None:
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO loyalty.look_ups (actor_id, hour, count) VALUES (:actor,"
                " date_trunc('hour', clock_timestamp()) - make_interval(hours => :ago), :count)"
            ),
            {"actor": actor, "ago": hours_ago, "count": count},
        )


def alerts() -> list[tuple[str, Any]]:
    with transaction() as session:
        rows = session.execute(
            text("SELECT topic, payload FROM loyalty.outbox WHERE topic = 'alerts.raised'")
        )
        return [tuple(row) for row in rows]


def test_a_loop_of_look_ups_is_stopped_told_of_and_kept(client: FlaskClient) -> None:
    number = register(WANG)[0]
    set_count("stf_0000000000001", MOST_AN_HOUR - 4)
    answers = []
    for attempt in range(7):
        looked = search(client, "support") if attempt % 2 else reveal(client, "support", number)
        answers.append(looked)
    assert [one.status_code for one in answers] == [200] * 4 + [429] * 3
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 3_600
    assert refused.get_json()["type"].endswith("/too-many-look-ups")
    assert "王" not in refused.get_data(as_text=True)
    ((actor, subject, detail),) = trail("alert.look_ups_spent")
    assert (actor, subject, detail) == (
        "stf_0000000000001",
        "stf_0000000000001",
        {"count": MOST_AN_HOUR},
    )
    assert alerts() == [("alerts.raised", {"alert": "alert.look_ups_spent"})]
    denied = [detail for _, _, detail in trail("access.denied")]
    assert {"problem": "too-many-look-ups"} in denied
    assert search(client, "head").status_code == 200


def test_many_at_once_get_no_more(client: FlaskClient) -> None:
    register(WANG)
    set_count("stf_0000000000001", MOST_AN_HOUR - 5)
    with ThreadPoolExecutor(8) as pool:
        looked = pool.map(lambda _: search(client, "support").status_code, range(20))
    assert sorted(looked) == [200] * 5 + [429] * 15


def test_a_look_up_that_is_refused_counts_too(client: FlaskClient) -> None:
    register(WANG)
    set_count("stf_0000000000001", MOST_AN_HOUR - 2)
    answers = [reveal(client, "support", 999_999 + attempt).status_code for attempt in range(4)]
    assert answers == [404, 404, 429, 429]
    assert len(trail("alert.look_ups_spent")) == 1


def test_the_next_hour_begins_anew(client: FlaskClient) -> None:
    register(WANG)
    set_count("stf_0000000000001", MOST_AN_HOUR, hours_ago=1)
    assert search(client, "support").status_code == 200


def test_systems_are_not_counted_as_people_are(client: FlaskClient) -> None:
    register(WANG)
    set_count("cli_0000000000001", MOST_AN_HOUR)
    assert search(client, "bank").status_code == 200


def test_whoever_reads_a_canary_is_told_of_and_does_not_notice(client: FlaskClient) -> None:
    number, plain = register(CANARY, WANG)
    placed = CliRunner().invoke(customers_group, ["canary", "C-0009"])
    assert placed.output == f"{public_id(number)} is a canary.\n"
    assert trail("canary.placed")[0][1] == public_id(number)
    assert search(client, "support").status_code == reveal(client, "head", plain).status_code == 200
    assert trail("alert.canary_read") == []
    found = search(client, "support", "C-0009")
    assert found.status_code == 200
    assert len(found.get_json()["customers"]) == 1
    assert reveal(client, "head", number).get_json()["name"] == "金丝雀"
    assert search(client, "bank", "C-0009").status_code == 200
    assert [(actor, subject) for actor, subject, _ in trail("alert.canary_read")] == [
        ("stf_0000000000001", public_id(number)),
        ("stf_0000000000002", public_id(number)),
        ("cli_0000000000001", public_id(number)),
    ]
    assert len(alerts()) == 3
    unknown = CliRunner().invoke(customers_group, ["canary", "nobody"])
    assert unknown.exit_code == 1
