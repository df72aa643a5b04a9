"""Coupons: a million issued beside COPY of the same rows; redeeming over HTTP beside a ping."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text

from bench.callers import Call
from bench.http import _Browser
from bench.importing import _save, _sql
from ledger import checkpoints
from loyalty import coupons, outbox, partners, programmes, staff, vault
from loyalty.coupons import (
    batches,
    jobs,  # noqa: F401 - registers what makes the coupons
)
from loyalty.coupons.series import Series
from loyalty.database import engine, transaction
from loyalty.programmes import Programme
from loyalty.settings import settings
from loyalty.staff.models import Client
from loyalty.web import Caller, ids

BENCH = Caller.job("bench")
TERMS: dict[str, Any] = {
    "names": {"zh": "测试券", "en": "Bench"},
    "conditions": {"zh": "测试", "en": "For benchmarks"},
    "value": {"kind": "amount", "amount": 100_000, "basis_points": None},
    "minimum": 0,
    "categories": [],
    "partners": [],
    "outlets": [],
    "validity": {"starts_at": None, "ends_at": None, "days": 30, "weekdays": [], "hours": None},
    "limits": {"total": None, "day": None, "customer": None, "uses_per_day": None},
    "budget": 10**13,
    "stackable": False,
    "bound": False,
    "refundable": True,
    "divisible": True,
    "claimable": False,
    "short_code": False,
    "ours": 8_000,
}


def open_series() -> tuple[Programme, Series]:
    """Open a programme with a series that has budget enough."""
    vault.create_keys(settings().keys)
    checkpoints.create_sealing_key(settings().keys)
    with transaction() as session:
        programme = programmes.open_programme(session, "bench", name_zh="测试", name_en="Bench")
        since = datetime.now(UTC) - timedelta(days=1)
        coupons.add_version(
            session, programme, "bench", TERMS, effective_from=since, agreed_as="bench"
        )
    with transaction() as session:
        return programme, coupons.find_series(session, programme, "bench")


def issue_batch(size: int) -> float:
    """Return the seconds that a batch takes from its order to its last coupon.

    Codes are drawn, digested and sealed, the budget is reserved, the run keeps its progress.
    """
    _, series = open_series()
    started = time.perf_counter()
    with transaction() as session:
        batch = batches.start_batch(session, series, "bench", size, "bench")
    state = "queued"
    while state not in ("done", "failed", "stopped"):
        outbox.advance(batches.KIND, 10)
        with transaction() as session:
            state = batches.find_batch(session, batch.id).state
    seconds = time.perf_counter() - started
    with transaction() as session:
        made: int = session.execute(text("SELECT count(*) FROM loyalty.coupons")).scalar_one()
    if (state, made) != ("done", size):
        raise RuntimeError(f"the batch is {state} with {made:,} coupons")
    return seconds


def copy_again(url: str) -> float:
    """Return the seconds of a COPY of the same rows into the same table, emptied before."""
    table = "loyalty.coupons"
    with psycopg.connect(url, autocommit=True) as connection:
        blocks, _ = _save(connection, table)
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE loyalty.coupon_events DISABLE TRIGGER USER")
        connection.execute("ALTER TABLE loyalty.reward_claims DISABLE TRIGGER USER")
        connection.execute("ALTER TABLE loyalty.reward_outcomes DISABLE TRIGGER USER")
        connection.execute(sql.SQL("TRUNCATE loyalty.coupons CASCADE"))
        connection.execute("SET session_replication_role = origin")
        started = time.perf_counter()
        with connection.cursor().copy(_sql("COPY {} FROM STDIN (FORMAT binary)", table)) as copy:
            for block in blocks:
                copy.write(block)
        return time.perf_counter() - started


def _open_till(code: str) -> tuple[int, str]:
    """Open a partner with an outlet and a system; return the system's number and the outlet."""
    with transaction() as session:
        partner = partners.open_partner(session, BENCH, code, name_zh="测试", name_en="Bench")
        outlet = partners.open_outlet(
            session, BENCH, partner, "main", name_zh="店", name_en="Shop", address="—"
        )
        scopes = ["coupons:check", "coupons:redeem"]
        client = partners.add_credential(session, BENCH, partner, code, scopes)
    return client, ids.encode("otl", outlet)


def build_world(count: int, shops: int) -> dict[str, Any]:
    """Set up `shops` partners with a till each, and coupons to redeem at any of them."""
    programme, series = open_series()
    tills = [_open_till(f"bench{number}") for number in range(shops)]
    with transaction() as session:
        batch = batches.start_batch(session, series, "bench", count, "bench")
    outbox.advance(batches.KIND, 120)
    with transaction() as session:
        codes, after = [], 0
        while found := batches.read_codes(session, batch.id, after):
            codes += [code for _, code, _ in found]
            after = found[-1][0]
        tokens = [
            (staff.issue_client_token(session.get_one(Client, client)).token, outlet)
            for client, outlet in tills
        ]
    engine().dispose()
    return {"token": tokens[0][0], "tills": tokens, "codes": codes, "programme": programme.code}


def call_redeem(*, port: int, tills: list[tuple[str, str]], codes: list[str], **_: Any) -> Call:
    """Return a call that redeems one coupon after the other and undoes nothing.

    Callers stand at one of the tills each. A coupon of the series can be used a fen at a time,
    so no round runs out of coupons.
    """
    browsers = [(_Browser(port, token), outlet) for token, outlet in tills]
    lock = threading.Lock()
    prefix, numbers = uuid.uuid4().hex[:12], itertools.count()
    turn = itertools.cycle(random.sample(range(len(codes)), len(codes)))

    def call(caller: int) -> int:
        with lock:
            place, key = next(turn), f"{prefix}-{next(numbers)}"
        browser, outlet = browsers[caller % len(browsers)]
        body = {
            "reference": key,
            "outlet_id": outlet,
            "coupons": [codes[place]],
            "basket": [{"amount": 1}],
        }
        browser.send(
            "POST", "/v1/coupons/redemptions", json.dumps(body), **{"Idempotency-Key": key}
        )
        return 1

    return call
