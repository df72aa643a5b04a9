"""Stopping a campaign at once, by one person; letting it go on again, by two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from campaigns import drafting
from campaigns.launching import RUN
from campaigns.queries import Launch, find_launch, read_campaign
from loyalty import messages, outbox, proposals
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, Refused, ids

_ACT = text("""
WITH act AS (
    INSERT INTO campaigns.stops (campaign_id, number, act, reason, done_by)
    SELECT :campaign, coalesce(max(number), 0) + 1, :act, :reason, :done_by
    FROM campaigns.stops WHERE campaign_id = :campaign
)
UPDATE campaigns.states SET state = :state WHERE campaign_id = :campaign
""")
_LIST = text("""
SELECT act, reason, done_by, at FROM campaigns.stops WHERE campaign_id = :campaign
ORDER BY number DESC LIMIT 20
""")
_RUNS = text("""
SELECT id FROM loyalty.runs WHERE kind = :kind AND arguments ->> 'launch' = CAST(:launch AS text)
""")


def stop(session: Session, caller: Caller, campaign_id: int, reason: str) -> None:
    """Stop everything of a campaign that has not left; what was promised is still honoured.

    Raises `Refused` with `campaign-not-launched` or `campaign-stopped`.
    """
    launch = _running(session, campaign_id, "running")
    messages.stop(session, caller, "release", str(launch.means["release"]["id"]), reason)
    for run in _runs(session, launch.id):
        outbox.stop_run(session, run)
    _act(session, campaign_id, "stop", reason, proposals.staff_id(caller), "stopped")


def propose_restart(session: Session, caller: Caller, campaign_id: int, reason: str) -> Proposal:
    """Propose that a stopped campaign goes on; another person decides.

    Raises `Refused` with `campaign-not-launched` or `campaign-not-stopped`.
    """
    _running(session, campaign_id, "stopped")
    content = {"reason": reason}
    return proposals.propose(session, caller, RESTART, "campaign", campaign_id, content)


def list_stops(session: Session, campaign_id: int) -> Sequence[Any]:
    """Return the last stops and restarts of a campaign, each with who, when and why."""
    return session.execute(_LIST, {"campaign": campaign_id}).all()


def _running(session: Session, campaign_id: int, wanted: str) -> Launch:
    _, state = drafting.lock(session, campaign_id)
    launch = find_launch(session, campaign_id)
    if launch is None:
        raise Refused("campaign-not-launched")
    if state != wanted:
        raise Refused("campaign-stopped" if state == "stopped" else "campaign-not-stopped")
    return launch


def _runs(session: Session, launch_id: int) -> list[int]:
    return list(session.scalars(_RUNS, {"kind": RUN, "launch": launch_id}))


def _act(
    session: Session, campaign_id: int, act: str, reason: str, done_by: int, state: str
) -> None:
    row = {"campaign": campaign_id, "act": act, "reason": reason, "done_by": done_by}
    session.execute(_ACT, {**row, "state": state})


def _look(session: Session, subject: str, _: Mapping[str, Any]) -> str:
    return read_campaign(session, ids.decode("cmp", subject)).state


def _apply(session: Session, caller: Caller, proposal: Proposal) -> None:
    campaign_id = ids.decode("cmp", proposal.subject_id)
    launch = _running(session, campaign_id, "stopped")
    reason = proposal.content["reason"]
    messages.resume(session, caller, "release", str(launch.means["release"]["id"]), reason)
    for run in _runs(session, launch.id):
        outbox.resume_run(session, run)
    _act(session, campaign_id, "resume", reason, proposals.staff_id(caller), "running")


RESTART = proposals.register(
    Kind(
        name="campaign.restart",
        title=Bilingual("重启已停止的营销活动", "Restart a stopped campaign"),
        makers=frozenset({"marketing_maker", "marketing_checker"}),
        seats=(Seat.of("consumer-protection", "consumer_protection", "compliance"),),
        apply=_apply,
        look=_look,
    )
)
