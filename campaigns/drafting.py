"""Drafting: every save is a version that never changes, with what was found wrong with it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from campaigns import disclosures, linting, rules
from campaigns.products import read_facts
from campaigns.queries import Campaign, read_campaign
from loyalty import policy, programmes, proposals
from loyalty.programmes import Programme
from loyalty.web import Caller, NotFound, Refused
from loyalty.web.validation import MESSAGES, point_to

SALT_BYTES = 16
FIXED = ("running", "stopped", "ended")

_OPEN = text("""
INSERT INTO campaigns.campaigns (programme_id, code, type, salt, opened_by)
VALUES (:programme, :code, :type, :salt, :opened_by)
ON CONFLICT (programme_id, code) DO NOTHING RETURNING id
""")
_BEGIN = text("""
INSERT INTO campaigns.states (campaign_id, version, state) VALUES (:campaign, 0, 'draft')
""")
_LOCK = text("""
SELECT version, state FROM campaigns.states WHERE campaign_id = :campaign FOR NO KEY UPDATE
""")
_SAVE = text("""
WITH saved AS (
    INSERT INTO campaigns.versions (campaign_id, version, document, digest, findings, pack,
        saved_by)
    VALUES (:campaign, :version, CAST(:document AS jsonb), :digest, CAST(:findings AS jsonb),
        :pack, :saved_by)
)
UPDATE campaigns.states SET version = :version, state = 'draft' WHERE campaign_id = :campaign
""")


def open_campaign(
    session: Session,
    caller: Caller,
    programme: Programme,
    code: str,
    kind: str,
    document: Mapping[str, Any],
) -> Campaign:
    """Open a campaign with its first version and return it.

    Raises `Refused` with `campaign-exists`, `promo.deposit-reward` or `invalid-content`.
    """
    campaign_id: int | None = session.execute(
        _OPEN,
        {
            "programme": programme.id,
            "code": code,
            "type": kind,
            "salt": secrets.token_bytes(SALT_BYTES),
            "opened_by": proposals.staff_id(caller),
        },
    ).scalar_one_or_none()
    if campaign_id is None:
        raise Refused("campaign-exists")
    session.execute(_BEGIN, {"campaign": campaign_id})
    return _save(session, caller, programme, campaign_id, kind, 1, document)


def save_version(
    session: Session,
    caller: Caller,
    campaign: Campaign,
    seen: int,
    document: Mapping[str, Any],
) -> Campaign:
    """Save the next version of a campaign, made in view of version `seen`; it voids any approval.

    Raises `Refused` with `version-moved`, `campaign-launched`, `promo.deposit-reward` or
    `invalid-content`.
    """
    newest, state = lock(session, campaign.id)
    if state in FIXED:
        raise Refused("campaign-launched")
    if newest != seen:
        raise Refused("version-moved")
    programme = programmes.find_programme(session, campaign.programme)
    version = newest + 1
    return _save(session, caller, programme, campaign.id, campaign.type, version, document)


def lock(session: Session, campaign_id: int) -> tuple[int, str]:
    """Hold a campaign until the commit; return its newest version and state. Raises `NotFound`."""
    row = session.execute(_LOCK, {"campaign": campaign_id}).one_or_none()
    if row is None:
        raise NotFound
    return row.version, row.state


def _save(
    session: Session,
    caller: Caller,
    programme: Programme,
    campaign_id: int,
    kind: str,
    version: int,
    document: Mapping[str, Any],
) -> Campaign:
    _refuse_deposits(document)
    frozen = freeze(session, kind, document)
    findings = linting.lint(session, programme, kind, frozen)
    digest = rules.digest_version(str(campaign_id), version, frozen)
    session.execute(
        _SAVE,
        {
            "campaign": campaign_id,
            "version": version,
            "document": ledger.dump_json(frozen),
            "digest": digest,
            "findings": ledger.dump_json([finding.dump() for finding in findings]),
            "pack": linting.pack_in_force(session),
            "saved_by": proposals.staff_id(caller),
        },
    )
    return read_campaign(session, campaign_id)


def _refuse_deposits(document: Mapping[str, Any]) -> None:
    """Refuse to keep, even as a draft, a rule by which deposits would be rewarded."""
    rule = document.get("offer", {}).get("earning_rule")
    places = list(policy.deposit_places(rule)) if rule is not None else []
    if places:
        raise Refused(
            "promo.deposit-reward",
            errors=[
                {
                    "pointer": point_to(("document", "offer", "earning_rule", *place)),
                    "code": "deposit",
                    "detail": MESSAGES["deposit"][1:],
                }
                for place in places
            ],
        )


def freeze(session: Session, kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with the facts and disclosures of this moment in it, and the full texts.

    `told` are the variants' contents as customers will read them.
    """
    facts = read_facts(session, document.get("product"))
    needed = disclosures.required(kind, facts)
    return {
        **document,
        "facts": facts,
        "disclosures": needed,
        "told": [
            {"name": variant["name"], "contents": _compose(variant["contents"], needed)}
            for variant in document.get("variants", ())
        ],
    }


def _compose(
    contents: Mapping[str, Mapping[str, Mapping[str, str]]], needed: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    return {
        channel: {
            language: {**words, "body": _disclose(words["body"], channel, language, needed)}
            for language, words in languages.items()
        }
        for channel, languages in contents.items()
    }


def _disclose(body: str, channel: str, language: str, needed: Sequence[dict[str, Any]]) -> str:
    return disclosures.insert(body, language, list(needed), one_line=channel == "sms")
