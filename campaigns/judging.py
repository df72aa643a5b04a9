"""The gate over a whole audience: the same rules as `messages.decide`, as one statement on sets.

Each rule that depends on the person stands here as an expression in SQL, under the same name and
in the same order as in the gate; a test holds both against each other on random people. What
does not depend on a person (a stop, words that cannot be composed) is looked at once, elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, Select, insert, literal_column, select, text
from sqlalchemy.orm import Session

from campaigns import rules
from campaigns.audience import Audience, choose
from campaigns.models import PreviewMember
from loyalty import consent, messages
from loyalty.customers.models import CustomerRow

# What a person's rules look at, by the names that the statement below gives it.
_EXCLUDES: Mapping[str, str] = {
    "erasure.stop-processing": "restricted",
    "suppress.deceased-or-legal": "deceased",
    "minor.under14": ":sells AND age_band = 'UNDER_14'",
    "minor.no-automated-marketing": ":sells AND :automated AND age_band IN"
    " ('UNDER_14', 'UNDER_18')",
    "suppress.active": "CASE WHEN :sells THEN stops > 0 ELSE hard_stops > 0 END",
    "consent.refused.hard": ":sells AND status IN ('REFUSED', 'WITHDRAWN')",
    "consent.bank-optout-mode": ":sells AND refused_seq > 0 AND NOT"
    " (status IS NOT DISTINCT FROM 'GRANTED' AND since_seq > refused_seq)",
    "consent.marketing.required": ":sells AND status IS DISTINCT FROM 'GRANTED'",
    "notice.version-current": ":sells AND status = 'GRANTED' AND notice_version < :required",
    "contact.known": "NOT is_reached",
    "contact.verified": ":sells AND channel <> 'in_app' AND verified_at IS NULL",
    "suit.risk-match": ":sells AND :is_rated AND (risk_grade IS NULL OR risk_grade < :risk)",
    "suit.assessment-valid": ":sells AND :is_rated AND (risk_assessed_at IS NULL"
    " OR risk_assessed_at < :at - interval '365 days')",
    "suit.age65": ":sells AND :is_rated AND :risk >= 4 AND age_band = 'FROM_65'",
    "suit.capacity": ":sells AND capacity IN ('NONE', 'LIMITED')",
    "auto.off-switch": ":sells AND :automated AND personalisation_off",
    "situation.complaint-open": ":sells AND open_complaints > 0",
    "situation.distress": ":sells AND :is_credit AND distress",
    "time.quiet-hours": ":sells AND no_hours",
    "freq.cap": ":sells AND week = 0",
}
_DEFERS: Mapping[str, str] = {
    "time.quiet-hours": ":sells AND NOT no_hours AND (:is_quiet OR is_unwanted)",
    "freq.cap": ":sells AND week > 0 AND (taken_day >= :day OR taken_week >= week)",
}
_PLACES = {name: place for place, (name, _) in enumerate(messages.RULES)}


def _firing(expressions: Mapping[str, str]) -> str:
    """Return an array, in the gate's order, of the names of those expressions that are true."""
    ordered = sorted(expressions, key=_PLACES.__getitem__)
    cases = ", ".join(f"CASE WHEN {expressions[name]} THEN '{name}' END" for name in ordered)
    return f"array_remove(ARRAY[{cases}], NULL)"


_FACTS = """
SELECT a.customer_id, way.channel, way.place, part.arm,
    coalesce(e.restricted, false) AS restricted, coalesce(e.deceased, false) AS deceased,
    coalesce(e.distress, false) AS distress, coalesce(e.open_complaints, 0) AS open_complaints,
    e.age_band, e.capacity, e.risk_grade, e.risk_assessed_at,
    coalesce(s.stops, 0) AS stops, coalesce(s.hard_stops, 0) AS hard_stops,
    w.status, coalesce(w.since_seq, 0) AS since_seq, coalesce(w.refused_seq, 0) AS refused_seq,
    coalesce(w.notice_version, 0) AS notice_version,
    CASE WHEN way.kind IS NULL THEN true WHEN k.id IS NOT NULL THEN k.dead_reason IS NULL
        ELSE CASE way.kind WHEN 'EMAIL' THEN c.email IS NOT NULL
            ELSE c.phone IS NOT NULL END END AS is_reached,
    k.verified_at, coalesce(p.personalisation_off, false) AS personalisation_off,
    least(coalesce(p.weekly_cap, :week), :week) AS week,
    p.hours_from IS NOT NULL AND p.hours_from <> p.hours_until AND NOT
        CASE WHEN p.hours_from < p.hours_until
            THEN :clock >= p.hours_from AND :clock < p.hours_until
            ELSE :clock >= p.hours_from OR :clock < p.hours_until END AS is_unwanted,
    :is_closed OR p.hours_from IS NOT NULL AND p.hours_from <> p.hours_until
        AND NOT EXISTS (
            SELECT FROM unnest(CAST(:open_from AS time[]), CAST(:open_until AS time[]))
                AS open (first, last)
            WHERE CASE WHEN p.hours_from < p.hours_until
                THEN greatest(p.hours_from, open.first) < least(p.hours_until, open.last)
                ELSE open.first < p.hours_until OR open.last > p.hours_from END) AS no_hours,
    coalesce(t.taken_day, 0) AS taken_day, coalesce(t.taken_week, 0) AS taken_week
FROM audience a
JOIN loyalty.customers c ON c.id = a.customer_id
CROSS JOIN unnest(CAST(:channels AS text[]), CAST(:kinds AS text[])) WITH ORDINALITY
    AS way (channel, kind, place)
CROSS JOIN LATERAL (SELECT sha256(:salt || int8send(a.customer_id)) AS bytes OFFSET 0) AS hash
CROSS JOIN LATERAL (
    SELECT (CAST(:arms AS text[]))[1 + width_bucket(
        ((get_byte(bytes, 0)::bigint << 24) + (get_byte(bytes, 1) << 16)
            + (get_byte(bytes, 2) << 8) + get_byte(bytes, 3)) % :parts,
        CAST(:bounds AS bigint[]))] AS arm
) AS part
LEFT JOIN loyalty.eligibility e ON e.customer_id = a.customer_id
LEFT JOIN (
    SELECT s.customer_id, s.channel,
        max(CASE WHEN s.expires_at <= clock_timestamp() AND s.status IN ('GRANTED', 'PENDING')
            THEN 'EXPIRED' ELSE s.status END)
            FILTER (WHERE s.purpose_id = :purpose AND s.partner_id = 0) AS status,
        max(s.since_seq) FILTER (WHERE s.purpose_id = :purpose AND s.partner_id = 0)
            AS since_seq,
        max(n.material_version) FILTER (WHERE s.purpose_id = :purpose AND s.partner_id = 0)
            AS notice_version,
        max(s.since_seq) FILTER (WHERE s.whole_channel AND q.is_marketing
            AND s.status IN ('REFUSED', 'WITHDRAWN')) AS refused_seq
    FROM loyalty.consent_states s JOIN loyalty.consent_purposes q ON q.id = s.purpose_id
    LEFT JOIN loyalty.consent_notices n ON n.id = s.notice_id
    WHERE s.customer_id > :after AND s.customer_id <= :until AND s.channel = ANY(:upper)
    GROUP BY s.customer_id, s.channel
) w ON w.customer_id = a.customer_id AND w.channel = upper(way.channel)
LEFT JOIN (
    SELECT DISTINCT ON (customer_id, kind) customer_id, kind, id, digest, dead_reason, verified_at
    FROM loyalty.contact_points
    WHERE customer_id > :after AND customer_id <= :until AND digest IS NOT NULL
        AND kind = ANY(:kinds)
    ORDER BY customer_id, kind, dead_reason IS NOT NULL, verified_at IS NULL,
        ownership_checked_at DESC NULLS LAST, id DESC
) k ON k.customer_id = a.customer_id AND k.kind = way.kind
LEFT JOIN LATERAL (
    SELECT count(*) AS stops,
        count(*) FILTER (WHERE f.reason NOT IN ('opt-out', 'complaint', 'customer-wish'))
            AS hard_stops
    FROM loyalty.suppressions f
    WHERE (f.customer_id = a.customer_id AND f.scope <> 'CONTACT_POINT'
            OR f.contact_digest = k.digest)
        AND (f.scope_value IS NULL OR f.scope = 'CHANNEL' AND f.scope_value = upper(way.channel)
            OR f.scope = 'PURPOSE' AND f.scope_value = :purpose_code)
        AND f.starts_at <= clock_timestamp()
        AND (f.ends_at IS NULL OR f.ends_at > clock_timestamp())
        AND NOT EXISTS (SELECT FROM loyalty.suppression_ends x WHERE x.suppression_id = f.id)
) s ON :any_stops
LEFT JOIN (
    SELECT DISTINCT ON (customer_id) customer_id, weekly_cap, hours_from, hours_until,
        personalisation_off
    FROM loyalty.contact_preferences WHERE customer_id > :after AND customer_id <= :until
    ORDER BY customer_id, version DESC
) p ON p.customer_id = a.customer_id
LEFT JOIN (
    SELECT customer_id, count(*) AS taken_week,
        count(*) FILTER (WHERE reserved_at > :at - interval '1 day') AS taken_day
    FROM loyalty.frequency_reservations
    WHERE customer_id > :after AND customer_id <= :until AND reserved_at > :at - interval '7 days'
        AND (state IN ('COMMITTED', 'UNKNOWN')
            OR state = 'RESERVED' AND expires_at > clock_timestamp())
    GROUP BY customer_id
) t ON t.customer_id = a.customer_id
"""
_JUDGED = f"""
SELECT *, CASE WHEN arm = 'control' THEN 'control' WHEN cardinality(denied) > 0 THEN 'excluded'
    WHEN cardinality(deferred) > 0 THEN 'deferred' ELSE 'sendable' END AS outcome
FROM (
    SELECT *, {_firing(_EXCLUDES)} AS denied, {_firing(_DEFERS)} AS deferred
    FROM ({_FACTS}) facts
) fired
"""  # noqa: S608 - expressions of this module
# Where several channels would do, a person is written to by the first that the gate allows.
_ONCE = f"""(
SELECT DISTINCT ON (customer_id) customer_id, outcome, arm, channel,
    coalesce(denied[1], deferred[1]) AS primary_rule, denied || deferred AS rules
FROM ({_JUDGED}) judged
ORDER BY customer_id, cardinality(denied) > 0, cardinality(deferred) > 0, place
) once"""  # noqa: S608 - expressions of this module
_COLUMNS = ("customer_id", "outcome", "arm", "channel", "primary_rule", "rules")
_PURPOSE = text("""
SELECT p.id, p.is_marketing, coalesce(max(n.material_version)
    FILTER (WHERE n.effective_from <= clock_timestamp()), 0) AS required
FROM loyalty.consent_purposes p LEFT JOIN loyalty.consent_notices n ON n.purpose_id = p.id
WHERE p.code = :code GROUP BY p.id
""")
QUIET = (messages.QUIET["from"], messages.QUIET["until"])
_ANY_STOPS = text("SELECT EXISTS (SELECT FROM loyalty.suppressions)")


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked of everybody: a campaign's version at the instant when it would be sent."""

    audience: Audience
    salt: bytes
    control: int
    arms: Sequence[rules.Arm]
    channels: Sequence[str]
    purpose: str | None
    sells: bool
    at: datetime
    facts: Mapping[str, Any] | None = None
    quiet: tuple[str, str] | None = None
    caps: Mapping[str, int] = field(default_factory=dict)

    @property
    def terms(self) -> messages.Terms:
        """What the gate is told of a release of this version, but for its templates."""
        credit = self.facts is not None and self.facts["category"] == "credit"
        return messages.Terms(
            templates=(),
            risk_grade=None if self.facts is None else self.facts["risk_grade"],
            product="credit" if credit else None,
            quiet=self.quiet,
            day=self.caps.get("day"),
            week=self.caps.get("week"),
        )

    @property
    def open_hours(self) -> list[tuple[str, str]]:
        """Return when messages of this version may leave, by the house and by itself."""
        return rules.open_hours([QUIET] if self.quiet is None else [QUIET, self.quiet])

    def cap(self, span: str) -> int:
        """Return how many messages a person may have had in a span: the house's, or fewer."""
        return min(messages.CAPS[span], self.caps.get(span, messages.CAPS[span]))


def judge(session: Session, case: Case, preview_id: int, after: int, until: int) -> int:
    """Write what the gate says of each of the audience between two numbers; return how many."""
    judged: Any = select(literal_column(str(preview_id)), *map(literal_column, _COLUMNS))
    statement: Insert = insert(PreviewMember.__table__).from_select(  # type: ignore[arg-type]
        ["preview_id", *_COLUMNS], _from_audience(judged, case, after, until)
    )
    statement = statement.execution_options(preserve_rowcount=True)
    written = session.execute(statement, parameters(session, case, after, until))
    return int(written.rowcount)  # type: ignore[attr-defined]


def judge_one(session: Session, case: Case, customer_id: int) -> Mapping[str, Any] | None:
    """Return what the gate says of one customer; None for who is not in the audience."""
    judged: Any = select(*map(literal_column, _COLUMNS))
    statement = _from_audience(judged, case, customer_id - 1, customer_id)
    asked = parameters(session, case, customer_id - 1, customer_id)
    found = session.execute(statement, asked).mappings().one_or_none()
    return None if found is None else dict(found)


def _from_audience(judged: Select[Any], case: Case, after: int, until: int) -> Select[Any]:
    audience = choose(case.audience).where(CustomerRow.id > after, CustomerRow.id <= until)
    return judged.select_from(text(_ONCE)).add_cte(audience.cte("audience"))


def parameters(session: Session, case: Case, after: int, until: int) -> dict[str, Any]:
    """Return the values that the statement asks for."""
    bounds = rules.arm_bounds(case.control, case.arms)
    purpose = session.execute(_PURPOSE, {"code": case.purpose}).one_or_none()
    local = case.at.astimezone(case.audience.programme.zone).time().replace(second=0, microsecond=0)
    clock, open_hours, terms = f"{local:%H:%M}", case.open_hours, case.terms
    return {
        "after": after,
        "until": until,
        "at": case.at,
        "clock": local,
        "is_quiet": not any(first <= clock < last for first, last in open_hours),
        "is_closed": not open_hours,
        "open_from": [first for first, _ in open_hours],
        "open_until": [last for _, last in open_hours],
        "day": case.cap("day"),
        "week": case.cap("week"),
        "sells": case.sells,
        "automated": terms.automated,
        "is_rated": terms.risk_grade is not None,
        "risk": terms.risk_grade or 0,
        "is_credit": terms.product == "credit",
        "purpose": 0 if purpose is None else purpose.id,
        "purpose_code": case.purpose or "",
        "required": 0 if purpose is None else purpose.required,
        "channels": list(case.channels),
        "upper": [channel.upper() for channel in case.channels],
        "kinds": [consent.CONTACT_OF[channel.upper()] for channel in case.channels],
        "salt": case.salt,
        "arms": [name for name, _ in bounds],
        "bounds": [bound for _, bound in bounds],
        "parts": rules.PARTS,
        "any_stops": session.execute(_ANY_STOPS).scalar_one(),
    }
