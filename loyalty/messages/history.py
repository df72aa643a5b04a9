"""What a customer was written, or was not and why: one line for each request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import policy
from loyalty.settings import settings
from loyalty.web import Bilingual

_OF_CUSTOMER = text("""
SELECT r.id, r.channel, t.code, t.class AS class_, t.purpose, r.due_at, d.verdict, d.primary_rule,
    d.policy_pack, d.decided_at, d.defer_until, a.at AS left_at,
    (SELECT kind FROM loyalty.delivery_events WHERE attempt_id = a.id ORDER BY id DESC LIMIT 1)
        AS report
FROM loyalty.send_requests r
JOIN loyalty.template_versions v ON v.id = r.template_version_id
JOIN loyalty.message_templates t ON t.id = v.template_id
LEFT JOIN LATERAL (
    SELECT * FROM loyalty.decisions WHERE request_id = r.id ORDER BY id DESC LIMIT 1
) d ON true
LEFT JOIN loyalty.send_attempts a ON a.request_id = r.id
WHERE r.customer_id = :customer ORDER BY r.id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Told:
    """One message that was asked for: what the gate said last, and what came of it.

    `why` are the words of the rule that kept it back or put it off, in the pack that decided.
    """

    request_id: int
    channel: str
    template: str
    is_marketing: bool
    due_at: datetime
    verdict: str | None
    why: Bilingual | None
    defer_until: datetime | None
    left_at: datetime | None
    report: str | None


def read_history(session: Session, customer_id: int, limit: int) -> list[Told]:
    """Return the newest messages that were asked for a customer, each with why or why not."""
    packs: dict[str, policy.Pack] = {}
    found = []
    for row in session.execute(_OF_CUSTOMER, {"customer": customer_id, "limit": limit}):
        why = None
        if row.primary_rule is not None:
            if row.policy_pack not in packs:
                pack = policy.find_pack(session, settings().keys, row.policy_pack)
                packs[row.policy_pack] = pack
            told = {"purpose": row.purpose, "channel": row.channel}
            why = Bilingual(**packs[row.policy_pack].say(row.primary_rule, told))
        found.append(
            Told(
                request_id=row.id,
                channel=row.channel,
                template=row.code,
                is_marketing=row.class_ == "marketing",
                due_at=row.due_at,
                verdict=row.verdict,
                why=why,
                defer_until=row.defer_until,
                left_at=row.left_at,
                report=row.report,
            )
        )
    return found
