"""Callers get their due of requests a minute, counted over all processes, and never more."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from flask.testing import FlaskClient

from loyalty.local.valkey import Valkey
from loyalty.settings import BadSetting, read_rates
from loyalty.web import Caller, Kind, Refused, health
from loyalty.web.app import create_app
from loyalty.web.rates import FRACTION, Rates, Standing
from tests.servers import forget_connections
from tests.web.conftest import CALLERS, NOWHERE, bearer, examples, verify

ANN = Caller(Kind.CUSTOMER, "cus_0000000000007")
BOB = Caller(Kind.CUSTOMER, "cus_0000000000008")
BANK = Caller(Kind.SYSTEM, "cli_0000000000001")
DUE = 120
NOON = 60_000_000.0


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON + 15

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def processes(redis_server: Valkey, clock: Clock) -> list[Rates]:
    """Three processes that count in the same Redis."""
    return [Rates({"customer": DUE}, redis_server.url(), clock) for _ in range(3)]


def admitted(rates: Rates, caller: Caller, times: int) -> int:
    """Return how many of so many requests are let through."""
    count = 0
    for _ in range(times):
        try:
            rates.admit(caller)
        except Refused as refusal:
            assert refusal.code == "too-many-requests"
        else:
            count += 1
    return count


def test_all_processes_together_let_a_caller_through_as_often_as_is_due(
    processes: list[Rates],
) -> None:
    counts = [admitted(rates, ANN, 50) for rates in processes]
    assert counts == [50, 50, 20]
    assert sum(admitted(rates, ANN, 1) for rates in processes) == 0
    assert admitted(processes[0], BOB, 3) == 3


def test_threads_of_many_processes_get_no_more(processes: list[Rates]) -> None:
    with ThreadPoolExecutor(9) as pool:
        counts = pool.map(lambda n: admitted(processes[n % 3], ANN, 30), range(9))
    assert sum(counts) == DUE


def test_the_next_minute_begins_anew(processes: list[Rates], clock: Clock) -> None:
    assert admitted(processes[0], ANN, DUE + 1) == DUE
    clock.now = NOON + 59.9
    assert admitted(processes[0], ANN, 1) == 0
    clock.now = NOON + 60
    assert admitted(processes[0], ANN, DUE + 1) == DUE


def test_what_is_left_and_until_when_is_said(processes: list[Rates]) -> None:
    assert processes[0].admit(ANN) == Standing("customer", DUE, DUE - 1, 45)
    standing = processes[0].admit(ANN)
    assert standing is not None
    assert standing.headers() == [
        ("RateLimit-Policy", '"customer";q=120;w=60'),
        ("RateLimit", '"customer";r=118;t=45'),
    ]
    admitted(processes[0], ANN, DUE)
    with pytest.raises(Refused) as refused:
        processes[0].admit(ANN)
    assert refused.value.headers["Retry-After"] == "45"
    assert refused.value.headers["RateLimit"] == '"customer";r=0;t=45'
    assert processes[0].admit(BANK) is None


def test_most_requests_ask_nobody_and_refused_ones_do_neither(
    processes: list[Rates], redis_server: Valkey
) -> None:
    with redis.Redis.from_url(redis_server.url()) as server:

        def asked() -> int:
            return int(server.info("commandstats")["cmdstat_incrby"]["calls"])

        admitted(processes[0], ANN, 40)
        assert asked() == 20
        admitted(processes[0], ANN, 1_000)
        assert asked() == DUE // 2
        (key,) = server.keys("quanyi:rate:*")
        assert 0 < server.ttl(key) <= 120


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_without_redis_each_process_gives_a_fraction_and_nobody_waits(
    processes: list[Rates], redis_server: Valkey, number: signal.Signals
) -> None:
    os.kill(redis_server.pid, number)  # gone, or there and silent
    assert admitted(processes[0], ANN, DUE) == DUE // FRACTION
    assert admitted(processes[1], ANN, DUE) == DUE // FRACTION
    assert admitted(processes[1], BOB, 1) == 1
    if number == signal.SIGSTOP:
        os.kill(redis_server.pid, signal.SIGCONT)


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """An application whose customers may call three times a minute."""
    environment.setenv("DATABASE_URL", NOWHERE)
    environment.setenv("QUANYI_RATES", "customer=3 staff=0")
    forget_connections()
    yield create_app([examples(), health.blueprint], verify=verify).test_client()


def test_a_caller_who_comes_too_often_is_told_when_to_come_again(client: FlaskClient) -> None:
    path = "/v1/customers/me/things"
    answers = [client.get(path, headers=bearer("ann")) for _ in range(5)]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 200, 429, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"customer";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"customer";r=2;t=')
    refused = answers[-1]
    assert refused.get_json()["type"].endswith("/too-many-requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers.getlist("RateLimit-Policy") == ['"customer";q=3;w=60']
    other = client.get("/v1/customers/cus_0000000000007/things", headers=bearer("bank"))
    assert (other.status_code, other.headers["RateLimit-Policy"]) == (200, '"system";q=60000;w=60')


def test_a_kind_without_a_rate_and_the_public_are_not_counted(client: FlaskClient) -> None:
    assert CALLERS["auditor"].kind == Kind.STAFF
    for path, caller in (("/v1/secrets", "auditor"), ("/livez", "")):
        answer = client.get(path, headers=bearer(caller) if caller else {})
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


def test_rates_are_read_from_the_environment_or_stop_the_start(
    environment: pytest.MonkeyPatch,
) -> None:
    assert read_rates({})["customer"] == 120
    assert read_rates({"QUANYI_RATES": "customer=7 partner=0"}) == {
        "system": 60_000,
        "staff": 600,
        "customer": 7,
    }
    assert read_rates({"QUANYI_RATES": "off"}) == {}
    for wrong in ("customer", "customer=-1", "customer=１", "robot=5", "customer=1,staff=2"):
        with pytest.raises(BadSetting, match="QUANYI_RATES"):
            read_rates({"QUANYI_RATES": wrong})
