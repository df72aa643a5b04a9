"""Checkpoints for everybody: whoever keeps one can prove later what was there."""

from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from ledger.checkpoints import newest_checkpoints, read_public_key
from loyalty.proof.schemas import (
    CheckpointPageSchema,
    CheckpointsQuery,
    PublicKeySchema,
    dump_checkpoint,
)
from loyalty.settings import settings
from loyalty.web import Access, Answer, NotFound, cursors, endpoint

blueprint = Blueprint("proof", __name__)

_LIST = "checkpoints"


@endpoint(
    blueprint,
    "GET",
    "/v1/checkpoints",
    access=Access.public(),
    query=CheckpointsQuery,
    answer=CheckpointPageSchema,
    summary=("查询账本检查点", "Read the signed checkpoints"),
    problems=("invalid-cursor",),
    tagged=True,
)
def get_checkpoints(session: Session, query: dict[str, Any]) -> Answer:
    """Answer one page of a log's checkpoints, largest first."""
    limit, log = query["limit"], query["log"]
    position = cursors.read(f"{_LIST}:{log}", query["cursor"])
    below = position[0] if position else None
    found = newest_checkpoints(session, log, below=below, limit=limit + 1)
    return cursors.page_of(
        f"{_LIST}:{log}", found, limit, position=lambda row: [row.size], dump=dump_checkpoint
    )


@endpoint(
    blueprint,
    "GET",
    "/v1/checkpoints/key",
    access=Access.public(),
    answer=PublicKeySchema,
    summary=("查询检查点公钥", "Read the public key that verifies checkpoints"),
    problems=("not-found",),
    tagged=True,
)
def get_checkpoint_key() -> dict[str, Any]:
    """Answer the public key; 404 where none was made yet."""
    found = read_public_key(settings().keys)
    if found is None:
        raise NotFound
    key_id, pem = found
    return {"key_id": key_id, "algorithm": "Ed25519", "pem": pem}
