"""The statement that asks about an audience says of each customer what the gate itself says.

A random population has every kind of will, stop, wish and fitness; for each of its customers the
set-based outcome, primary reason and every rule that fires equal those of the pure `decide`.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import judging, rules
from campaigns.audience import Audience
from campaigns.judging import Case
from loyalty import consent, criteria, messages, policy
from loyalty.database import transaction
from loyalty.messages import consents, deciding
from tests.campaigns.builders import EVERYBODY, WORDS, House, build_house
from tests.servers import Database

SIZE = 400
PACK = policy.load_pack(policy.SHIPPED.read_text("utf-8"))
SEPARATELY = (
    ("financial-info-for-marketing", 0),
    ("sensitive-data", 0),
    ("partner-sharing", 3),
    ("cross-border", 0),
)
NOW = datetime.now(UTC)
PURPOSES = text("SELECT id, code FROM loyalty.consent_purposes")
STATE = text("""
INSERT INTO loyalty.consent_states (customer_id, purpose_id, channel, partner_id, status,
    since_seq, notice_id, separate, whole_channel, guardian, mechanism, expires_at)
VALUES (:customer, :purpose, :channel, 0, :status, :seq, :notice, false, :whole, :guardian,
    :mechanism, :expires)
""")
SEPARATE = text("""
INSERT INTO loyalty.consent_states (customer_id, purpose_id, channel, partner_id, status,
    since_seq, notice_id, separate, whole_channel, guardian, mechanism, expires_at)
VALUES (:customer, :purpose, 'NONE', :partner, :status, 1, NULL, true, false, false, 'BRANCH',
    :expires)
""")
FIT = text("""
INSERT INTO loyalty.eligibility (customer_id, risk_grade, risk_assessed_at, age_band, capacity,
    open_complaints, restricted, deceased, distress)
VALUES (:customer, :grade, :assessed, :age, :capacity, :complaints, :restricted, :deceased,
    :distress)
""")
STOP = text("""
INSERT INTO loyalty.suppressions (customer_id, contact_digest, scope, scope_value, reason, source,
    reference, actor_id, starts_at, ends_at)
VALUES (:customer, :digest, :scope, :value, :reason, 'test', :reference, 'test', :starts, :ends)
RETURNING id
""")
END = text("""
INSERT INTO loyalty.suppression_ends (suppression_id, reason, actor_id) VALUES (:id, 'x', 'test')
""")
WISH = text("""
INSERT INTO loyalty.contact_preferences (customer_id, version, weekly_cap, topics_off, hours_from,
    hours_until, personalisation_off, actor_id)
VALUES (:customer, :version, :cap, '{}', :since, :until, :off, 'test')
""")
POINT = text("""
INSERT INTO loyalty.contact_points (customer_id, kind, value, digest, verified_at,
    ownership_checked_at, dead_reason)
VALUES (:customer, :kind, '\\x00', :digest, :verified, :checked, :dead)
""")
NOTICE = text("""
INSERT INTO loyalty.consent_notices (purpose_id, version, material_version, body_zh, body_en,
    sha256_zh, sha256_en, fields, approved_by, effective_from)
VALUES (:purpose, :version, :material, 'x', 'x', sha256('x'), sha256('x'), '{}', 'test', :since)
RETURNING id
""")
TAKEN = text("""
SELECT customer_id, array_agg(reserved_at) AS places FROM loyalty.frequency_reservations
WHERE state IN ('COMMITTED', 'UNKNOWN') GROUP BY customer_id
""")


@pytest.fixture
def people(database: Database) -> House:
    """Many customers of whom everything is known at random."""
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    house = build_house(build().test_client(), size=SIZE)
    chance = random.Random(7)
    with transaction() as session:
        bank = session.scalars(text("SELECT id FROM loyalty.organisation_units LIMIT 1")).one()
        for code in messages.SEPARATELY:
            consent.open_purpose(
                session, code, name_zh=code, name_en=code, controller_id=bank, is_marketing=False
            )
        ids = {row.code: row.id for row in session.execute(PURPOSES)}
        notices = [
            session.execute(
                NOTICE,
                {
                    "purpose": ids["offers"],
                    "version": version,
                    "material": version,
                    "since": NOW + timedelta(days=version - 3),
                },
            ).scalar_one()
            for version in (2, 5)  # the last is not in force yet
        ]
        notices.append(house.notice)
        for member in house.members.values():
            invent(session, chance, member.customer_id, ids, notices)
    take_places(database, chance, [member.customer_id for member in house.members.values()])
    return house


def take_places(database: Database, chance: random.Random, customers: list[int]) -> None:
    """Have messages gone to some of them in the days before tomorrow's noon."""
    places = (
        (
            number,
            customer,
            chance.choice(("COMMITTED", "UNKNOWN", "RELEASED", "RESERVED")),
            NOW + timedelta(hours=24 - chance.randrange(220)),
            NOW,  # by now, whoever had only reserved a place lost it
        )
        for number, customer in enumerate(chance.choices(customers, k=SIZE), start=1)
    )
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("SET session_replication_role = replica")  # no decisions behind them
        connection.cursor().executemany(
            "INSERT INTO loyalty.frequency_reservations (decision_id, customer_id, state,"
            " reserved_at, expires_at) VALUES (%s, %s, %s, %s, %s)",
            list(places),
        )


def invent(
    session: Session, chance: random.Random, customer: int, ids: dict[str, int], notices: list[int]
) -> None:
    """Write what is known of one customer."""
    for code, partner in SEPARATELY:
        if chance.random() < 0.7:
            session.execute(
                SEPARATE,
                {
                    "customer": customer,
                    "purpose": ids[code],
                    "partner": partner,
                    "status": chance.choice(("GRANTED", "GRANTED", "GRANTED", "WITHDRAWN")),
                    "expires": chance.choice((None, None, NOW)),
                },
            )
    for purpose in (number for code, number in ids.items() if code not in messages.SEPARATELY):
        for channel in ("IN_APP", "EMAIL", "SMS"):
            if chance.random() < 0.7:
                against = chance.random() < 0.2
                session.execute(
                    STATE,
                    {
                        "customer": customer,
                        "purpose": purpose,
                        "channel": channel,
                        "status": chance.choice(("REFUSED", "WITHDRAWN"))
                        if against
                        else chance.choice(("GRANTED",) * 8 + ("PENDING", "EXPIRED", "OPEN")),
                        "seq": chance.randrange(1, 100),
                        "notice": chance.choice(notices),
                        "whole": against and chance.random() < 0.5,
                        "expires": chance.choice((None, NOW + timedelta(days=30), NOW)),
                        "guardian": chance.random() < 0.3,
                        "mechanism": chance.choice(("APP", "APP", "IMPORT", "SELF_FORM")),
                    },
                )
    if chance.random() < 0.5:
        session.execute(
            FIT,
            {
                "customer": customer,
                "grade": chance.choice((None, 1, 2, 3, 4, 5)),
                "assessed": chance.choice((None, NOW, NOW - timedelta(days=400))),
                "age": chance.choice((None, "UNDER_14", "UNDER_18", "ADULT", "FROM_65")),
                "capacity": chance.choice((None, "FULL", "FULL", "LIMITED", "NONE")),
                "complaints": chance.choice((0, 0, 0, 1)),
                "restricted": chance.random() < 0.1,
                "deceased": chance.random() < 0.1,
                "distress": chance.random() < 0.2,
            },
        )
    digest = customer.to_bytes(32, "big")
    for kind in ("EMAIL", "PHONE"):
        if chance.random() < 0.6:
            session.execute(
                POINT,
                {
                    "customer": customer,
                    "kind": kind,
                    "digest": digest + kind.encode(),
                    "verified": chance.choice((None, NOW, NOW, NOW - timedelta(days=500))),
                    "checked": chance.choice((None, NOW, NOW - timedelta(days=400))),
                    "dead": chance.choice((None, None, None, "bounced")),
                },
            )
    for place in range(chance.choice((0, 0, 0, 0, 1, 2))):
        suppress(session, chance, customer, digest, place)
    for version in range(1, chance.choice((1, 1, 2, 3))):
        hours = chance.choice(
            ((None, None), (time(9), time(12)), (time(22), time(6)), (time(20), time(10)))
        )
        session.execute(
            WISH,
            {
                "customer": customer,
                "version": version,
                "cap": chance.choice((None, 0, 1, 5)),
                "since": hours[0],
                "until": hours[1],
                "off": chance.random() < 0.2,
            },
        )


def suppress(
    session: Session, chance: random.Random, customer: int, digest: bytes, place: int
) -> None:
    scope, value = chance.choice(
        (
            ("ALL", None),
            ("CHANNEL", "EMAIL"),
            ("CHANNEL", "IN_APP"),
            ("PURPOSE", "offers"),
            ("PURPOSE", "news"),
            ("TOPIC", "cars"),
            ("CONTACT_POINT", None),
        )
    )
    by_contact = scope == "CONTACT_POINT" or chance.random() < 0.2
    written = session.execute(
        STOP,
        {
            "customer": None if by_contact else customer,
            "digest": digest + b"EMAIL" if by_contact else None,
            "scope": scope,
            "value": value,
            "reason": chance.choice(("opt-out", "bounce", "legal-hold", "complaint")),
            "reference": f"{customer}-{place}",
            "starts": NOW - timedelta(days=1),
            "ends": chance.choice((None, NOW + timedelta(days=1), NOW - timedelta(hours=1))),
        },
    ).scalar_one()
    if chance.random() < 0.2:
        session.execute(END, {"id": written})


def case_for(house: House, at: datetime, **changed: Any) -> Case:
    """Return what is asked of everybody, but for what is said."""
    parsed = criteria.parse(EVERYBODY, judging.choose.__globals__["CATALOGUE"], criteria.MARKETING)
    whole: dict[str, Any] = {
        "salt": b"0123456789abcdef",
        "control": 0,
        "arms": [rules.Arm("a", 1), rules.Arm("b", 2)],
        "channels": ["in_app"],
        "purpose": "offers",
        "sells": True,
        "at": at,
        "pack": PACK,
        **changed,
    }
    return Case(audience=Audience(house.programme, "standard", parsed, NOW), **whole)


def gate_says(session: Session, case: Case, channel: str, ids: list[int]) -> dict[int, Any]:
    """Return the gate's own verdict of each customer, one by one."""
    known = consent.read_snapshot(session, ids, purpose="offers", channel=channel.upper())
    release = {
        "id": 1,
        "digest": "d",
        "approval": "a",
        "terms": {**case.terms.as_json(), "templates": ["t"], "pack": PACK.version},
        "starts_at": (case.at - timedelta(days=1)).isoformat(),
        "expires_at": (case.at + timedelta(days=1)).isoformat(),
    }
    taken = {row.customer_id: row.places for row in session.execute(TAKEN)}
    verdicts = {}
    for number, snapshot in known.items():
        point = snapshot.contact
        kind = consent.CONTACT_OF[channel.upper()]
        reached = kind is None or (point is not None and point.dead_reason is None)
        inputs = {
            **consents.facts(snapshot),
            "at": case.at.isoformat(),
            "policy": {"version": PACK.version, "digest": PACK.sha256.hex()},
            "optout": {"is_ok": True, "checked_at": case.at.isoformat()},
            "request": {
                "requested_at": (NOW + timedelta(minutes=5)).isoformat(),
                "expires_at": (case.at + timedelta(days=1)).isoformat(),
                "channel": channel,
                "origin": "cmp_1",
                "origin_digest": "d",
                "zone": case.audience.programme.zone_name,
            },
            "sender": {"name": "银行", "ports": ["MARKETING", "SERVICE"]},
            "template": {
                "class": "marketing" if case.sells else "service",
                "purpose": "offers",
                "digest": "t",
                "offers": [],
            },
            "contact": {
                **deciding.contact_facts(None, snapshot),
                "digest": "c" if reached else None,
            },
            "content": {
                "digest": "x" if reached else None,
                "is_composed": True,
                "subject": "广告",
                "texts": [],
                "signature": "银行",
                "contact_line": "95500",
                "has_optout": True,
            },
            "release": release,
            "stops": [],
            "frequency": {"taken": [at.isoformat() for at in taken.get(number, [])]},
        }
        verdicts[number] = messages.decide(inputs, case.at, PACK)
    return verdicts


def noon(house: House, hour: int = 12) -> datetime:
    tomorrow = datetime.now(house.programme.zone) + timedelta(days=1)
    return tomorrow.replace(hour=hour, minute=0, second=0, microsecond=0)


WEALTH = {"category": "wealth", "risk_grade": 2}
CREDIT = {"category": "credit", "risk_grade": None}


@pytest.mark.parametrize(
    ("channel", "hour", "changed"),
    [
        ("in_app", 12, {}),
        ("in_app", 23, {}),
        ("email", 12, {}),
        ("sms", 7, {}),
        ("in_app", 12, {"facts": WEALTH}),
        ("email", 12, {"facts": CREDIT}),
        ("email", 23, {"sells": False}),
        ("in_app", 12, {"separately": SEPARATELY[:2]}),
        ("sms", 12, {"separately": SEPARATELY[2:], "facts": {**WEALTH, "risk_grade": 1}}),
        ("in_app", 12, {"caps": {"day": 1, "week": 1}}),
        ("in_app", 12, {"quiet": ("10:00", "16:00")}),
        ("email", 19, {"quiet": ("22:00", "11:00"), "caps": {"day": 1, "week": 2}}),
        ("in_app", 19, {"quiet": ("08:00", "21:00")}),
    ],
)
def test_both_say_the_same_of_everybody(
    people: House, channel: str, hour: int, changed: dict[str, Any]
) -> None:
    case = case_for(people, noon(people, hour), channels=[channel], **changed)
    outcomes = {"ALLOW": "sendable", "DENY": "excluded", "DEFER": "deferred"}
    with transaction() as session:
        ids = sorted(member.customer_id for member in people.members.values())
        due = gate_says(session, case, channel, ids)
        assert judging.judge(session, case, 1, 0, max(ids)) == SIZE
        found = session.execute(text("SELECT * FROM campaigns.preview_members")).all()
    wrong = []
    for row in found:
        verdict = due[row.customer_id]
        firing = [name for name, said in verdict.results.items() if said in ("fires", "unanswered")]
        told = (outcomes[verdict.verdict], verdict.primary_rule, sorted(firing))
        if (row.outcome, row.primary_rule, sorted(row.rules)) != told:
            wrong.append((row.customer_id, row.outcome, row.primary_rule, row.rules, told))
    assert not wrong, wrong[:5]
    # Where it is quiet for everybody nobody may be written to; else some may.
    is_quiet = hour in (7, 23) or changed.get("quiet") in (("10:00", "16:00"), ("08:00", "21:00"))
    is_rare = is_quiet or "facts" in changed or "separately" in changed
    assert {row.outcome for row in found} >= ({"excluded"} if is_rare else {"excluded", "sendable"})
    assert (
        not is_quiet
        or not changed.get("sells", True)
        or "sendable" not in {row.outcome for row in found}
    )


def test_arms_are_those_of_the_pure_rule(people: House) -> None:
    case = case_for(people, noon(people), control=3_000)
    bounds = case.control, case.arms
    with transaction() as session:
        judging.judge(session, case, 1, 0, 10**9)
        found = session.execute(text("SELECT * FROM campaigns.preview_members")).all()
    for row in found:
        assert row.arm == rules.arm_of(rules.part_of(case.salt, row.customer_id), *bounds)
        assert (row.outcome == "control") == (row.arm == "control")
    assert {row.arm for row in found} == {"control", "a", "b"}


@pytest.mark.parametrize("control", [0, 3_000])
def test_every_preview_adds_up_with_each_customer_once(people: House, control: int) -> None:
    """Acceptance 9, over a population of which everything is known at random."""
    words = {"zh": {"body": "活动"}, "en": {"body": "Campaign"}}
    contents = {"in_app": WORDS, "email": WORDS, "sms": words}
    draft = people.draft(
        channels=["email", "sms", "in_app"],
        variants=[{"name": name, "weight": 1, "contents": contents} for name in ("a", "b")],
        control_parts=control,
    )
    found = people.preview(draft)
    counted = found["sendable"] + found["control"] + found["deferred"]
    assert found["total"] == counted + sum(found["excluded"].values()) == SIZE
    assert sum(found["arms"].values()) == SIZE
    assert (found["control"] > 0) == (control > 0)
    with transaction() as session:
        members = session.execute(
            text(
                "SELECT outcome, primary_rule, count(*) FROM campaigns.preview_members"
                " GROUP BY outcome, primary_rule"
            )
        ).all()
    by_rule = {row[1]: row[2] for row in members if row[0] == "excluded"}
    assert by_rule == found["excluded"]
    assert all((row[1] is None) == (row[0] == "sendable") or row[0] == "control" for row in members)
