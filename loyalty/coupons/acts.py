"""What tills did, as it is on record: written with the steps of the coupons, read with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.coupons.checking import Desk
from loyalty.database import fetch
from loyalty.programmes import Programme
from loyalty.web import Refused, ids

HOLD, RELEASE, REDEMPTION = "hold", "release", "redemption"
VOID, REVERSAL, LATE = "void", "reversal", "late"

# What others are told of, by the kind of act; of holds nobody is.
TOLD = {
    REDEMPTION: "coupon.redeemed",
    VOID: "coupon.redemption_voided",
    REVERSAL: "coupon.redemption_reversed",
}

WRITE = """
WITH acts AS (
    INSERT INTO loyalty.redemptions (kind, programme_id, partner_id, outlet_id, client, reference,
        digest, follows, basket, discount, worth, ours, reason, lapses_at, occurred_at)
    SELECT kind, %(programme)s, %(partner)s, outlet, %(client)s, reference, decode(digest, 'hex'),
        follows, basket, discount, worth, ours, reason, lapses_at, occurred_at
    FROM json_to_recordset(%(acts)s::json) AS act (kind text, outlet bigint, reference text,
        digest text, follows bigint, basket bigint, discount bigint, worth bigint, ours bigint,
        reason text, lapses_at timestamptz, occurred_at timestamptz)
    ON CONFLICT (partner_id, kind, reference) DO NOTHING
    RETURNING id, reference, recorded_at
), steps AS (
    SELECT step.*, acts.id AS redemption_id
    FROM json_to_recordset(%(steps)s::json) AS step (reference text, coupon_id bigint,
        seq integer, kind text, state text, discount bigint, worth bigint, ours bigint,
        remaining bigint, use_day date, reason text, held_until timestamptz)
    JOIN acts ON acts.reference = step.reference
), events AS (
    INSERT INTO loyalty.coupon_events (coupon_id, seq, kind, redemption_id, discount, worth, ours,
        remaining, use_day, reason)
    SELECT coupon_id, seq, kind, redemption_id, discount, worth, ours, remaining, use_day, reason
    FROM steps
), changed AS (
    UPDATE loyalty.coupons c SET state = steps.state, seq = steps.seq,
        remaining = steps.remaining, held_until = steps.held_until,
        held_by = CASE WHEN steps.kind = 'held' THEN steps.redemption_id
            WHEN steps.state = 'held' THEN c.held_by END
    FROM steps WHERE c.id = steps.coupon_id RETURNING c.id
), counted AS (
    UPDATE loyalty.coupon_counters k SET used = k.used + uses.used
    FROM json_to_recordset(%(uses)s::json) AS uses (series_id integer, period text,
        used bigint)
    WHERE k.series_id = uses.series_id AND k.counted = 'used' AND k.whose = 'all'
        AND k.period = uses.period
)
SELECT id, reference, recorded_at FROM acts
"""
LINES = text("""
SELECT e.redemption_id, e.coupon_id, e.kind, s.code AS series, c.version, c.series_id, e.discount,
    e.worth, e.ours, e.remaining, e.use_day
FROM loyalty.coupon_events e JOIN loyalty.coupons c ON c.id = e.coupon_id
JOIN loyalty.coupon_series s ON s.id = c.series_id
WHERE e.redemption_id = ANY(:redemptions) ORDER BY e.redemption_id, e.coupon_id
""")
ACTS = text("""
SELECT id, kind, partner_id, outlet_id, reference, follows, basket, discount, worth, ours,
    lapses_at, occurred_at, recorded_at
FROM loyalty.redemptions WHERE id = ANY(:redemptions)
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """One coupon of an act: what it took off, is worth to the partner, and has left."""

    coupon_id: int
    kind: str
    series: str
    version: int
    series_id: int
    discount: int
    worth: int
    ours: int
    remaining: int
    use_day: date | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What a till did, as it is on record."""

    id: int
    kind: str
    partner_id: int
    outlet_id: int
    reference: str
    follows: int | None
    basket: int
    discount: int
    worth: int
    ours: int
    lapses_at: datetime | None
    occurred_at: datetime
    recorded_at: datetime
    taken: tuple[Taken, ...] = ()


def new_act(kind: str, reference: str, digest: bytes, at: datetime, **more: Any) -> dict[str, Any]:
    """Return an act to be written, without sums until coupons are added to it."""
    return {
        "kind": kind,
        "outlet": 0,
        "reference": reference,
        "digest": digest.hex(),
        "follows": None,
        "basket": 0,
        "discount": 0,
        "worth": 0,
        "ours": 0,
        "reason": None,
        "lapses_at": None,
        "occurred_at": at,
        **more,
    }


def write_acts(
    session: Session,
    programme: Programme,
    desk: Desk,
    acts: Sequence[dict[str, Any]],
    steps: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Write acts of one desk, their coupons' steps and the day's uses, in one statement.

    The coupons are locked; a step names the act by its reference, and with `counts` how many
    uses of its series on `use_day` it adds. Returns number and time of each act by reference.
    Raises `Refused` with `reference-reused` where somebody wrote one of them meanwhile.
    """
    if not acts:
        return {}
    uses: Counter[tuple[int, str]] = Counter()
    for step in steps:
        if step["counts"]:
            uses[step["series_id"], step["use_day"]] += step["counts"]
    rows = fetch(
        session,
        WRITE,
        {
            "programme": programme.id,
            "partner": desk.partner_id,
            "client": desk.client,
            "acts": _json(acts),
            "steps": _json(steps),
            "uses": _json(
                [
                    {"series_id": series, "period": day, "used": used}
                    for (series, day), used in uses.items()
                ]
            ),
        },
    )
    written = {row.reference: row for row in rows}
    if len(written) < len(acts):
        raise Refused("reference-reused")
    for act in acts:
        if act["kind"] in TOLD:
            tell(session, TOLD[act["kind"]], desk.partner_id, written[act["reference"]].id)
    return written


def tell(session: Session, topic: str, partner_id: int, act: int, **more: str) -> None:
    """Tell the bank and the partner of what a till did, by ids alone."""
    redemption = ids.encode("rdm", act)
    payload = {"redemption": redemption, "partner_id": ids.encode("prt", partner_id), **more}
    outbox.publish(session, topic, f"redemption:{act}", payload)


def _json(rows: object) -> str:
    return orjson.dumps(rows).decode()


def read_acts(session: Session, numbers: Iterable[int]) -> dict[int, Act]:
    """Return what tills did, with the coupons of each act, by its number."""
    wanted = list(numbers)
    if not wanted:
        return {}
    asked = {"redemptions": wanted}
    acts = {row.id: Act(*row) for row in session.execute(ACTS, asked)}
    taken: dict[int, list[Taken]] = {}
    for row in session.execute(LINES, asked):
        taken.setdefault(row.redemption_id, []).append(Taken(*row[1:]))
    return {
        number: replace(act, taken=tuple(taken.get(number, ()))) for number, act in acts.items()
    }
