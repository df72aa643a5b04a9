"""What the bank tells us of customers' fitness for an offer: facts, and what they come to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.consent.rules import AGE_BANDS, CAPACITIES
from loyalty.consent.subjects import hold_active, lock, touch
from loyalty.web import Caller, NotFound, Refused

_ADD = text("""
INSERT INTO loyalty.eligibility_facts (customer_id, kind, value, as_of, source, reference, actor_id)
VALUES (:customer_id, :kind, :value, coalesce(CAST(:as_of AS timestamptz), clock_timestamp()),
    :source, :reference, :actor_id)
ON CONFLICT DO NOTHING
""")
_NEWEST = text("""
SELECT DISTINCT ON (customer_id, kind) customer_id, kind, value, as_of
FROM loyalty.eligibility_facts WHERE customer_id = ANY(CAST(:ids AS bigint[]))
ORDER BY customer_id, kind, as_of DESC, seq DESC
""")
_FOLLOW = text("""
INSERT INTO loyalty.eligibility (customer_id, risk_grade, risk_assessed_at, age_band, capacity,
    open_complaints, restricted, deceased, distress)
VALUES (:customer_id, :risk_grade, :risk_assessed_at, :age_band, :capacity, :open_complaints,
    :restricted, :deceased, :distress)
ON CONFLICT (customer_id) DO UPDATE SET risk_grade = excluded.risk_grade,
    risk_assessed_at = excluded.risk_assessed_at, age_band = excluded.age_band,
    capacity = excluded.capacity, open_complaints = excluded.open_complaints,
    restricted = excluded.restricted, deceased = excluded.deceased, distress = excluded.distress
""")

VALUES: Mapping[str, frozenset[str]] = {
    "risk_grade": frozenset("12345"),
    "age_band": frozenset(AGE_BANDS),
    "capacity": frozenset(CAPACITIES),
    "open_complaints": frozenset(str(number) for number in range(1000)),
    "restricted": frozenset({"yes", "no"}),
    "deceased": frozenset({"yes", "no"}),
    "distress": frozenset({"yes", "no"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFact:
    """One fact as the bank reports it; `value` is one of `VALUES[kind]`."""

    customer_id: int
    kind: str
    value: str
    source: str
    reference: str
    as_of: datetime | None = None


def add_facts(session: Session, caller: Caller, facts: Sequence[NewFact]) -> None:
    """Keep facts and bring what they come to up to date; the same reference counts once.

    The newest fact of a kind counts, by its `as_of`. Raises `NotFound` where a customer is
    unknown or erased, `Refused` with `not-a-fact`.
    """
    whose = {fact.customer_id for fact in facts}
    if hold_active(session, whose) != whose:
        raise NotFound
    lock(session, whose)
    for fact in facts:
        if fact.value not in VALUES.get(fact.kind, ()):
            raise Refused("not-a-fact")
        own = {name: getattr(fact, name) for name in NewFact.__dataclass_fields__}
        session.execute(_ADD, {**own, "actor_id": caller.id})
    follow_facts(session, whose)
    touch(session, dict.fromkeys(whose, 0))


def follow_facts(session: Session, customer_ids: Collection[int]) -> None:
    """Write what the customers' facts come to."""
    newest: dict[int, dict[str, Any]] = {}
    for row in session.execute(_NEWEST, {"ids": list(customer_ids)}):
        newest.setdefault(row.customer_id, {})[row.kind] = row
    for customer_id, facts in newest.items():
        session.execute(_FOLLOW, {"customer_id": customer_id, **_come_to(facts)})


def _come_to(facts: Mapping[str, Any]) -> dict[str, Any]:
    said = {kind: row.value for kind, row in facts.items()}
    grade = facts.get("risk_grade")
    return {
        "risk_grade": None if grade is None else int(grade.value),
        "risk_assessed_at": None if grade is None else grade.as_of,
        "age_band": said.get("age_band"),
        "capacity": said.get("capacity"),
        "open_complaints": int(said.get("open_complaints", "0")),
        "restricted": said.get("restricted") == "yes",
        "deceased": said.get("deceased") == "yes",
        "distress": said.get("distress") == "yes",
    }
