"""Registered templates: found by code, in the version that was approved last."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty.messages.rules import Template

_COLUMNS = """
SELECT v.id, t.code, v.version, t.class AS class_, t.purpose, v.contents, v.placeholders, v.digest
FROM loyalty.template_versions v JOIN loyalty.message_templates t ON t.id = v.template_id
"""
_BY_ID = text(f"{_COLUMNS} WHERE v.id = ANY(:ids)")
_NEWEST = text(
    f"""{_COLUMNS} WHERE t.code = ANY(:codes) AND v.version =
    (SELECT max(version) FROM loyalty.template_versions WHERE template_id = t.id)"""  # noqa: S608
)


def templates_by_id(session: Session, version_ids: Collection[int]) -> dict[int, Template]:
    """Return approved versions by their ids."""
    rows = session.execute(_BY_ID, {"ids": sorted(set(version_ids))})
    return {row.id: _template(row) for row in rows}


def newest_templates(session: Session, codes: Collection[str]) -> dict[str, Template]:
    """Return the version of each template that was approved last, by code."""
    rows = session.execute(_NEWEST, {"codes": sorted(set(codes))})
    return {row.code: _template(row) for row in rows}


def _template(row: Row[Any]) -> Template:
    return Template(
        version_id=row.id,
        code=row.code,
        version=row.version,
        class_=row.class_,
        purpose=row.purpose,
        contents=row.contents,
        placeholders=row.placeholders,
        digest=bytes(row.digest),
    )
