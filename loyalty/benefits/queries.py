"""What a programme offers, to whoever asks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.programmes import Programme

OFFERS = text("""
SELECT b.code, b.kind, b.name_zh, b.name_en, t.version, t.effective_from, t.period, t.tiers,
    t.promise_minutes
FROM loyalty.benefits b JOIN LATERAL (
    SELECT * FROM loyalty.benefit_terms t
    WHERE t.benefit_id = b.id AND t.effective_from <= clock_timestamp()
    ORDER BY t.version DESC LIMIT 1
) t ON true
WHERE b.programme_id = :programme
ORDER BY b.id
""")


@dataclass(frozen=True, slots=True)
class Offer:
    """A benefit with the terms in force; `tiers` as `offer_benefit` takes them."""

    code: str
    kind: str
    name_zh: str
    name_en: str
    version: int
    effective_from: datetime
    period: str
    tiers: dict[str, Any]
    promise_minutes: int | None


def list_offers(session: Session, programme: Programme) -> list[Offer]:
    """Return the benefits of a programme whose terms are in force now, oldest first."""
    return [Offer(*row) for row in session.execute(OFFERS, {"programme": programme.id})]
