"""HTTP under gunicorn: reading points and reporting a purchase, beside an empty route."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.callers import Call
from ledger import checkpoints
from loyalty import customers, points, programmes, staff, tiers, vault
from loyalty.customers import NewCustomer
from loyalty.database import engine, transaction
from loyalty.points import NewPurchase
from loyalty.settings import settings
from loyalty.tiers import Ladder, Tier
from loyalty.web import Caller, ids

CUSTOMERS = 2_000
LADDER = Ladder(
    (
        Tier("standard", "普通", "Standard", 0),
        Tier("gold", "金卡", "Gold", 2_000),
        Tier("platinum", "白金卡", "Platinum", 5_000),
        Tier("diamond", "钻石卡", "Diamond", 10_000),
    )
)


@contextmanager
def serve(environ: dict[str, str]) -> Iterator[int]:
    """Run the application under gunicorn as in production, and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "loyalty/web/gunicorn.py", "wsgi:app"],
        env={**os.environ, **environ, "QUANYI_ENV": "production", "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the server did not become ready")


class _Browser:
    """One kept-alive connection for each thread."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._local = threading.local()

    def send(self, method: str, path: str, body: str | None = None, **headers: str) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            self._local.connection = connection
        connection.request(method, path, body, {**self._headers, **headers})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")


def call_ping(*, port: int, token: str, **_: Any) -> Call:
    """Return a call of the route that does nothing but check a token."""
    browser = _Browser(port, token)

    def call(_: int) -> int:
        browser.send("GET", "/v1/ping")
        return 1

    return call


def call_points(*, port: int, token: str, customers: list[str], **_: Any) -> Call:
    """Return a call that reads the points of one customer after the other."""
    browser, turn = _Browser(port, token), itertools.cycle(customers)

    def call(_: int) -> int:
        browser.send("GET", f"/v1/customers/{next(turn)}/points")
        return 1

    return call


def call_purchase(*, port: int, token: str, references: list[str], **_: Any) -> Call:
    """Return a call that reports one purchase of one customer after the other."""
    browser, turn = _Browser(port, token), itertools.cycle(references)
    prefix, numbers = uuid.uuid4().hex[:12], itertools.count()
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    def call(_: int) -> int:
        key = f"{prefix}-{next(numbers)}"
        purchase = {"reference": key, "customer": next(turn), "purchased_at": at, "amount": 1299}
        browser.send(
            "POST",
            "/v1/purchases",
            json.dumps({"purchases": [purchase]}),
            **{"Idempotency-Key": key},
        )
        return 1

    return call


def build_world() -> dict[str, Any]:
    """Set up a programme with customers who have points, and a client's token."""
    vault.create_keys(settings().keys)
    checkpoints.create_sealing_key(settings().keys)
    with transaction() as session:
        programme = programmes.open_programme(session, "bench", name_zh="测试", name_en="Bench")
        rule = points.propose_rule(
            session,
            programme,
            code="base",
            document={"gives": "per_amount", "points": 1, "per": 100, "expiry": {"months": 24}},
            effective_from=datetime(1990, 1, 1, tzinfo=UTC),
            proposed_by="a",
        )
        points.decide_rule(session, rule, "approved", decided_by="b")
        tiers.create_ladder(session, programme, LADDER)
    references = [f"{number:05}" for number in range(CUSTOMERS)]
    with transaction() as session:
        found = customers.register(session, [NewCustomer(reference=r) for r in references])
        at = datetime.now(UTC) - timedelta(days=2)
        points.record_purchases(
            session,
            programme,
            "seed",
            [NewPurchase(f"seed-{r}", r, at, 5_000) for r in references],
        )
        scopes = ["points:read", "purchases:write"]
        client, _ = staff.add_client(session, Caller.job("bench"), "bench", scopes)
        token = staff.issue_client_token(client)
    engine().dispose()
    return {
        "token": token.token,
        "references": references,
        "customers": [ids.encode("cus", one.customer_id or 0) for one in found],
    }
