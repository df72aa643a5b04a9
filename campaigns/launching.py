"""Launching: what was approved becomes ordinary rules, templates, releases and requests.

Everything is written in one transaction, or nothing is. What follows (people, coupons, messages)
is a run that finds it all there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from campaigns import (
    approval,
    contents,
    disclosures,
    drafting,
    drawing,
    draws,
    linting,
    previewing,
    rules,
)
from campaigns.approval import Approval
from campaigns.queries import Campaign
from loyalty import messages, outbox, points, programmes, proposals
from loyalty.programmes import Programme
from loyalty.web import Caller, Refused, ids

RUN = "campaigns.expand"
BUDGET, ORIGIN = "campaign_budget", "campaign"
KEPT = timedelta(days=3 * 366)
"""How long the archive of advertisements is kept after the launch, at the least."""

_LAUNCH = text("""
INSERT INTO campaigns.launches (campaign_id, version, digest, approval_id, preview_id, means,
    launched_by)
VALUES (:campaign, :version, :digest, :approval, :preview, CAST(:means AS jsonb), :launched_by)
RETURNING id
""")
_STATE = text("UPDATE campaigns.states SET state = :state WHERE campaign_id = :campaign")
_ARCHIVE = text("""
INSERT INTO campaigns.advertisements (launch_id, arm, channel, language, content, digest, review,
    kept_until)
VALUES (:launch, :arm, :channel, :language, CAST(:content AS jsonb), :digest, :review,
    clock_timestamp() + :kept)
""")
_NOTICE = text("""
INSERT INTO campaigns.prize_notices (launch_id, notice, digest, commitment)
VALUES (:launch, CAST(:notice AS jsonb), :digest, :commitment)
""")


def launch(session: Session, caller: Caller, campaign: Campaign, preview_id: int) -> int:
    """Let an approved version go, on a fresh preview, and return the launch's number.

    Raises `Refused` with `campaign-launched`, `approval-needed`, `preview-needed` or
    `campaign-blocked`.
    """
    newest, state = drafting.lock(session, campaign.id)
    if state in drafting.FIXED:
        raise Refused("campaign-launched")
    if newest != campaign.version:
        raise Refused("approval-needed")
    agreed = approval.approval_in_force(session, campaign)
    preview = approval.check_preview(session, campaign, preview_id)
    programme = programmes.find_programme(session, campaign.programme)
    _refuse_blocked(session, programme, campaign)
    budget, prizes = _fund(session, programme, campaign)
    means = {
        "release": _release(session, campaign, agreed),
        "rule": _agree_on_rule(session, programme, campaign, agreed, budget),
        "budget": budget,
        "prizes": prizes,
    }
    launch_id: int = session.execute(
        _LAUNCH,
        {
            "campaign": campaign.id,
            "version": campaign.version,
            "digest": campaign.digest,
            "approval": agreed.id,
            "preview": preview.id,
            "means": ledger.dump_json(means),
            "launched_by": proposals.staff_id(caller),
        },
    ).scalar_one()
    _archive(session, campaign, launch_id, agreed)
    _publish_draw(session, campaign, launch_id)
    session.execute(_STATE, {"campaign": campaign.id, "state": "running"})
    outbox.start_run(session, RUN, {"launch": launch_id}, created_by=caller.id, total=preview.total)
    return launch_id


def _refuse_blocked(session: Session, programme: Programme, campaign: Campaign) -> None:
    """Look again at what was clean when it was saved: a rule or a product may have changed."""
    found = linting.lint(session, programme, campaign.type, campaign.document)
    blocking = [one for one in found if one.severity == linting.BLOCK]
    if blocking:
        raise Refused(
            "campaign-blocked",
            errors=[
                {"pointer": f"/document{one.pointer}", "code": one.rule, "detail": one.words}
                for one in blocking
            ],
        )


def _release(session: Session, campaign: Campaign, agreed: Approval) -> dict[str, Any]:
    """Register the words of each arm, and release them until the campaign or approval ends."""
    review = ids.encode("prp", agreed.proposal_id)
    versions, digests = {}, []
    for variant in campaign.document["told"]:
        new = messages.NewTemplate(
            code=f"{ids.encode('cmp', campaign.id)}-{variant['name']}",
            class_="marketing" if campaign.is_marketing else "service",
            purpose=campaign.document["purpose"] or "service",
            name_zh=campaign.document["names"]["zh"],
            name_en=campaign.document["names"]["en"],
            contents={
                channel: variant["contents"][channel] for channel in campaign.document["channels"]
            },
            placeholders=contents.placeholders_of(campaign.document),
        )
        versions[variant["name"]] = messages.register_template(session, new, review)
        digests.append(new.digest().hex())
    starts_at, ends_at = _times(campaign)
    terms = previewing.case_of(session, campaign, starts_at).terms
    number = messages.release(
        session,
        messages.NewRelease(
            origin_kind=ORIGIN,
            origin=ids.encode("cmp", campaign.id),
            digest=campaign.digest,
            approved_digest=agreed.digest,
            approval=review,
            terms=replace(
                terms,
                templates=tuple(digests),
                has_return=terms.product in disclosures.WITH_RETURN,
                discloses=_disclosed(campaign),
            ),
            starts_at=starts_at,
            expires_at=min(ends_at, agreed.expires_at),
        ),
    )
    return {"id": number, "templates": versions}


def _disclosed(campaign: Campaign) -> tuple[str, ...]:
    """Return the codes of what was put into each text when the campaign was saved."""
    return tuple(one["code"] for one in campaign.document["disclosures"])


def _times(campaign: Campaign) -> tuple[datetime, datetime]:
    schedule = campaign.document["schedule"]
    return (
        datetime.fromisoformat(schedule["starts_at"]),
        datetime.fromisoformat(schedule["ends_at"]),
    )


def _agree_on_rule(
    session: Session,
    programme: Programme,
    campaign: Campaign,
    agreed: Approval,
    budget: Mapping[str, int] | None,
) -> int | None:
    """Write the offer's earning rule, for all customers alike, agreed by who approved.

    Each of its awards uses up as much of the campaign's budget, and ends where that does.
    """
    offer = campaign.document.get("offer") or {}
    if "earning_rule" not in offer:
        return None
    starts_at, ends_at = _times(campaign)
    proposal = proposals.read_proposal(session, agreed.proposal_id)
    approver = next(given.by for given in proposal.approvals if given.seat == "business")
    rule = points.propose_rule(
        session,
        programme,
        code=f"campaign-{campaign.code}"[:60],
        document={**offer["earning_rule"], **({} if budget is None else {"budget": budget})},
        effective_from=starts_at,
        effective_until=ends_at,
        proposed_by=ids.encode("stf", proposal.proposed_by),
    )
    points.decide_rule(session, rule, "approved", decided_by=ids.encode("stf", approver))
    return rule


def _fund(
    session: Session, programme: Programme, campaign: Campaign
) -> tuple[dict[str, int] | None, dict[str, int] | None]:
    """Open the campaign's budget, and beside it that of its prizes: wallets with floor zero.

    Their unit is leave to give, not points or money: nobody is owed what stands in it. What was
    promised as prizes is set aside, so that no award uses it up.
    """
    budget: Mapping[str, Any] | None = campaign.document.get("budget")
    if budget is None:
        return None, None
    counted = programme.currency if budget["unit"] == "money" else f"{programme.code}.points"
    unit = ledger.open_unit(session, f"{counted}.budget", budget["unit"])
    prizes = rules.prizes_cost(campaign.document)
    holder = f"campaign:{campaign.id}"
    return (
        _open_budget(session, unit, campaign, holder, budget["amount"] - prizes),
        _open_budget(session, unit, campaign, f"{holder}:prizes", prizes) if prizes else None,
    )


def _open_budget(
    session: Session, unit: int, campaign: Campaign, holder: str, amount: int
) -> dict[str, int]:
    account = ledger.open_wallets(session, unit, [holder], role=BUDGET)[holder]
    house = ledger.house(session, unit)
    if amount:
        move = ledger.Move(house.issued, account, amount)
        cause = {"campaign": ids.encode("cmp", campaign.id), "version": campaign.version}
        entry = ledger.Entry(account, "campaigns", "fund", "fund", (move,), cause=cause)
        (outcome,) = ledger.post(session, [entry])
        if isinstance(outcome, ledger.Refusal):
            raise Refused(outcome.code)
    return {"wallet": account, "used": house.redeemed}


def _archive(session: Session, campaign: Campaign, launch_id: int, agreed: Approval) -> None:
    for variant in campaign.document["told"]:
        for channel in campaign.document["channels"]:
            for language, words in variant["contents"][channel].items():
                written = ledger.dump_json(words)
                session.execute(
                    _ARCHIVE,
                    {
                        "launch": launch_id,
                        "arm": variant["name"],
                        "channel": channel,
                        "language": language,
                        "content": written,
                        "digest": sha256(written.encode()).digest(),
                        "review": ids.encode("prp", agreed.proposal_id),
                        "kept": KEPT,
                    },
                )


def _publish_draw(session: Session, campaign: Campaign, launch_id: int) -> None:
    """Publish what the law wants of a prize draw, with the hash of the seed that will decide it."""
    draw = campaign.document.get("draw")
    if campaign.type != "prize_draw" or draw is None:
        return
    written = ledger.dump_json(draw)
    session.execute(
        _NOTICE,
        {
            "launch": launch_id,
            "notice": written,
            "digest": sha256(written.encode()).digest(),
            "commitment": draws.promise(drawing.seed_of(launch_id)),
        },
    )
