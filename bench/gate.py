"""The gate: decisions a second with one worker, beside the same rows written without thinking."""

from __future__ import annotations

import time

import psycopg

from loyalty import consent, messages
from loyalty.consent import NewEvent
from loyalty.database import transaction
from loyalty.messages import NewRequest
from loyalty.messages.deciding import BATCH
from loyalty.messages.jobs import dispatch_all
from loyalty.settings import settings
from loyalty.vault import create_keys
from tests.messages.builders import (
    CALLER,
    DIGEST,
    MARKETING,
    NEWS,
    POINTS,
    add_customers,
    add_release,
    add_template,
    awake,
)

CUSTOMERS = 2_000
SERVICE, SELLING = POINTS, NEWS

# What a dispatch writes, from rows that are there: the work of the database alone.
RAW = """
WITH again AS (
    INSERT INTO loyalty.decisions (request_id, customer_id, verdict, primary_rule, results, inputs,
        input_digest, consent_seq, notice, template_version_id, content_digest, contact_digest,
        release_id, approval, policy_pack, decided_at, expires_at, defer_until)
    SELECT request_id, customer_id, verdict, primary_rule, results, inputs, input_digest,
        consent_seq, notice, template_version_id, content_digest, contact_digest, release_id,
        approval, policy_pack, decided_at, expires_at, defer_until
    FROM loyalty.decisions WHERE id > %(after)s AND verdict = 'ALLOW' ORDER BY id LIMIT %(limit)s
    RETURNING id, request_id, customer_id, content_digest, contact_digest, decided_at
), permitted AS (
    INSERT INTO loyalty.permits (decision_id, request_id, channel, content_digest,
        contact_digest, mac, issued_at, expires_at)
    SELECT id, request_id, 'in_app', content_digest, contact_digest, content_digest, decided_at,
        decided_at FROM again
), reserved AS (
    INSERT INTO loyalty.frequency_reservations (decision_id, customer_id, reserved_at, expires_at)
    SELECT id, customer_id, decided_at, decided_at FROM again
)
UPDATE loyalty.send_queue q SET due_at = q.due_at FROM again WHERE q.request_id = again.request_id
"""


def fill() -> tuple[list[int], int]:
    """Register customers who agreed to marketing; return their ids and a release."""
    create_keys(settings().keys)
    people = add_customers(CUSTOMERS)
    with transaction() as session:
        purpose = consent.read_purposes(session)["marketing"]
        (notice,) = (
            n for n in consent.read_notices(session).values() if n.purpose_id == purpose.id
        )
    for start in range(0, len(people), 500):
        events = [
            NewEvent(
                customer_id=number,
                purpose="marketing",
                channel="IN_APP",
                action="GRANT",
                mechanism="BRANCH",
                source="bench",
                reference=f"grant-{number}",
                notice_id=notice.id,
                proof={"witness": "stf_1"},
            )
            for number in people[start : start + 500]
        ]
        with transaction() as session:
            consent.record(session, CALLER, events)
    add_template()
    return people, add_release(add_template(MARKETING))


def ask(people: list[int], release: int, round_no: int, template: str) -> None:
    """Ask for a message to each customer, who is free to get one again."""
    with transaction() as session:
        session.connection().exec_driver_sql(
            "UPDATE loyalty.frequency_reservations SET state = 'RELEASED'"
        )
    marketing = template == NEWS
    filling = {"place": "三亚"} if marketing else {"points": "120", "day": "2026-12-31"}
    asked = [
        NewRequest(
            source="bench",
            reference=f"{template}-{round_no}-{number}",
            customer_id=number,
            template=template,
            channel="in_app",
            filling=filling,
            origin_kind="campaign" if marketing else "service",
            origin="cmp_1" if marketing else "",
            origin_digest=DIGEST if marketing else None,
            release_id=release if marketing else None,
            zone=awake(),
        )
        for number in people
    ]
    for start in range(0, len(asked), 500):
        with transaction() as session:
            messages.ask(session, asked[start : start + 500])


def decide() -> float:
    """Decide about all that is due with this one worker; return decisions a second."""
    started = time.perf_counter()
    total = dispatch_all(10_000).total
    return total / (time.perf_counter() - started)


def write_raw(url: str) -> float:
    """Write as many rows as a round does, in transactions of the same size; return the rate."""
    written = 0
    with psycopg.connect(url, autocommit=True) as connection:
        started = time.perf_counter()
        while written < CUSTOMERS:
            connection.execute(RAW, {"after": written, "limit": BATCH})
            written += BATCH
        return written / (time.perf_counter() - started)
