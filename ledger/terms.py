"""Terms under which points are given: kept once, found by the hash that each lot carries."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session


def dump_json(body: object) -> str:
    """Return the one way in which `body` is written as JSON: keys sorted, no spaces."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def keep_terms(session: Session, body: Mapping[str, Any]) -> bytes:
    """Keep terms (what JSON can say, without floats) and return their SHA-256 digest."""
    written = dump_json(body)
    digest = hashlib.sha256(written.encode()).digest()
    session.execute(
        text(
            "INSERT INTO ledger.terms (digest, body) VALUES (:digest, CAST(:body AS jsonb))"
            " ON CONFLICT (digest) DO NOTHING"
        ),
        {"digest": digest, "body": written},
    )
    return digest


def read_terms(session: Session, digest: bytes) -> dict[str, Any] | None:
    """Return the terms with this digest, or None where nobody kept such terms."""
    body: dict[str, Any] | None = session.execute(
        text("SELECT body FROM ledger.terms WHERE digest = :digest"), {"digest": digest}
    ).scalar_one_or_none()
    return body
