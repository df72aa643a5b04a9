"""What is told to customers takes more than one person: a purpose, and each version of a notice."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit, proposals
from loyalty.consent import notices
from loyalty.consent.notices import Purpose
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, Refused, ids

_HEAD_OFFICE = text("""
SELECT min(id) FROM loyalty.organisation_units WHERE kind = 'head_office'
""")
_NEWEST = text("""
SELECT coalesce(max(n.version), 0) FROM loyalty.consent_notices n
JOIN loyalty.consent_purposes p ON p.id = n.purpose_id WHERE p.code = :code
""")


def find_purpose(session: Session, code: str) -> Purpose:
    """Return an open purpose. Raises `Refused` with `unknown-purpose`."""
    found = notices.read_purposes(session).get(code)
    if found is None:
        raise Refused("unknown-purpose")
    return found


def refuse_known(session: Session, code: str) -> None:
    """Refuse a purpose that is open: it says for ever what it said. Raises `Refused`."""
    if code in notices.read_purposes(session):
        raise Refused("purpose-exists")


def _look_at_purpose(session: Session, code: str, _: Mapping[str, Any]) -> bool:
    return code in notices.read_purposes(session)


def _open(session: Session, caller: Caller, proposal: Proposal) -> Mapping[str, Any]:
    content = proposal.content
    refuse_known(session, content["code"])
    controller = session.execute(_HEAD_OFFICE).scalar_one()
    if controller is None:
        raise Refused("no-head-office")
    purpose = notices.open_purpose(
        session,
        content["code"],
        name_zh=content["name"]["zh"],
        name_en=content["name"]["en"],
        controller_id=controller,
        is_marketing=content["is_marketing"],
        sensitivity=content["sensitivity"],
        needs_separate=content["needs_separate"],
        by_channel=content["by_channel"],
        valid_months=content["valid_months"],
    )
    audit.record(session, caller, "purpose.opened", "purpose", purpose.code)
    return {"purpose": purpose.code}


def _look_at_notice(session: Session, code: str, _: Mapping[str, Any]) -> int:
    newest: int = session.execute(_NEWEST, {"code": code}).scalar_one()
    return newest


def _publish(session: Session, caller: Caller, proposal: Proposal) -> Mapping[str, Any]:
    content = proposal.content
    since = content["effective_from"]
    notice = notices.publish_notice(
        session,
        find_purpose(session, content["purpose"]),
        body_zh=content["body"]["zh"],
        body_en=content["body"]["en"],
        fields=content["fields"],
        approved_by=ids.encode("prp", proposal.id),
        material=content["material"],
        effective_from=None if since is None else datetime.fromisoformat(since),
    )
    detail = {"version": notice.version, "material_version": notice.material_version}
    audit.record(session, caller, "notice.published", "notice", notice.id, detail)
    return {"notice": ids.encode("ntc", notice.id), "version": notice.version}


_MAKERS = frozenset({"compliance", "consumer_protection", "head_office"})
_SEATS = (
    Seat.of("consumer_protection", "consumer_protection"),
    Seat.of("compliance", "compliance"),
)
PURPOSE = proposals.register(
    Kind(
        name="consent.purpose",
        title=Bilingual("开立个人信息处理目的", "Open a purpose of use"),
        makers=_MAKERS,
        seats=_SEATS,
        apply=_open,
        look=_look_at_purpose,
    )
)
NOTICE = proposals.register(
    Kind(
        name="consent.notice",
        title=Bilingual("发布告知书", "Publish a notice"),
        makers=_MAKERS,
        seats=_SEATS,
        apply=_publish,
        look=_look_at_notice,
    )
)
