"""What two people agree on: the terms of a series, and that a halted one goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import programmes, proposals
from loyalty.coupons.series import add_version, find_series, resume_series
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, ids

MAKERS = frozenset({"coupon_operations", "marketing_maker"})
NEWEST = text("""
SELECT coalesce(max(t.version), 0) FROM loyalty.coupon_series s
JOIN loyalty.programmes p ON p.id = s.programme_id
LEFT JOIN loyalty.coupon_terms t ON t.series_id = s.id
WHERE p.code = :programme AND s.code = :code
""")


def _newest_version(session: Session, _subject: str, content: Mapping[str, Any]) -> int:
    asked = {"programme": content["programme"], "code": content["code"]}
    return int(session.execute(NEWEST, asked).scalar_one())


def _apply_terms(session: Session, _caller: Caller, proposal: Proposal) -> dict[str, Any]:
    content = proposal.content
    since = content["effective_from"]
    version = add_version(
        session,
        programmes.find_programme(session, content["programme"]),
        content["code"],
        content["terms"],
        effective_from=datetime.now(UTC) if since is None else datetime.fromisoformat(since),
        agreed_as=ids.encode("prp", proposal.id),
    )
    return {"version": version}


def _apply_resumption(session: Session, caller: Caller, proposal: Proposal) -> None:
    content = proposal.content
    programme = programmes.find_programme(session, content["programme"])
    series = find_series(session, programme, content["code"])
    resume_series(session, series, content["reason"], caller.id)


TERMS = proposals.register(
    Kind(
        name="coupon_series.terms",
        title=Bilingual("券系列条款", "The terms of a coupon series"),
        makers=MAKERS,
        seats=(Seat.of("budget", "budget_approver"),),
        apply=_apply_terms,
        look=_newest_version,
    )
)
RESUMPTION = proposals.register(
    Kind(
        name="coupon_series.resumption",
        title=Bilingual("恢复券系列", "Letting a halted coupon series go on"),
        makers=MAKERS,
        seats=(Seat.of("second", "budget_approver", "head_office"),),
        apply=_apply_resumption,
        look=_newest_version,
    )
)
