"""Imports as JSON. Sums of many rows are texts: they may be more than JSON counts exactly."""

from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import Row

from loyalty.points.layout import AMOUNTS, DELIMITERS, ENCODINGS, ISO
from loyalty.web import ids
from loyalty.web.fields import Instant, PublicId, Reference, Text, Truth, dump_instant

CODE = 60
COLUMN = 100
STATES = (
    "open",
    "staged",
    "queued",
    "running",
    "paused",
    "stopping",
    "stopped",
    "done",
    "failed",
)


class ColumnsSchema(Schema):
    """The file's own name of the column for each field."""

    reference = Text(COLUMN)
    customer = Text(COLUMN, required=True)
    purchased_at = Text(COLUMN, required=True)
    amount = Text(COLUMN, required=True)
    category = Text(COLUMN)
    outlet = Text(COLUMN)
    channel = Text(COLUMN)


class ConstantsSchema(Schema):
    """What is the same in every row."""

    category = Text(CODE)
    outlet = Text(CODE)
    channel = Text(CODE)


class LayoutSchema(Schema):
    """Which column means what. `dates` is `iso` or a pattern of %Y %m %d %H %M %S.

    Encoding, delimiter and sheet are found out where nothing is said; days without a time begin
    at midnight in the programme's zone.
    """

    columns = fields.Nested(ColumnsSchema, required=True)
    constants = fields.Nested(ConstantsSchema)
    dates = Text(40, load_default=ISO)
    amounts = fields.String(validate=validate.OneOf(AMOUNTS), load_default=AMOUNTS[0])
    encoding = fields.String(validate=validate.OneOf(ENCODINGS))
    delimiter = fields.String(validate=validate.OneOf(DELIMITERS))
    sheet = Text(COLUMN)


class NewImportSchema(Schema):
    """An import: of which programme, from where, and how its file is to be read."""

    programme = Text(CODE, load_default=None)
    source = Reference(load_default=None)
    layout = fields.Nested(LayoutSchema, required=True)
    register_unknown = Truth(load_default=False)


class RowsSchema(Schema):
    """What the file holds. `amount`: minor units of all sound rows together."""

    total = fields.Integer(required=True)
    sound = fields.Integer(required=True)
    faulty = fields.Integer(required=True)
    amount = fields.String(required=True)


class ForeseenSchema(Schema):
    """Of the sound rows: on record already, of these with other content, of unknown customers."""

    on_record = fields.Integer(required=True)
    changed = fields.Integer(required=True)
    unknown_customers = fields.Integer(required=True)


class AppliedSchema(Schema):
    """What became of the rows so far."""

    recorded = fields.Integer(required=True)
    replayed = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    points = fields.String(required=True)


class ImportSchema(Schema):
    """An import and how far it came."""

    import_id = PublicId("imp", required=True)
    programme = fields.String(required=True)
    source = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    rows = fields.Nested(RowsSchema, required=True)
    foreseen = fields.Nested(ForeseenSchema, required=True)
    applied = fields.Nested(AppliedSchema, required=True)
    created_at = Instant(required=True)
    staged_at = Instant(required=True, allow_none=True)


class ImportsPageSchema(Schema):
    """One page of imports, newest first."""

    items = fields.List(fields.Nested(ImportSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def dump_import(row: Row[Any]) -> dict[str, Any]:
    """Return an import as its callers see it; `row` is what `intake.find_import` returns."""
    return {
        "import_id": ids.encode("imp", row.id),
        "programme": row.programme,
        "source": row.source,
        "state": row.state or ("open" if row.staged_at is None else "staged"),
        "rows": {
            "total": row.total,
            "sound": row.sound,
            "faulty": row.faulty,
            "amount": str(row.amount),
        },
        "foreseen": {
            "on_record": row.known,
            "changed": row.changed,
            "unknown_customers": row.unknown,
        },
        "applied": {
            "recorded": row.recorded,
            "replayed": row.replayed,
            "refused": row.refused,
            "points": str(row.points),
        },
        "created_at": dump_instant(row.created_at),
        "staged_at": None if row.staged_at is None else dump_instant(row.staged_at),
    }
