"""The gate over a whole audience: the same rules as `messages.decide`, as one statement on sets.

Each rule of the pack that depends on the person stands here as an expression in SQL, under the
same name, in the pack's order and with the pack's numbers; a test holds both against each other
on random people. What does not depend on a person (a stop, words that cannot be composed) is
looked at once, elsewhere.
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
from loyalty import consent, messages, policy
from loyalty.customers.models import CustomerRow
from loyalty.policy import Pack

STAGE = "preview"

# What a person's rules look at, by the names that the statement below gives it.
_EXCLUDES: Mapping[str, str] = {
    "erasure.stop-processing": "restricted",
    "minor.under14": ":sells AND age_band = 'UNDER_14' AND NOT guardian",
    "minor.no-automated-marketing": ":sells AND :automated AND age_band IN"
    " ('UNDER_14', 'UNDER_18')",
    "suppress.deceased-or-legal": "deceased OR CASE WHEN :sells THEN stops > 0"
    " ELSE hard_stops > 0 END",
    "consent.no-rename": ":sells AND point_stops > 0",
    "consent.refused.hard": ":sells AND status IN ('REFUSED', 'WITHDRAWN')",
    "consent.bank-optout-mode": ":sells AND refused_seq > 0 AND NOT"
    " (status IS NOT DISTINCT FROM 'GRANTED' AND since_seq > refused_seq)",
    "consent.marketing.required": ":sells AND status IS DISTINCT FROM 'GRANTED'",
    "notice.version-current": ":sells AND status = 'GRANTED' AND notice_version < :required",
    "consent.fin-info-for-marketing": ":sells AND NOT separately @> CAST(:financial AS text[])",
    "consent.separate.sensitive": ":sells AND NOT separately @> CAST(:sensitive AS text[])",
    "consent.separate.third-party": "NOT separately @> CAST(:partners AS text[])",
    "data.cross-border": "NOT separately @> CAST(:abroad AS text[])",
    "consent.import-provenance": ":sells AND mechanism = 'IMPORT' AND since_seq = 0",
    "consent.proof-kept": ":sells AND channel = 'sms' AND since_seq = 0",
    "consent.double-opt-in": ":sells AND channel = 'email' AND mechanism = 'SELF_FORM'"
    " AND status = 'PENDING'",
    "contact.verified": "NOT is_reached OR :sells AND channel <> 'in_app' AND (verified_at IS NULL"
    " OR greatest(verified_at, checked_at) < :at - make_interval(days => :ownership_days))",
    "suit.risk-match": ":sells AND :is_rated AND (risk_grade IS NULL OR risk_grade < :risk)",
    "suit.assessment-valid": ":sells AND :is_rated AND (risk_assessed_at IS NULL"
    " OR risk_assessed_at < :at - make_interval(days => :assessment_days))",
    "suit.age65": ":sells AND :is_rated AND :risk >= :risk_from_65 AND age_band = 'FROM_65'",
    "suit.capacity": ":sells AND :has_product AND (capacity = 'NONE'"
    " OR capacity = 'LIMITED' AND NOT (:risk <= :risk_of_limited AND guardian))",
    "auto.off-switch": ":sells AND :automated AND personalisation_off",
    "situation.complaint-open": ":sells AND open_complaints > 0",
    "situation.distress": ":sells AND :is_credit AND distress",
    "time.quiet-hours": ":sells AND no_hours",
    "freq.cap": ":sells AND week = 0",
}
_DEFERS: Mapping[str, str] = {
    "time.quiet-hours": ":sells AND NOT no_hours AND (is_quiet OR is_unwanted)",
    "freq.cap": ":sells AND week > 0 AND (taken_day >= :day OR taken_week >= week)",
}
_NEVER_HERE = frozenset({"consent.no-nagging"})
"""What the gate asks of a person, but never of a campaign: it is about asking for consent."""


def _firing(pack: Pack, expressions: Mapping[str, str]) -> str:
    """Return an array, in the pack's order, of the names of those expressions that are true.

    Raises `ValueError` where the pack asks something of people that has no expression here.
    """
    asked = {
        rule.id for rule in pack.enforced(STAGE) if policy.is_about_recipient(rule.id)
    } - _NEVER_HERE
    if missing := asked - _EXCLUDES.keys():
        raise ValueError(f"no expression says {sorted(missing)}")
    ordered = sorted(asked & expressions.keys(), key=pack.place)
    cases = ", ".join(f"CASE WHEN {expressions[name]} THEN '{name}' END" for name in ordered)
    return f"array_remove(ARRAY[{cases}]::text[], NULL)"


_FACTS = """
SELECT a.customer_id, way.channel, way.place, part.arm,
    coalesce(e.restricted, false) AS restricted, coalesce(e.deceased, false) AS deceased,
    coalesce(e.distress, false) AS distress, coalesce(e.open_complaints, 0) AS open_complaints,
    e.age_band, e.capacity, e.risk_grade, e.risk_assessed_at,
    coalesce(s.stops, 0) AS stops, coalesce(s.hard_stops, 0) AS hard_stops,
    coalesce(s.point_stops, 0) AS point_stops, coalesce(g.given, '{}') AS separately,
    w.status, coalesce(w.mechanism, '') AS mechanism, coalesce(w.guardian, false) AS guardian,
    coalesce(w.since_seq, 0) AS since_seq, coalesce(w.refused_seq, 0) AS refused_seq,
    coalesce(w.notice_version, 0) AS notice_version,
    CASE WHEN way.kind IS NULL THEN true WHEN k.id IS NOT NULL THEN k.dead_reason IS NULL
        ELSE CASE way.kind WHEN 'EMAIL' THEN c.email IS NOT NULL
            ELSE c.phone IS NOT NULL END END AS is_reached,
    k.verified_at, k.ownership_checked_at AS checked_at,
    coalesce(p.personalisation_off, false) AS personalisation_off,
    least(coalesce(p.weekly_cap, :week), :week) AS week,
    way.channel = ANY(:quiet) AS is_quiet,
    p.hours_from IS NOT NULL AND p.hours_from <> p.hours_until AND NOT
        CASE WHEN p.hours_from < p.hours_until
            THEN :clock >= p.hours_from AND :clock < p.hours_until
            ELSE :clock >= p.hours_from OR :clock < p.hours_until END AS is_unwanted,
    way.channel = ANY(:shut) OR p.hours_from IS NOT NULL AND p.hours_from <> p.hours_until
        AND NOT EXISTS (
            SELECT FROM unnest(CAST(:open_channel AS text[]), CAST(:open_from AS time[]),
                CAST(:open_until AS time[])) AS open (channel, first, last)
            WHERE open.channel = way.channel AND CASE WHEN p.hours_from < p.hours_until
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
        max(s.mechanism) FILTER (WHERE s.purpose_id = :purpose AND s.partner_id = 0) AS mechanism,
        bool_or(s.guardian) FILTER (WHERE s.purpose_id = :purpose AND s.partner_id = 0)
            AS guardian,
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
    SELECT DISTINCT ON (customer_id, kind) customer_id, kind, id, digest, dead_reason, verified_at,
        ownership_checked_at
    FROM loyalty.contact_points
    WHERE customer_id > :after AND customer_id <= :until AND digest IS NOT NULL
        AND kind = ANY(:kinds)
    ORDER BY customer_id, kind, dead_reason IS NOT NULL, verified_at IS NULL,
        ownership_checked_at DESC NULLS LAST, id DESC
) k ON k.customer_id = a.customer_id AND k.kind = way.kind
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE f.scope <> 'CONTACT_POINT') AS stops,
        count(*) FILTER (WHERE f.scope = 'CONTACT_POINT') AS point_stops,
        count(*) FILTER (WHERE f.reason <> ALL(:marketing_only)) AS hard_stops
    FROM loyalty.suppressions f
    WHERE (f.customer_id = a.customer_id AND f.scope <> 'CONTACT_POINT'
            OR f.contact_digest = k.digest)
        AND (f.scope_value IS NULL OR f.scope = 'CHANNEL' AND f.scope_value = upper(way.channel)
            OR f.scope = 'PURPOSE' AND f.scope_value = :purpose_code)
        AND f.starts_at <= clock_timestamp()
        AND (f.ends_at IS NULL OR f.ends_at > clock_timestamp())
        AND NOT EXISTS (SELECT FROM loyalty.suppression_ends x WHERE x.suppression_id = f.id)
) s ON :any_stops
LEFT JOIN LATERAL (
    SELECT array_agg(q.code || ':' || x.partner_id) AS given
    FROM loyalty.consent_states x JOIN loyalty.consent_purposes q ON q.id = x.purpose_id
    LEFT JOIN loyalty.consent_notices n ON n.id = x.notice_id
    WHERE x.customer_id = a.customer_id AND x.channel = 'NONE' AND x.separate
        AND x.status = 'GRANTED' AND (x.expires_at IS NULL OR x.expires_at > clock_timestamp())
        AND coalesce(n.material_version, 0) >= coalesce((SELECT max(m.material_version)
            FROM loyalty.consent_notices m WHERE m.purpose_id = q.id
                AND m.effective_from <= clock_timestamp()), 0)
) g ON :any_separately
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


def _once(pack: Pack) -> str:
    """Return what the pack says of each person, as a subquery.

    Where several channels would do, a person is written to by the first that the gate allows.
    """
    return f"""(
SELECT DISTINCT ON (customer_id) customer_id, arm, channel,
    CASE WHEN arm = 'control' THEN 'control' WHEN cardinality(denied) > 0 THEN 'excluded'
        WHEN cardinality(deferred) > 0 THEN 'deferred' ELSE 'sendable' END AS outcome,
    coalesce(denied[1], deferred[1]) AS primary_rule, denied || deferred AS rules
FROM (
    SELECT *, {_firing(pack, _EXCLUDES)} AS denied, {_firing(pack, _DEFERS)} AS deferred
    FROM ({_FACTS}) facts
) fired
ORDER BY customer_id, cardinality(denied) > 0, cardinality(deferred) > 0, place
) once"""  # noqa: S608 - expressions of this module, named by the pack


_COLUMNS = ("customer_id", "outcome", "arm", "channel", "primary_rule", "rules")
_PURPOSE = text("""
SELECT p.id, p.is_marketing, coalesce(max(n.material_version)
    FILTER (WHERE n.effective_from <= clock_timestamp()), 0) AS required
FROM loyalty.consent_purposes p LEFT JOIN loyalty.consent_notices n ON n.purpose_id = p.id
WHERE p.code = :code GROUP BY p.id
""")
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
    pack: Pack
    facts: Mapping[str, Any] | None = None
    quiet: tuple[str, str] | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    separately: Sequence[tuple[str, int]] = ()

    @property
    def terms(self) -> messages.Terms:
        """What the gate is told of a release of this version, but for its templates."""
        return messages.Terms(
            templates=(),
            separately=tuple(self.separately),
            risk_grade=None if self.facts is None else self.facts["risk_grade"],
            product=None if self.facts is None else self.facts["category"],
            quiet=self.quiet,
            day=self.caps.get("day"),
            week=self.caps.get("week"),
        )

    def open_hours(self, channel: str) -> list[tuple[str, str]]:
        """Return when messages of this version may leave, by the house and by itself."""
        return rules.open_hours(
            [span for span in (quiet_hours(self.pack, channel), self.quiet) if span is not None]
        )


def quiet_hours(pack: Pack, channel: str) -> tuple[str, str] | None:
    """Return the hours in which the house sends nothing by a channel; None where it always does."""
    given = pack.by_id["time.quiet-hours"].parameters
    return (given["from"], given["until"]) if channel.upper() in given["channels"] else None


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
    return judged.select_from(text(_once(case.pack))).add_cte(audience.cte("audience"))


def parameters(session: Session, case: Case, after: int, until: int) -> dict[str, Any]:
    """Return the values that the statement asks for."""
    bounds = rules.arm_bounds(case.control, case.arms)
    purpose = session.execute(_PURPOSE, {"code": case.purpose}).one_or_none()
    local = case.at.astimezone(case.audience.programme.zone).time().replace(second=0, microsecond=0)
    terms = case.terms
    return {
        "after": after,
        "until": until,
        "at": case.at,
        "clock": local,
        **_by_the_pack(case),
        **_hours(case, f"{local:%H:%M}"),
        "sells": case.sells,
        "automated": terms.automated,
        "is_rated": terms.risk_grade is not None,
        "has_product": terms.product is not None or terms.risk_grade is not None,
        "risk": messages.RISKIEST if terms.risk_grade is None else terms.risk_grade,
        "is_credit": terms.product == "credit",
        **_separately(terms.separately),
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


def _by_the_pack(case: Case) -> dict[str, Any]:
    """Return the numbers of the pack's rules; the campaign's own may only be less."""
    given = {rule.id: rule.parameters for rule in case.pack.enforced(STAGE)}
    cap = given["freq.cap"]
    return {
        "day": min(cap["in_1_day"], case.caps.get("day", cap["in_1_day"])),
        "week": min(cap["in_7_days"], case.caps.get("week", cap["in_7_days"])),
        "marketing_only": list(given["suppress.deceased-or-legal"]["marketing_only"]),
        "ownership_days": given["contact.verified"]["ownership_days"],
        "assessment_days": given["suit.assessment-valid"]["days"],
        "risk_from_65": given["suit.age65"]["risk_grade"],
        "risk_of_limited": given["suit.capacity"]["risk_grade"],
    }


def _hours(case: Case, clock: str) -> dict[str, Any]:
    """Return when each channel is open, which are quiet at the clock, and which are shut."""
    spans = {channel: case.open_hours(channel) for channel in case.channels}
    hours = [(channel, *span) for channel, found in spans.items() for span in found]
    return {
        "quiet": [
            channel
            for channel, found in spans.items()
            if not any(first <= clock < last for first, last in found)
        ],
        "shut": [channel for channel, found in spans.items() if not found],
        "open_channel": [channel for channel, _, _ in hours],
        "open_from": [first for _, first, _ in hours],
        "open_until": [last for _, _, last in hours],
    }


def _separately(wanted: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Return, by the rule that looks for them, the separate consents that are needed."""
    names = zip(("financial", "sensitive", "partners", "abroad"), messages.SEPARATELY, strict=True)
    by_rule = {
        name: [f"{code}:{partner}" for code, partner in wanted if code == of] for name, of in names
    }
    return {**by_rule, "any_separately": bool(wanted)}
