"""Registering templates: what was approved becomes a version, and a version never changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import consent
from loyalty.messages.gateways import gateways
from loyalty.messages.rules import check_contents
from loyalty.messages.wording import RULES
from loyalty.web import Refused

_OPEN = text("""
INSERT INTO loyalty.message_templates (code, class, purpose, name_zh, name_en)
VALUES (:code, :class, :purpose, :name_zh, :name_en) ON CONFLICT (code) DO NOTHING
""")
_FIND = text("""
SELECT t.id, t.class AS class_, t.purpose, coalesce(max(v.version), 0) AS version
FROM loyalty.message_templates t
LEFT JOIN loyalty.template_versions v ON v.template_id = t.id
WHERE t.code = :code GROUP BY t.id
""")
_ADD = text("""
INSERT INTO loyalty.template_versions (template_id, version, contents, placeholders, digest,
    approval)
VALUES (:template, :version, CAST(:contents AS jsonb), CAST(:placeholders AS jsonb), :digest,
    :approval)
ON CONFLICT (template_id, version) DO NOTHING RETURNING id
""")


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A template as it is proposed; class and purpose hold for all its versions."""

    code: str
    class_: str
    purpose: str
    name_zh: str
    name_en: str
    contents: Mapping[str, Any]
    placeholders: Mapping[str, str]

    def digest(self) -> bytes:
        """Return the digest of what is approved."""
        content = [self.code, self.class_, self.purpose, self.contents, self.placeholders]
        return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def check_template(session: Session, new: NewTemplate) -> None:
    """Refuse a template that says what its class may not, or has places that nobody fills.

    A purpose that is marketing makes a template marketing, whatever it calls itself. Raises
    `Refused` with `invalid-content`, each fault at its pointer.
    """
    purpose = consent.read_purposes(session).get(new.purpose)
    if purpose is None or purpose.is_marketing != (new.class_ == "marketing"):
        fault = {"pointer": "/purpose", "code": "purpose", "detail": RULES["purpose"]}
        raise Refused("invalid-content", errors=[fault])
    faults = check_contents(new.class_, new.contents, new.placeholders, gateways().sender)
    if faults:
        errors = [
            {"pointer": f.pointer, "code": f.rule, "detail": RULES[f.rule].with_words(f.words)}
            for f in faults[:100]
        ]
        raise Refused("invalid-content", errors=errors)


def register_template(session: Session, new: NewTemplate, approval: str) -> int:
    """Write the next version of a template that was approved; return the version's id.

    It is checked again: what was approved weeks ago may break a rule of today. Raises `Refused`:
    `invalid-content`, `template-differs` (class or purpose), `terms-exist`.
    """
    check_template(session, new)
    session.execute(
        _OPEN,
        {
            "code": new.code,
            "class": new.class_,
            "purpose": new.purpose,
            "name_zh": new.name_zh,
            "name_en": new.name_en,
        },
    )
    known = session.execute(_FIND, {"code": new.code}).one()
    if (known.class_, known.purpose) != (new.class_, new.purpose):
        raise Refused("template-differs")
    added: int | None = session.execute(
        _ADD,
        {
            "template": known.id,
            "version": known.version + 1,
            "contents": orjson.dumps(new.contents).decode(),
            "placeholders": orjson.dumps(new.placeholders).decode(),
            "digest": new.digest(),
            "approval": approval,
        },
    ).scalar()
    if added is None:
        raise Refused("template-version-exists")
    return added
