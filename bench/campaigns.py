"""A campaign's preview: everybody in the audience through every rule, beside the bare rows.

The sample is written by SQL: so many customers, ten consent events each, and the states that they
fold to. What is measured is the preview as it runs, chunk by chunk, each chunk committed; the
limit is an INSERT … SELECT of the same rows in chunks of the same size, in the same run.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
from sqlalchemy.orm import Session

import ledger
from campaigns import judging, previewing, rules
from campaigns.audience import CATALOGUE, Audience
from campaigns.judging import Case
from loyalty import consent, criteria, policy, programmes, staff, tiers
from loyalty.consent.rules import NOTICE_FIELDS
from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.tiers import Ladder, Tier
from loyalty.web import Caller

BENCH = Caller.job("bench")
PURPOSES = ("offers", "news", "travel", "cards", "events")
EVERYBODY = {"field": "points.balance", "is": "ge", "value": 0}

_PEOPLE = """
WITH people AS (
    INSERT INTO loyalty.customers (reference) SELECT 'B-' || n FROM generate_series(1, {size}) n
    RETURNING id
), points AS (
    INSERT INTO ledger.accounts (unit_id, role, holder)
    SELECT {points}, 'wallet', 'bench:' || id FROM people RETURNING id, holder
), status AS (
    INSERT INTO ledger.accounts (unit_id, role, holder)
    SELECT {status}, 'wallet', 'bench:' || id FROM people RETURNING id, holder
), wallets AS (
    INSERT INTO ledger.wallets (account_id, unit_id)
    SELECT id, {points} FROM points UNION ALL SELECT id, {status} FROM status
)
INSERT INTO loyalty.memberships (customer_id, programme_id, points_wallet_id, status_wallet_id)
SELECT substr(p.holder, 7)::bigint, {programme}, p.id, s.id
FROM points p JOIN status s USING (holder)
"""
# One event for each purpose and channel, so that each state is what its one event comes to.
_EVENTS = """
INSERT INTO loyalty.consent_events (customer_id, purpose_id, channel, action, separate,
    whole_channel, notice_id, mechanism, proof, source, reference, actor_kind, actor_id,
    occurred_at)
SELECT c.id, p.id, w.channel,
    CASE WHEN (c.id * 7 + p.id) % 10 < 7 THEN 'GRANT' ELSE 'REFUSE' END, false, false, n.id,
    'BRANCH', '{"witness": "b"}', 'bench', 'one', 'job', 'bench', now() - interval '90 days'
FROM loyalty.customers c CROSS JOIN unnest(ARRAY['IN_APP', 'SMS']) AS w (channel)
CROSS JOIN loyalty.consent_purposes p JOIN loyalty.consent_notices n ON n.purpose_id = p.id
"""
_STATES = """
INSERT INTO loyalty.consent_states (customer_id, purpose_id, channel, partner_id, status,
    since_seq, notice_id, separate, whole_channel, guardian, mechanism, granted_at, refused_at,
    expires_at)
SELECT customer_id, purpose_id, channel, partner_id,
    CASE action WHEN 'GRANT' THEN 'GRANTED' ELSE 'REFUSED' END, seq, notice_id, separate,
    whole_channel, false, mechanism, CASE action WHEN 'GRANT' THEN occurred_at END,
    CASE action WHEN 'REFUSE' THEN occurred_at END,
    CASE action WHEN 'GRANT' THEN occurred_at + interval '24 months' END
FROM loyalty.consent_events
"""
_FITNESS = """
INSERT INTO loyalty.eligibility (customer_id, age_band, open_complaints, restricted, deceased,
    distress)
SELECT id, 'ADULT', (id % 50 = 0)::int, id % 300 = 0, id % 500 = 0, false FROM loyalty.customers
WHERE id % 3 = 0
"""
_WISHES = """
INSERT INTO loyalty.contact_preferences (customer_id, version, weekly_cap, topics_off,
    personalisation_off, actor_id)
SELECT id, 1, 2, '{}', id % 20 = 0, 'bench' FROM loyalty.customers WHERE id % 4 = 0
"""
_STOPS = """
INSERT INTO loyalty.suppressions (customer_id, scope, reason, source, reference, actor_id,
    starts_at)
SELECT id, 'ALL', 'legal-hold', 'bench', id::text, 'bench', now() - interval '1 day'
FROM loyalty.customers WHERE id % 100 = 0
"""
_AGAIN = """
INSERT INTO campaigns.preview_members (preview_id, customer_id, outcome, arm, channel,
    primary_rule, rules)
SELECT %s, customer_id, outcome, arm, channel, primary_rule, rules
FROM campaigns.preview_members
WHERE preview_id = %s AND customer_id > %s AND customer_id <= %s ORDER BY customer_id
"""


def fill(url: str, size: int) -> Case:
    """Write so many customers, ten consent events each; return what is asked of all of them."""
    with transaction() as session:
        programme = programmes.open_programme(session, "bench", name_zh="测", name_en="Bench")
        ladder = (Tier("standard", "普通", "Standard", 0), Tier("gold", "金", "Gold", 1_000))
        tiers.create_ladder(session, programme, Ladder(ladder, effective_from=ledger.AT_ONCE))
        keys, body = settings().keys, policy.SHIPPED.read_text("utf-8")
        policy.create_policy_key(keys)
        pack = policy.enact(session, keys, body, policy.sign_pack(keys, body), "bench")
        _open_purposes(session)
    numbers = {
        "size": size,
        "points": programme.points_unit_id,
        "status": programme.status_unit_id,
        "programme": programme.id,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_PEOPLE.format(**numbers).encode())
        for statement in (_EVENTS, _STATES, _FITNESS, _WISHES, _STOPS):
            connection.execute(statement.encode())
        connection.execute("VACUUM ANALYZE")
    parsed = criteria.parse(EVERYBODY, CATALOGUE, criteria.MARKETING)
    now = datetime.now(programme.zone)
    return Case(
        audience=Audience(programme, "standard", parsed, datetime.now(UTC)),
        salt=b"0123456789abcdef",
        control=1_000,
        arms=[rules.Arm("a", 1), rules.Arm("b", 1)],
        channels=["in_app"],
        purpose="offers",
        sells=True,
        at=now.replace(hour=12, minute=0, second=0, microsecond=0),
        pack=pack,
    )


def _open_purposes(session: Session) -> None:
    bank = staff.add_unit(session, BENCH, "head_office", "总行")
    told = dict.fromkeys(NOTICE_FIELDS, "x")
    for code in PURPOSES:
        purpose = consent.open_purpose(
            session, code, name_zh=code, name_en=code, controller_id=bank.id
        )
        consent.publish_notice(
            session,
            purpose,
            body_zh="x",
            body_en="x",
            fields={"zh": told, "en": told},
            approved_by="bench",
            material=True,
            effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        )


def preview(case: Case, preview_id: int, size: int) -> float:
    """Ask about everybody as a preview does; return people a second."""
    started, written = time.perf_counter(), 0
    for after, until in _chunks(size):
        with transaction() as session:
            session.execute(previewing.PLAN)
            written += judging.judge(session, case, preview_id, after, until)
    assert written == size, f"{written} of {size}"
    return written / (time.perf_counter() - started)


def write_raw(url: str, of: int, preview_id: int, size: int) -> float:
    """Write the same rows again without a thought; return rows a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        started = time.perf_counter()
        for after, until in _chunks(size):
            connection.execute(_AGAIN.encode(), (preview_id, of, after, until))
        return size / (time.perf_counter() - started)


def memory() -> int:
    """Return the most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _chunks(size: int) -> Iterator[tuple[int, int]]:
    for after in range(0, size, previewing.AT_ONCE):
        yield after, min(after + previewing.AT_ONCE, size)
