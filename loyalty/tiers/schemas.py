"""Tiers as JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, fields, validate

import ledger
from loyalty.programmes import Programme
from loyalty.tiers.assignment import STATES, Application
from loyalty.tiers.models import CAUSES, REASONS
from loyalty.tiers.qualification import Change
from loyalty.tiers.rules import DOWNGRADES, WINDOWS, Ladder, Tier
from loyalty.tiers.standing import Standing
from loyalty.tiers.wording import explain
from loyalty.web import ids
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Day, Instant, PublicId, Reference, Text, Whole, dump_instant

SOURCES = ("earned", "assigned")


class WordsSchema(Schema):
    """The same in Chinese and in English."""

    zh = fields.String(required=True)
    en = fields.String(required=True)


class TierSchema(Schema):
    """A tier; `threshold` in status points."""

    code = fields.String(required=True)
    name = fields.Nested(WordsSchema, required=True)
    threshold = Whole(required=True)


class LadderSchema(Schema):
    """The tiers of a programme, lowest first, and how they are earned and kept.

    `effective_from` is null for what held from the beginning.
    """

    programme = fields.String(required=True)
    version = Whole(required=True)
    effective_from = Instant(required=True, allow_none=True)
    window = fields.String(required=True, validate=validate.OneOf(WINDOWS))
    window_months = Whole(required=True)
    grace_days = Whole(required=True)
    downgrade = fields.String(required=True, validate=validate.OneOf(DOWNGRADES))
    tiers = fields.List(fields.Nested(TierSchema), required=True)


class ProgrammeQuery(Schema):
    """Which programme; may be left out where there is one."""

    programme = Reference(load_default=None)


class NextSchema(Schema):
    """The next tier, and how many status points lead to it."""

    tier = fields.Nested(TierSchema, required=True)
    points = Whole(required=True)


class StaySchema(Schema):
    """How many more status points keep the tier beyond `until`; 0 and null: nothing to do.

    `last_day` is the last day, in the programme's zone, on which they still help.
    """

    points = Whole(required=True)
    until = Instant(required=True, allow_none=True)
    last_day = Day(required=True, allow_none=True)


class LapseSchema(Schema):
    """Status points that stop counting at an instant."""

    at = Instant(required=True)
    points = Whole(required=True)


class CauseSchema(Schema):
    """What moved the score, or let a change be made.

    `purchases` earned the status points or were refunded; `application` is the one that was
    approved. A `review` found that points had lapsed, or that a grace or an assignment was over.
    """

    kind = fields.String(required=True, validate=validate.OneOf(CAUSES))
    purchases = fields.List(PublicId("pur"), required=True)
    application = PublicId("tap", required=True, allow_none=True)


class ChangeSchema(Schema):
    """One change of tier or of its terms, and why."""

    from_tier = fields.String(required=True)
    to_tier = fields.String(required=True)
    reason = fields.String(required=True, validate=validate.OneOf(REASONS))
    explanation = fields.Nested(WordsSchema, required=True)
    score = Whole(required=True)
    threshold = Whole(required=True)
    at = Instant(required=True)
    cause = fields.Nested(CauseSchema, required=True)


class StandingSchema(Schema):
    """Where a customer stands; `history` is newest first."""

    programme = fields.String(required=True)
    at = Instant(required=True)
    tier = fields.Nested(TierSchema, required=True)
    since = Instant(required=True)
    source = fields.String(required=True, validate=validate.OneOf(SOURCES))
    score = Whole(required=True)
    lapses = fields.List(fields.Nested(LapseSchema), required=True)
    next = fields.Nested(NextSchema, required=True, allow_none=True)
    stay = fields.Nested(StaySchema, required=True)
    valid_until = Instant(required=True, allow_none=True)
    grace_until = Instant(required=True, allow_none=True)
    assigned_until = Instant(required=True, allow_none=True)
    ladder_version = Whole(required=True)
    history = fields.List(fields.Nested(ChangeSchema), required=True)


class NewApplicationSchema(Schema):
    """A branch asks for a tier until the end of a day."""

    customer_id = PublicId("cus", required=True)
    programme = Reference(load_default=None)
    tier = Reference(required=True)
    reason = Text(500, lines=True, required=True)
    ends_on = Day(required=True)


class DecisionSchema(Schema):
    """What head office decides on the content that has this digest."""

    decision = fields.String(required=True, validate=validate.OneOf(("approve", "reject")))
    comment = Text(500, lines=True, required=True)
    digest = Text(64, required=True)


class DecidedSchema(Schema):
    """Who decided, when, and what they said; `comment` is null once the customer is erased."""

    by = PublicId("stf", required=True)
    at = Instant(required=True)
    comment = fields.String(required=True, allow_none=True)


class ApplicationSchema(Schema):
    """An application; `reason` is null once the customer is erased."""

    id = PublicId("tap", required=True)
    customer_id = PublicId("cus", required=True)
    programme = fields.String(required=True)
    tier = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    ends_on = Day(required=True)
    applied_by = PublicId("stf", required=True)
    applied_at = Instant(required=True)
    expires_at = Instant(required=True)
    digest = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    decision = fields.Nested(DecidedSchema, required=True, allow_none=True)


class ApplicationQuery(PageQuery):
    """Applications in any state, or in one."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


class ApplicationPageSchema(Schema):
    """One page of applications, newest first."""

    items = fields.List(fields.Nested(ApplicationSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def dump_ladder(programme: Programme, ladder: Ladder) -> dict[str, Any]:
    """Return a ladder in the shape of `LadderSchema`."""
    always = ladder.effective_from == ledger.AT_ONCE
    return {
        "programme": programme.code,
        "version": ladder.version,
        "effective_from": None if always else dump_instant(ladder.effective_from),
        "window": ladder.window,
        "window_months": ladder.window_months,
        "grace_days": ladder.grace_days,
        "downgrade": ladder.downgrade,
        "tiers": [_dump_tier(tier) for tier in ladder.tiers],
    }


def dump_standing(programme: Programme, standing: Standing) -> dict[str, Any]:
    """Return a standing in the shape of `StandingSchema`."""
    above, points, staying = standing.next_tier, standing.points_to_next, standing.staying
    return {
        "programme": programme.code,
        "at": dump_instant(standing.at),
        "tier": _dump_tier(standing.tier),
        "since": dump_instant(standing.since),
        "source": standing.source,
        "score": standing.score,
        "lapses": [{"at": dump_instant(at), "points": n} for at, n in standing.expiries],
        "next": None if above is None else {"tier": _dump_tier(above), "points": points},
        "stay": {
            "points": staying.points,
            "until": _dump_instant(staying.until),
            "last_day": _last_day(programme, staying.until),
        },
        "valid_until": _dump_instant(standing.valid_until),
        "grace_until": _dump_instant(standing.grace_until),
        "assigned_until": _dump_instant(standing.assigned_until),
        "ladder_version": standing.ladder.version,
        "history": [_dump_change(change, standing.ladder) for change in standing.history],
    }


def dump_application(application: Application) -> dict[str, Any]:
    """Return an application in the shape of `ApplicationSchema`."""
    decided = None
    if application.decided_by is not None and application.decided_at is not None:
        decided = {
            "by": ids.encode("stf", application.decided_by),
            "at": dump_instant(application.decided_at),
            "comment": application.comment,
        }
    return {
        "id": ids.encode("tap", application.id),
        "customer_id": ids.encode("cus", application.customer_id),
        "programme": application.programme,
        "tier": application.tier,
        "reason": application.reason,
        "ends_on": application.ends_on.isoformat(),
        "applied_by": ids.encode("stf", application.applied_by),
        "applied_at": dump_instant(application.applied_at),
        "expires_at": dump_instant(application.expires_at),
        "digest": application.digest,
        "state": application.state,
        "decision": decided,
    }


def _dump_tier(tier: Tier) -> dict[str, Any]:
    name = {"zh": tier.name_zh, "en": tier.name_en}
    return {"code": tier.code, "name": name, "threshold": tier.threshold}


def _dump_change(change: Change, ladder: Ladder) -> dict[str, Any]:
    return {
        "from_tier": change.from_tier,
        "to_tier": change.to_tier,
        "reason": change.reason,
        "explanation": explain(change, ladder)._asdict(),
        "score": change.score,
        "threshold": change.threshold,
        "at": dump_instant(change.at),
        "cause": _dump_cause(change.cause),
    }


def _dump_cause(cause: Mapping[str, Any]) -> dict[str, Any]:
    application = cause.get("application")
    return {
        "kind": cause["kind"],
        "purchases": [ids.encode("pur", number) for number in cause.get("purchases", ())],
        "application": None if application is None else ids.encode("tap", application),
    }


def _dump_instant(instant: datetime | None) -> str | None:
    return None if instant is None else dump_instant(instant)


def _last_day(programme: Programme, until: datetime | None) -> str | None:
    if until is None:
        return None
    before = until.astimezone(UTC) - timedelta(microseconds=1)
    return before.astimezone(programme.zone).date().isoformat()
