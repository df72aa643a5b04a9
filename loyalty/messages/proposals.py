"""What takes more than one person: a template's new version, and sending again after a stop."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit, proposals
from loyalty.messages import releasing
from loyalty.messages.registration import NewTemplate, register_template
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, ids

_NEWEST = text("""
SELECT coalesce(max(v.version), 0) FROM loyalty.message_templates t
JOIN loyalty.template_versions v ON v.template_id = t.id WHERE t.code = :code
""")


def new_template(content: Mapping[str, Any]) -> NewTemplate:
    """Return the template that a proposal's content describes."""
    return NewTemplate(
        code=content["code"],
        class_=content["class"],
        purpose=content["purpose"],
        name_zh=content["name"]["zh"],
        name_en=content["name"]["en"],
        contents=content["contents"],
        placeholders=content["placeholders"],
    )


def _register(session: Session, caller: Caller, proposal: Proposal) -> Mapping[str, Any]:
    number = register_template(
        session, new_template(proposal.content), ids.encode("prp", proposal.id)
    )
    detail = {"version": number}
    audit.record(session, caller, "template.registered", "template", proposal.subject_id, detail)
    return {"template_version": number}


def _newest(session: Session, code: str, _: Mapping[str, Any]) -> int:
    newest: int = session.execute(_NEWEST, {"code": code}).scalar_one()
    return newest


def _resume(session: Session, caller: Caller, proposal: Proposal) -> None:
    content = proposal.content
    releasing.resume(session, caller, content["scope"], content["name"], content["reason"])
    audit.record(session, caller, "sending.resumed", "sending", proposal.subject_id)


TEMPLATE = proposals.register(
    Kind(
        name="message.template",
        title=Bilingual("登记信息模板", "Register a message template"),
        makers=frozenset({"marketing_maker", "head_office", "operations"}),
        seats=(
            Seat.of("consumer_protection", "consumer_protection"),
            Seat.of("compliance", "compliance", "publicity"),
        ),
        apply=_register,
        look=_newest,
    )
)
RESUME = proposals.register(
    Kind(
        name="sending.resume",
        title=Bilingual("恢复发送", "Send again after a stop"),
        makers=frozenset({"operations", "marketing_checker", "compliance", "consumer_protection"}),
        seats=(
            Seat.of("compliance", "compliance"),
            Seat.of("business", "marketing_checker", "operations", "head_office"),
        ),
        apply=_resume,
    )
)
