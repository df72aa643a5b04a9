"""Purchases, refunds, points and statements as JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

import ledger
from loyalty.points import earning, refunds, waiting, wording
from loyalty.points.adjustment import REASONS
from loyalty.points.adjustment import SOURCE as ADJUSTED
from loyalty.points.queries import Award
from loyalty.programmes import Programme
from loyalty.tiers import StandingSchema
from loyalty.web import ids, validation
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import (
    Amount,
    Instant,
    Lines,
    PublicId,
    Reference,
    Text,
    Whole,
    dump_instant,
)

MOST_AT_ONCE = 1000
MOST_LINES = 200
CODE = 60

validation.MESSAGES.setdefault(
    "amount_or_lines",
    (
        "amount_or_lines",
        "amount 与 lines 只能给出一项,都不给则全额退款",
        "takes an amount or lines, or neither for all that is left",
    ),
)
validation.MESSAGES.setdefault(
    "line_twice", ("line_twice", "同一行号出现两次", "names the same line twice")
)


class ProgrammeQuery(Schema):
    """Which programme: needed only where there are several."""

    programme = Text(CODE, load_default=None)


class StatementQuery(PageQuery):
    """Which page of which programme's statement."""

    programme = Text(CODE, load_default=None)


class LineSchema(Schema):
    """One line of a purchase: its number and what it cost."""

    line = Whole(1, 10_000, required=True)
    amount = Whole(required=True)


class PurchaseLines(Lines):
    """The lines of a purchase, each number once."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        lines = super()._deserialize(value, attr, data, **kwargs)
        if len({line["line"] for line in lines}) < len(lines):
            raise ValidationError("line_twice")
        return lines


class NewPurchaseSchema(Schema):
    """A purchase. `amount` is in minor units of the programme's currency, 0 or more."""

    reference = Reference(required=True)
    customer = Text(64, required=True)
    purchased_at = Instant(required=True)
    amount = Whole(required=True)
    category = Text(CODE, load_default=None)
    outlet = Text(CODE, load_default=None)
    channel = Text(CODE, load_default=None)
    lines = PurchaseLines(LineSchema, MOST_LINES, load_default=None)


class NewPurchasesSchema(Schema):
    """One to a thousand purchases."""

    programme = Text(CODE, load_default=None)
    purchases = Lines(NewPurchaseSchema, MOST_AT_ONCE, required=True)


class RuleResultSchema(Schema):
    """What one rule gave, and why in words and in numbers."""

    rule = fields.String(required=True)
    version = fields.Integer(required=True)
    code = fields.String(required=True)
    points = fields.Integer(required=True)
    status_points = fields.Integer(required=True)
    steps = fields.List(fields.Dict(), required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)


class RecordedSchema(Schema):
    """What became of one purchase; `problem` says why there is no `purchase_id`."""

    reference = fields.String(required=True)
    outcome = fields.String(
        required=True, validate=validate.OneOf(("recorded", "known", "refused"))
    )
    purchase_id = PublicId("pur", required=True, allow_none=True)
    customer_id = PublicId("cus", required=True, allow_none=True)
    points = fields.Integer(required=True)
    status_points = fields.Integer(required=True)
    reasons = fields.List(fields.Nested(RuleResultSchema), required=True)
    problem = fields.String(required=True, allow_none=True)


class PurchasesSchema(Schema):
    """One result for each purchase that was sent, in the same order."""

    purchases = fields.List(fields.Nested(RecordedSchema), required=True)


class NewRefundSchema(Schema):
    """A refund of a purchase, by the references that its source gave both.

    Without `amount` and `lines`, all that is left. A null is refused: whoever lost the amount on
    the way does not mean all.
    """

    programme = Text(CODE, load_default=None)
    reference = Reference(required=True)
    purchase = Reference(required=True)
    refunded_at = Instant(required=True)
    amount = Amount(load_default=None, allow_none=False)
    lines = fields.List(
        Whole(1, 10_000),
        validate=validate.Length(1, MOST_LINES),
        load_default=None,
        allow_none=False,
    )

    @validates_schema
    def _check_one(self, content: dict[str, Any], **_: Any) -> None:
        lines = content.get("lines")
        if lines is not None and content.get("amount") is not None:
            raise ValidationError("amount_or_lines", "amount")
        if lines is not None and len(lines) != len(set(lines)):
            raise ValidationError("line_twice", "lines")


class RefundedSchema(Schema):
    """A refund on record and what it took back."""

    reference = fields.String(required=True)
    purchase_id = PublicId("pur", required=True)
    amount = fields.Integer(required=True)
    points_taken = fields.Integer(required=True)
    status_points_taken = fields.Integer(required=True)


class WhenSchema(Schema):
    """So many points at an instant."""

    at = Instant(required=True)
    points = fields.Integer(required=True)


class WaitingSchema(Schema):
    """Pending points that an event makes usable, what it is about, and what happens without it.

    They become usable by themselves at `usable_at`, or lapse unused at `lapses_at`; where both
    are null they go on waiting.
    """

    event = fields.String(required=True)
    about = fields.String(required=True)
    points = fields.Integer(required=True)
    usable_at = Instant(required=True, allow_none=True)
    lapses_at = Instant(required=True, allow_none=True)


class PointsSchema(Schema):
    """What a customer has. `expiries`, `arrivals` and `waiting` are complete, soonest first.

    `pending` points arrive on a day or wait for an event (`waiting`), or whichever comes first.
    """

    customer_id = PublicId("cus", required=True)
    programme = fields.String(required=True)
    as_of = Instant(required=True)
    available = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    held = fields.Integer(required=True)
    debt = fields.Integer(required=True)
    expiries = fields.List(fields.Nested(WhenSchema), required=True)
    arrivals = fields.List(fields.Nested(WhenSchema), required=True)
    waiting = fields.List(fields.Nested(WaitingSchema), required=True)


class LotUseSchema(Schema):
    """How many points came from the credit in which line (negative: went back to it)."""

    line = fields.Integer(required=True)
    points = fields.Integer(required=True)


class StatementLineSchema(Schema):
    """One line: points that came (positive) or went (negative), and the balance afterwards.

    With `waits` they were not usable until an event came, on whatever day.
    """

    line = fields.Integer(required=True)
    entry_id = PublicId("ent", required=True)
    kind = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)
    points = fields.Integer(required=True)
    balance = fields.Integer(required=True)
    effective_at = Instant(required=True)
    recorded_at = Instant(required=True)
    available_from = Instant(required=True, allow_none=True)
    waits = fields.Boolean(required=True)
    expires_at = Instant(required=True, allow_none=True)
    left = fields.Integer(required=True, allow_none=True)
    lots = fields.List(fields.Nested(LotUseSchema), required=True)
    reverses = fields.Integer(required=True, allow_none=True)
    why = fields.String(required=True)


class StatementSchema(Schema):
    """One page of a statement, newest first."""

    items = fields.List(fields.Nested(StatementLineSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PurchaseSchema(Schema):
    """A purchase as its source reported it."""

    purchase_id = PublicId("pur", required=True)
    reference = fields.String(required=True)
    purchased_at = Instant(required=True)
    amount = fields.Integer(required=True)
    category = fields.String(required=True, allow_none=True)
    outlet = fields.String(required=True, allow_none=True)
    channel = fields.String(required=True, allow_none=True)


class WaitedSchema(Schema):
    """The event that points of a line wait for, and when it was confirmed, if it was.

    `line` is where they became usable.
    """

    event = fields.String(required=True)
    about = fields.String(required=True)
    confirmation_id = PublicId("con", required=True, allow_none=True)
    occurred_at = Instant(required=True, allow_none=True)
    recorded_at = Instant(required=True, allow_none=True)
    line = fields.Integer(required=True, allow_none=True)


class AdjustedSchema(Schema):
    """Why people gave or took points, and the proposal on which two of them agreed."""

    proposal_id = PublicId("prp", required=True)
    reason = fields.String(required=True)
    case = fields.String(required=True, allow_none=True)


class WhySchema(Schema):
    """Why a line stands there. `same_again`: the rules, run again now, give just the same."""

    line = fields.Nested(StatementLineSchema, required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)
    purchase = fields.Nested(PurchaseSchema, required=True, allow_none=True)
    reasons = fields.List(fields.Nested(RuleResultSchema), required=True)
    same_again = fields.Boolean(required=True, allow_none=True)
    waited = fields.Nested(WaitedSchema, required=True, allow_none=True)
    adjustment = fields.Nested(AdjustedSchema, required=True, allow_none=True)
    terms = fields.Dict(required=True, allow_none=True)


class OverviewSchema(Schema):
    """Points, tier and the last lines with their reasons, in one answer."""

    points = fields.Nested(PointsSchema, required=True)
    tier = fields.Nested(StandingSchema, required=True)
    last = fields.List(fields.Nested(WhySchema), required=True)


class RedemptionSchema(Schema):
    """Points to be spent under a reference of the caller's."""

    programme = Text(CODE, load_default=None)
    reference = Reference(required=True)
    points = Amount(required=True)


class HoldSchema(RedemptionSchema):
    """Points to be reserved until an instant to come."""

    lapses_at = Instant(required=True)


class PartSchema(Schema):
    """A part of something under a reference of the caller's; without `points`, all of it.

    A null is refused, as in a refund.
    """

    programme = Text(CODE, load_default=None)
    reference = Reference(required=True)
    points = Amount(load_default=None, allow_none=False)


class EntrySchema(Schema):
    """What was written: the entry, its points and the balance afterwards."""

    entry_id = PublicId("ent", required=True)
    reference = fields.String(required=True)
    points = fields.Integer(required=True)
    balance = fields.Integer(required=True, allow_none=True)
    recorded_at = Instant(required=True)


def load_purchase(content: Mapping[str, Any]) -> earning.NewPurchase:
    """Return what `NewPurchaseSchema` loaded as the process takes it."""
    return earning.NewPurchase(**content)


def load_refund(content: Mapping[str, Any]) -> refunds.NewRefund:
    """Return what `NewRefundSchema` loaded as the process takes it."""
    lines = content["lines"]
    return refunds.NewRefund(
        reference=content["reference"],
        purchase=content["purchase"],
        refunded_at=content["refunded_at"],
        amount=content["amount"],
        lines=None if lines is None else tuple(sorted(lines)),
    )


def dump_outcome(outcome: earning.Outcome) -> dict[str, Any]:
    """Return what became of a purchase in the shape of `RecordedSchema`.

    A repeated purchase is dumped as it was the first time but for `outcome`.
    """
    if isinstance(outcome, earning.Refused):
        return {
            "reference": outcome.reference,
            "outcome": "refused",
            "purchase_id": None,
            "customer_id": None,
            "points": 0,
            "status_points": 0,
            "reasons": [],
            "problem": outcome.code,
        }
    return {
        "reference": outcome.reference,
        "outcome": "known" if outcome.replayed else "recorded",
        "purchase_id": ids.encode("pur", outcome.purchase_id),
        "customer_id": ids.encode("cus", outcome.customer_id),
        "points": outcome.points,
        "status_points": outcome.status_points,
        "reasons": dump_results(outcome.results),
        "problem": None,
    }


def dump_results(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what rules gave, with words, in the shape of `RuleResultSchema`."""
    dumped = []
    for result in results:
        zh, en = wording.explain_result(result)
        dumped.append(
            {
                "rule": result["rule"],
                "version": result["version"],
                "code": result["code"],
                "points": result["points"],
                "status_points": result["status"],
                "steps": result["steps"],
                "zh": zh,
                "en": en,
            }
        )
    return dumped


def dump_refund(refunded: refunds.Refunded) -> dict[str, Any]:
    """Return a refund in the shape of `RefundedSchema`."""
    return {
        "reference": refunded.reference,
        "purchase_id": ids.encode("pur", refunded.purchase_id),
        "amount": refunded.amount,
        "points_taken": refunded.points,
        "status_points_taken": refunded.status_points,
    }


def dump_points(
    customer_id: int,
    programme: Programme,
    balance: ledger.Balance,
    waits: Iterable[waiting.Waiting],
) -> dict[str, Any]:
    """Return a balance in the shape of `PointsSchema`."""
    return {
        "customer_id": ids.encode("cus", customer_id),
        "programme": programme.code,
        "as_of": dump_instant(balance.at),
        "available": balance.available,
        "pending": balance.pending,
        "held": balance.held,
        "debt": balance.debt,
        "expiries": [{"at": dump_instant(at), "points": n} for at, n in balance.expiries],
        "arrivals": [
            {"at": dump_instant(at), "points": n} for at, n in balance.arrivals if at < ledger.NEVER
        ],
        "waiting": [
            {
                "event": one.event,
                "about": one.about,
                "points": one.points,
                "usable_at": _dump_or_none(one.usable_at),
                "lapses_at": _dump_or_none(one.lapses_at),
            }
            for one in waits
        ],
    }


def _dump_or_none(at: datetime | None) -> str | None:
    return None if at is None else dump_instant(at)


def dump_line(customer_id: int, line: ledger.StatementLine) -> dict[str, Any]:
    """Return a line in the shape of `StatementLineSchema`."""
    zh, en = wording.KINDS.get(line.kind, (line.kind, line.kind))
    customer = ids.encode("cus", customer_id)
    since = line.available_from
    dated = since is not None and ledger.AT_ONCE < since < ledger.NEVER
    return {
        "line": line.position,
        "entry_id": ids.encode("ent", line.entry_id),
        "kind": line.kind,
        "zh": zh,
        "en": en,
        "points": line.amount,
        "balance": line.balance_after,
        "effective_at": dump_instant(line.effective_at),
        "recorded_at": dump_instant(line.recorded_at),
        "available_from": dump_instant(since) if dated and since else None,
        "waits": since == ledger.NEVER,
        "expires_at": dump_instant(line.expires_at) if line.expires_at else None,
        "left": line.remaining,
        "lots": [{"line": lot, "points": points} for lot, points in line.lots],
        "reverses": line.reverses,
        "why": f"/v1/customers/{customer}/statement/{line.position}",
    }


def dump_why(
    customer_id: int,
    line: ledger.StatementLine,
    award: Award | None,
    terms: dict[str, Any] | None,
    waited: waiting.Waited | None,
) -> dict[str, Any]:
    """Return a line with its reasons in the shape of `WhySchema`."""
    dumped = dump_line(customer_id, line)
    reasons = [] if award is None else dump_results(award.purchase.results)
    zh, en = dumped["zh"], dumped["en"]
    if award is not None:
        amount = wording.money(award.purchase.amount)
        zh = f"{zh}:消费 {amount} 元。" + "".join(f"{reason['zh']}。" for reason in reasons)
        en = f"{en}: a purchase of {amount}. " + " ".join(f"{r['en']}." for r in reasons)
    adjusted = _dump_adjustment(line)
    if adjusted is not None:
        reason = REASONS[adjusted["reason"]]
        zh, en = f"{zh}:{reason.zh}。", f"{en}: {reason.en}."
    return {
        "line": dumped,
        "zh": zh,
        "en": en,
        "purchase": None if award is None else _dump_purchase(award.purchase),
        "reasons": reasons,
        "same_again": None if award is None else award.same_again,
        "waited": None if waited is None else _dump_waited(waited),
        "adjustment": adjusted,
        "terms": terms,
    }


def _dump_adjustment(line: ledger.StatementLine) -> dict[str, Any] | None:
    if line.source != ADJUSTED:
        return None
    cause = line.cause or {}
    return {
        "proposal_id": ids.encode("prp", cause["proposal"]),
        "reason": cause["reason"],
        "case": cause["case"],
    }


def _dump_waited(waited: waiting.Waited) -> dict[str, Any]:
    number = waited.confirmation_id
    return {
        "event": waited.event,
        "about": waited.about,
        "confirmation_id": None if number is None else ids.encode("con", number),
        "occurred_at": _dump_or_none(waited.occurred_at),
        "recorded_at": _dump_or_none(waited.recorded_at),
        "line": waited.line,
    }


def _dump_purchase(purchase: Any) -> dict[str, Any]:
    return {
        "purchase_id": ids.encode("pur", purchase.id),
        "reference": purchase.reference,
        "purchased_at": dump_instant(purchase.purchased_at),
        "amount": purchase.amount,
        "category": purchase.category,
        "outlet": purchase.outlet,
        "channel": purchase.channel,
    }


def dump_posted(reference: str, posted: ledger.Posted) -> dict[str, Any]:
    """Return an entry in the shape of `EntrySchema`; it has no balance where nothing moved."""
    return {
        "entry_id": ids.encode("ent", posted.entry_id),
        "reference": reference,
        "points": sum(line.amount for line in posted.lines),
        "balance": posted.lines[-1].balance_after if posted.lines else None,
        "recorded_at": dump_instant(posted.recorded_at),
    }
