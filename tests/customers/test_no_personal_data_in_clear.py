"""Nothing of a person stands in clear anywhere: not in tables, Redis, logs, files or answers."""

from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
import redis
from flask.testing import FlaskClient
from psycopg import sql

from loyalty.settings import settings
from loyalty.web import ids
from tests.customers.conftest import bearer, erase_by_two
from tests.servers import Database, Servers

NAME, PHONE, EMAIL, BIRTHDAY = "金丝雀小姐", "18617654321", "canary@bird.example", "1987-03-09"
CANARIES = (NAME, PHONE, PHONE[3:], EMAIL, EMAIL.upper(), BIRTHDAY, "金丝雀")


def live_through_everything(client: FlaskClient) -> str:
    """Call every route with the canary, wrong calls included; return the customer's id."""
    person = {
        "reference": "X-1",
        "name": NAME,
        "phone": PHONE,
        "email": EMAIL,
        "birthday": BIRTHDAY,
    }
    made = client.post("/v1/customers", json={"customers": [person]}, headers=bearer("bank", "k1"))
    cus: str = made.get_json()["customers"][0]["customer_id"]
    kept = [
        made,
        client.post("/v1/customers", json={"customers": [person]}, headers=bearer("bank", "k1")),
        client.post(
            "/v1/customers",
            json={"customers": [{**person, "name": NAME + "二"}]},
            headers=bearer("bank", "k2"),
        ),
        client.post(
            "/v1/customers",
            json={"customers": [{**person, "reference": f"X {PHONE}", "email": NAME}]},
            headers=bearer("bank", "k3"),
        ),
        client.post(
            "/v1/customers/search",
            json={"phone": PHONE, "purpose": "complaint"},
            headers=bearer("support"),
        ),
        client.post(
            "/v1/customers/search",
            json={"phone": PHONE, "purpose": NAME},
            headers=bearer("support"),
        ),
        client.get(f"/v1/customers/{cus}", headers=bearer("bank")),
        client.post(
            f"/v1/customers/{cus}/tokens", json={"scopes": ["points:read"]}, headers=bearer("bank")
        ),
    ]
    revealed = client.post(
        f"/v1/customers/{cus}/reveal", json={"purpose": "complaint"}, headers=bearer("support")
    )
    assert revealed.get_json()["name"] == NAME
    for response in kept:
        for canary in CANARIES:
            assert canary not in response.get_data(as_text=True)
    return cus


def find_in_tables(database: Database) -> list[tuple[str, str]]:
    """Return table and canary for every row of every table that shows one, also in bytes."""
    found = []
    with psycopg.connect(database.superuser_url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 20
        for names in tables:
            rows = connection.execute(
                sql.SQL("SELECT kept::text FROM {} AS kept").format(sql.Identifier(*names))
            ).fetchall()
            text = "\n".join(row[0] for row in rows)
            found += [
                (".".join(names), canary)
                for canary in CANARIES
                if canary in text or canary.encode().hex() in text
            ]
    return found


def test_the_scan_would_find_a_canary(database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("CREATE TABLE loyalty.leak (a text, b bytea)")
        connection.execute("INSERT INTO loyalty.leak VALUES (%s, %s)", [PHONE, NAME.encode()])
    assert ("loyalty.leak", PHONE) in find_in_tables(database)
    assert ("loyalty.leak", NAME) in find_in_tables(database)


def test_no_table_shows_the_person(client: FlaskClient, database: Database) -> None:
    live_through_everything(client)
    assert find_in_tables(database) == []


def test_what_is_kept_of_a_request_cannot_be_guessed_without_the_key(
    client: FlaskClient, database: Database
) -> None:
    """A plain digest of a known form with one unknown phone number is found in seconds."""
    body = f'{{"customers": [{{"reference": "X-1", "phone": "{PHONE}"}}]}}'.encode()
    headers = {**bearer("bank", "k1"), "Content-Type": "application/json"}
    assert client.post("/v1/customers", data=body, headers=headers).status_code == 201
    plain = sha256()
    for part in (b"POST", b"/v1/customers?", body):
        plain.update(len(part).to_bytes(8, "big"))
        plain.update(part)
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute("SELECT request_digest FROM loyalty.idempotency_keys").fetchone()
    assert row is not None
    assert row[0] != plain.digest()


def test_nothing_outside_the_database_shows_the_person(
    client: FlaskClient,
    servers: Servers,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    cus = live_through_everything(client)
    assert erase_by_two(client, cus).status_code == 200
    shown = "".join(capfd.readouterr())
    with redis.Redis.from_url(settings().redis_url) as server:
        assert server.dbsize() == 0
    for path in (*tmp_path.rglob("*"), *Path(servers.folder).glob("*.log")):
        if path.is_file():
            shown += path.read_text(errors="replace")
    assert str(ids.decode("cus", cus)) in shown
    assert [canary for canary in CANARIES if canary in shown] == []
