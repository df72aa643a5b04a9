"""Products' facts: what a message may state, in versions that two people agreed on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import proposals
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller

_FIND = text("""
SELECT facts FROM campaigns.product_facts WHERE code = :code AND version = :version
""")
_NEWEST = text("""
SELECT coalesce(max(version), 0) FROM campaigns.product_facts WHERE code = :code
""")
_IN_FORCE = text("""
SELECT version FROM campaigns.product_facts WHERE code = :code AND effective_from <= :at
ORDER BY version DESC LIMIT 1
""")
_CURRENT = text("""
SELECT DISTINCT ON (code) code, version, facts -> 'names' AS names FROM campaigns.product_facts
WHERE effective_from <= clock_timestamp() ORDER BY code, version DESC LIMIT 200
""")
_WRITE = text("""
INSERT INTO campaigns.product_facts (code, version, facts, digest, proposal_id, effective_from)
VALUES (:code, :version, CAST(:facts AS jsonb), :digest, :proposal, :since)
""")


def read_facts(session: Session, product: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the facts of a version of a product; None where there is no such version."""
    if product is None:
        return None
    facts: dict[str, Any] | None = session.execute(_FIND, dict(product)).scalar_one_or_none()
    return facts


def version_in_force(session: Session, code: str, at: datetime) -> int | None:
    """Return which version of a product's facts is in force at `at`."""
    version: int | None = session.execute(_IN_FORCE, {"code": code, "at": at}).scalar_one_or_none()
    return version


def list_products(session: Session) -> Sequence[Any]:
    """Return code, version and names of the products whose facts are in force."""
    return session.execute(_CURRENT).all()


def propose_facts(session: Session, caller: Caller, content: Mapping[str, Any]) -> Proposal:
    """Propose the next version of a product's facts; it counts once compliance agreed."""
    return proposals.propose(session, caller, FACTS, "product", content["code"], content)


def _look(session: Session, _: str, content: Mapping[str, Any]) -> int:
    newest: int = session.execute(_NEWEST, {"code": content["code"]}).scalar_one()
    return newest


def _apply(session: Session, _: Caller, proposal: Proposal) -> dict[str, Any]:
    content = proposal.content
    version = _look(session, "", content) + 1
    written = ledger.dump_json(content)
    session.execute(
        _WRITE,
        {
            "code": content["code"],
            "version": version,
            "facts": written,
            "digest": hashlib.sha256(written.encode()).digest(),
            "proposal": proposal.id,
            "since": datetime.fromisoformat(content["effective_from"]),
        },
    )
    return {"code": content["code"], "version": version}


FACTS = proposals.register(
    Kind(
        name="product.facts",
        title=Bilingual("登记产品资料", "Register a product's facts"),
        makers=frozenset({"marketing_maker", "head_office"}),
        seats=(Seat.of("compliance", "compliance", "consumer_protection"),),
        apply=_apply,
        look=_look,
    )
)
