"""Checkpoints and public keys as JSON."""

from typing import Any

from marshmallow import Schema, fields, validate

from ledger.checkpoints import Checkpoint
from loyalty.proof.logs import LOGS
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Instant, Text, Whole, dump_instant


class CheckpointsQuery(PageQuery):
    """Of which log."""

    log = Text(20, load_default="ledger", validate=validate.OneOf([log.name for log in LOGS]))


class CheckpointSchema(Schema):
    """What was signed: the note is the text, the signature is base64 of Ed25519 over it."""

    log = fields.String(required=True)
    size = Whole(required=True)
    at = Instant(required=True)
    note = fields.String(required=True)
    signature = fields.String(required=True)


class CheckpointPageSchema(Schema):
    """A page of checkpoints, largest first."""

    items = fields.List(fields.Nested(CheckpointSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PublicKeySchema(Schema):
    """The key that verifies checkpoints."""

    key_id = fields.String(required=True)
    algorithm = fields.String(required=True)
    pem = fields.String(required=True)


def dump_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as the API shows it."""
    return {
        "log": checkpoint.log,
        "size": checkpoint.size,
        "at": dump_instant(checkpoint.at),
        **checkpoint.as_json(),
    }
