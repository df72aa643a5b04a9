"""Statements, lines, disputes and payments as JSON. Amounts are signed minor units."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields, validate

from loyalty.settlement.models import DISPUTE_REASONS, OUTCOMES
from loyalty.settlement.queries import StatementLine
from loyalty.web import ids
from loyalty.web.fields import (
    GREATEST,
    Day,
    Instant,
    PublicId,
    QueryWhole,
    Text,
    Whole,
    dump_instant,
)

MOST_ENTRIES = 1000
KINDS = ("redeem", "void", "reverse", "correct", "pay")


class NewStatementSchema(Schema):
    """The last day of the period that is to be closed, in the zone of settlement."""

    until = Day(required=True)


class SettlementStatementSchema(Schema):
    """A closed period of what a partner is owed; it never changes.

    opening + redeemed − taken_back + corrected − paid = closing. `borne` is what the partner bore
    itself. `released` is what was paid on it (null: nothing yet), which stands as a line in the
    period after.
    """

    statement_id = PublicId("stm", required=True)
    partner_id = PublicId("prt", required=True)
    number = fields.Integer(required=True)
    currency = fields.String(required=True)
    since = Instant(required=True, allow_none=True)
    until = Instant(required=True)
    first_line = fields.Integer(required=True)
    last_line = fields.Integer(required=True)
    opening = fields.Integer(required=True)
    redeemed = fields.Integer(required=True)
    taken_back = fields.Integer(required=True)
    corrected = fields.Integer(required=True)
    paid = fields.Integer(required=True)
    closing = fields.Integer(required=True)
    borne = fields.Integer(required=True)
    closed_at = Instant(required=True)
    released = fields.Integer(required=True, allow_none=True)
    released_at = Instant(required=True, allow_none=True)


class SettlementStatementsPageSchema(Schema):
    """One page of statements, newest first."""

    items = fields.List(fields.Nested(SettlementStatementSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class SettlementLineSchema(Schema):
    """A line: `owed` changed what we owe, `borne` is the partner's own share, `amount` is both.

    `of` names what a void, a reversal or a correction is about.
    """

    line = fields.Integer(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    outlet_id = fields.String(required=True, allow_none=True)
    coupon_id = fields.String(required=True, allow_none=True)
    source = fields.String(required=True)
    reference = fields.String(required=True)
    of = fields.String(required=True, allow_none=True)
    amount = fields.Integer(required=True)
    owed = fields.Integer(required=True)
    borne = fields.Integer(required=True)
    balance = fields.Integer(required=True)
    happened_at = Instant(required=True)
    recorded_at = Instant(required=True)


class SettlementLinesPageSchema(Schema):
    """One page of a statement's lines, in the order of the log."""

    items = fields.List(fields.Nested(SettlementLineSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewDisputeSchema(Schema):
    """A line that is not accepted, why, and what it should owe in the partner's view."""

    line = Whole(1, GREATEST, required=True)
    reason = fields.String(required=True, validate=validate.OneOf(DISPUTE_REASONS))
    claimed = Whole(-GREATEST, GREATEST, required=True)


class DisputeSchema(Schema):
    """A dispute; `outcome` and `correction` are null until two persons have decided."""

    dispute_id = PublicId("dsp", required=True)
    statement_id = PublicId("stm", required=True)
    line = fields.Integer(required=True)
    reason = fields.String(required=True)
    claimed = fields.Integer(required=True)
    opened_at = Instant(required=True)
    outcome = fields.String(required=True, allow_none=True, validate=validate.OneOf(OUTCOMES))
    correction = fields.Integer(required=True, allow_none=True)
    decided_at = Instant(required=True, allow_none=True)


class DisputesPageSchema(Schema):
    """One page of disputes, oldest first."""

    items = fields.List(fields.Nested(DisputeSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewDisputeOutcomeSchema(Schema):
    """What is to be added to what we owe (below 0: taken off); 0 rejects the dispute."""

    correction = Whole(-GREATEST, GREATEST, required=True)


class SignedSettlementQuery(Schema):
    """From which entry on, and how many."""

    after_entry = Text(40, load_default=None)
    limit = QueryWhole(1, MOST_ENTRIES, load_default=MOST_ENTRIES)


class SignedSettlementSchema(Schema):
    """The statement's part of the log with an inclusion proof for each sealed entry.

    Save the answer as a file and give it to the verifier: it needs nothing else but the public
    key. `next_entry` is null once the statement is complete.
    """

    class Meta:
        """The parts that the verifier reads are described with it."""

        unknown = INCLUDE

    format = fields.String(required=True)
    checkpoint = fields.Dict(required=True, allow_none=True)
    entries = fields.List(fields.Dict(), required=True)
    next_entry = fields.String(required=True, allow_none=True)


def dump_statement(row: Any) -> dict[str, Any]:
    """Return a statement in the shape of `SettlementStatementSchema`."""
    plain = ("opening", "redeemed", "taken_back", "corrected", "paid", "closing", "borne")
    return {
        "statement_id": ids.encode("stm", row.id),
        "partner_id": ids.encode("prt", row.partner_id),
        "number": row.number,
        "currency": row.currency,
        "since": _instant(row.since),
        "until": dump_instant(row.until),
        "first_line": row.first_position,
        "last_line": row.last_position,
        **{name: getattr(row, name) for name in plain},
        "closed_at": dump_instant(row.closed_at),
        "released": row.released,
        "released_at": _instant(row.released_at),
    }


def dump_line(line: StatementLine) -> dict[str, Any]:
    """Return a line in the shape of `SettlementLineSchema`."""
    of = line.cause.get("of")
    return {
        "line": line.line,
        "kind": line.kind,
        "outlet_id": line.cause.get("outlet"),
        "coupon_id": line.cause.get("coupon"),
        "source": line.source,
        "reference": line.reference,
        "of": None if of is None else str(of),
        "amount": line.ours + line.theirs,
        "owed": line.ours,
        "borne": line.theirs,
        "balance": line.balance_after,
        "happened_at": dump_instant(line.effective_at),
        "recorded_at": dump_instant(line.recorded_at),
    }


def dump_dispute(row: Any) -> dict[str, Any]:
    """Return a dispute in the shape of `DisputeSchema`."""
    return {
        "dispute_id": ids.encode("dsp", row.id),
        "statement_id": ids.encode("stm", row.statement_id),
        "line": row.line,
        "reason": row.reason,
        "claimed": row.claimed,
        "opened_at": dump_instant(row.opened_at),
        "outcome": row.outcome,
        "correction": row.correction,
        "decided_at": _instant(row.decided_at),
    }


def _instant(instant: Any) -> str | None:
    return None if instant is None else dump_instant(instant)
