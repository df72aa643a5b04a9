"""Evidence of a campaign for whoever supervises: what was approved, decided, blocked and refused.

Nobody is named in it: rules with counts, hashes, and how long a refusal took to have its effect.
What stands behind a single message or customer is the messages' own evidence.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from campaigns.previewing import read_preview
from campaigns.queries import Campaign, Launch
from loyalty import proposals
from loyalty.web import ids
from loyalty.web.fields import dump_instant

FORM = "quanyi.campaign-evidence/1"

_APPROVAL = text("""
SELECT a.proposal_id, a.bundle, a.pack, a.approved_at, a.expires_at
FROM campaigns.launches l JOIN campaigns.approvals a ON a.id = l.approval_id WHERE l.id = :launch
""")
_VERDICTS = text("""
SELECT verdict, count(*) FROM loyalty.decisions WHERE release_id = :release GROUP BY verdict
""")
_RULES = text("""
SELECT r.key AS rule, count(*) FILTER (WHERE r.value IN ('fires', 'unanswered')) AS fired,
    count(*) FILTER (WHERE d.primary_rule = r.key) AS decided
FROM loyalty.decisions d, jsonb_each_text(d.results) r WHERE d.release_id = :release
GROUP BY r.key HAVING count(*) FILTER (WHERE r.value IN ('fires', 'unanswered')) > 0 ORDER BY r.key
""")
_ADVERTISEMENTS = text("""
SELECT arm, channel, language, digest, review, kept_until FROM campaigns.advertisements
WHERE launch_id = :launch ORDER BY arm, channel, language
""")
_OPTOUTS = text("""
SELECT o.way, count(*) FROM loyalty.optout_events o
JOIN loyalty.send_attempts a ON a.id = o.attempt_id
JOIN loyalty.send_requests r ON r.id = a.request_id
WHERE r.release_id = :release GROUP BY o.way
""")
_REFUSALS = """
SELECT e.customer_id, e.recorded_at, e.channel FROM loyalty.consent_events e
JOIN loyalty.consent_purposes p ON p.id = e.purpose_id
WHERE p.code = :purpose AND e.action IN ('REFUSE', 'WITHDRAW')
"""
# A refusal takes effect with its commit; until then is how long the gate took to write it down.
_EFFECT = text(f"""
WITH refusals AS ({_REFUSALS}), purged AS (
    SELECT 1000 * extract(epoch FROM d.decided_at - (
        SELECT max(e.recorded_at) FROM refusals e
        WHERE e.customer_id = d.customer_id AND e.recorded_at <= d.decided_at)) AS ms
    FROM loyalty.decisions d
    WHERE d.release_id = :release AND d.primary_rule = 'consent.withdraw.immediate'
)
SELECT count(ms) AS purged, round(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms)) AS p50_ms,
    round(percentile_disc(0.99) WITHIN GROUP (ORDER BY ms)) AS p99_ms, round(max(ms)) AS max_ms
FROM purged
""")  # noqa: S608 - constants of this module
_SENT_AFTER = text(f"""
WITH refusals AS ({_REFUSALS})
SELECT count(*) FROM loyalty.send_attempts a JOIN loyalty.send_requests r ON r.id = a.request_id
WHERE r.release_id = :release AND EXISTS (
    SELECT FROM refusals e WHERE e.customer_id = r.customer_id
        AND e.channel = upper(r.channel) AND e.recorded_at >= r.requested_at
        AND e.recorded_at < a.at)
""")  # noqa: S608 - constants of this module


def evidence_of_campaign(session: Session, campaign: Campaign, launch: Launch) -> dict[str, Any]:
    """Return what a supervisor asks of a campaign, as JSON that names no customer."""
    asked = {
        "launch": launch.id,
        "release": launch.means["release"]["id"],
        "purpose": campaign.document["purpose"],
    }
    verdicts = {row.verdict: row.count for row in session.execute(_VERDICTS, asked)}
    effect = session.execute(_EFFECT, asked).one()
    return {
        "form": FORM,
        "campaign": ids.encode("cmp", campaign.id),
        "version": launch.version,
        "digest": launch.digest.hex(),
        "launched_at": dump_instant(launch.launched_at),
        "approval": _approval(session, launch),
        "preview": read_preview(session, launch.preview_id).counts,
        "decisions": verdicts,
        "blocked": verdicts.get("DENY", 0),
        "rules": [row._asdict() for row in session.execute(_RULES, asked)],
        "advertisements": [_told(row) for row in session.execute(_ADVERTISEMENTS, asked)],
        "opt_outs": {row.way: row.count for row in session.execute(_OPTOUTS, asked)},
        "refusals": {
            **{name: None if value is None else int(value) for name, value in _items(effect)},
            "sent_after": session.scalar(_SENT_AFTER, asked),
        },
    }


def _items(row: Row[Any]) -> list[tuple[str, Any]]:
    return list(row._asdict().items())


def _approval(session: Session, launch: Launch) -> dict[str, Any]:
    row = session.execute(_APPROVAL, {"launch": launch.id}).one()
    proposal = proposals.read_proposal(session, row.proposal_id)
    return {
        "proposal": ids.encode("prp", row.proposal_id),
        "proposed_by": ids.encode("stf", proposal.proposed_by),
        "approved_by": {one.seat: ids.encode("stf", one.by) for one in proposal.approvals},
        "bundle": bytes(row.bundle).hex(),
        "pack": row.pack,
        "approved_at": dump_instant(row.approved_at),
        "expires_at": dump_instant(row.expires_at),
    }


def _told(row: Row[Any]) -> dict[str, Any]:
    return {
        **row._asdict(),
        "digest": bytes(row.digest).hex(),
        "kept_until": dump_instant(row.kept_until),
    }
