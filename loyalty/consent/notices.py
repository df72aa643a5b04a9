"""Purposes, what is told about them, and what each customer was shown. Nothing is ever changed."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.consent.rules import (
    AGAINST,
    NOTICE_FIELDS,
    SENSITIVE_FIELDS,
    may_be_asked,
)
from loyalty.consent.subjects import lock
from loyalty.web import NotFound, Refused

REASK_AFTER = timedelta(days=180)

OPEN_PURPOSE = text("""
INSERT INTO loyalty.consent_purposes (code, name_zh, name_en, is_marketing, sensitivity,
    needs_separate, by_channel, valid_months, controller_id)
VALUES (:code, :name_zh, :name_en, :is_marketing, :sensitivity, :needs_separate, :by_channel,
    :valid_months, :controller_id)
ON CONFLICT (code) DO NOTHING
""")
PURPOSES = text("""
SELECT id, code, name_zh, name_en, is_marketing, sensitivity, needs_separate, by_channel,
    valid_months, controller_id
FROM loyalty.consent_purposes ORDER BY id
""")
ADD_NOTICE = text("""
INSERT INTO loyalty.consent_notices (purpose_id, version, material_version, body_zh, body_en,
    sha256_zh, sha256_en, fields, approved_by, effective_from)
SELECT :purpose_id, coalesce(max(version), 0) + 1,
    coalesce(max(material_version), 0)
        + CASE WHEN :material OR max(version) IS NULL THEN 1 ELSE 0 END,
    :body_zh, :body_en, :sha256_zh, :sha256_en, CAST(:fields AS jsonb), :approved_by,
    coalesce(CAST(:effective_from AS timestamptz), clock_timestamp())
FROM loyalty.consent_notices WHERE purpose_id = :purpose_id
RETURNING id, purpose_id, version, material_version, body_zh, body_en, sha256_zh, sha256_en,
    fields, effective_from
""")
NOTICES = text("""
SELECT id, purpose_id, version, material_version, body_zh, body_en, sha256_zh, sha256_en,
    fields, effective_from
FROM loyalty.consent_notices
WHERE CAST(:ids AS bigint[]) IS NULL OR id = ANY(CAST(:ids AS bigint[]))
ORDER BY purpose_id, version
""")
ASKED_BEFORE = text("""
SELECT s.customer_id, s.status, s.refused_at, clock_timestamp() AS now,
    (SELECT count(*) FROM loyalty.consent_presentations p
        JOIN loyalty.consent_notices n ON n.id = p.notice_id
        WHERE p.customer_id = s.customer_id AND p.channel = s.channel AND p.prompted
            AND n.purpose_id = s.purpose_id AND p.shown_at > s.refused_at) AS prompts
FROM loyalty.consent_states s
WHERE s.customer_id = ANY(CAST(:ids AS bigint[])) AND s.purpose_id = :purpose_id
    AND s.channel = :channel AND s.refused_at IS NOT NULL
""")
SHOW = text("""
INSERT INTO loyalty.consent_presentations (customer_id, notice_id, channel, lang, body_sha256,
    surface, form_version, prompted, default_checked, screenshot_sha256, shown_at)
SELECT :customer_id, n.id, :channel, :lang,
    CASE :lang WHEN 'zh' THEN n.sha256_zh ELSE n.sha256_en END, :surface, :form_version,
    :prompted, :default_checked, :screenshot_sha256,
    coalesce(CAST(:shown_at AS timestamptz), clock_timestamp())
FROM loyalty.consent_notices n WHERE n.id = :notice_id
RETURNING id
""")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What personal data is used for, and what agreeing to it takes."""

    id: int
    code: str
    name_zh: str
    name_en: str
    is_marketing: bool
    sensitivity: str
    needs_separate: bool
    by_channel: bool
    valid_months: int
    controller_id: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One version of what a customer is told about a purpose."""

    id: int
    purpose_id: int
    version: int
    material_version: int
    body_zh: str
    body_en: str
    sha256_zh: bytes
    sha256_en: bytes
    fields: Mapping[str, Any]
    effective_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A notice that a customer was shown."""

    customer_id: int
    notice_id: int
    channel: str
    lang: str
    surface: str
    form_version: str
    prompted: bool = False
    default_checked: bool = False
    screenshot_sha256: bytes | None = None
    shown_at: datetime | None = None


def open_purpose(
    session: Session,
    code: str,
    *,
    name_zh: str,
    name_en: str,
    controller_id: int,
    is_marketing: bool = True,
    sensitivity: str = "ordinary",
    needs_separate: bool = False,
    by_channel: bool = True,
    valid_months: int = 24,
) -> Purpose:
    """Open a purpose and return it; one that exists is returned as it is.

    `controller_id` is the unit that answers for it. Without `by_channel` it is agreed to whatever
    the channel: the use of sensitive data, a partner, another country.
    """
    session.execute(
        OPEN_PURPOSE,
        {
            "code": code,
            "name_zh": name_zh,
            "name_en": name_en,
            "is_marketing": is_marketing,
            "sensitivity": sensitivity,
            "needs_separate": needs_separate,
            "by_channel": by_channel,
            "valid_months": valid_months,
            "controller_id": controller_id,
        },
    )
    return read_purposes(session)[code]


def read_purposes(session: Session) -> dict[str, Purpose]:
    """Return all purposes by code, in the order in which they were opened."""
    return {row.code: Purpose(*row) for row in session.execute(PURPOSES)}


def publish_notice(
    session: Session,
    purpose: Purpose,
    *,
    body_zh: str,
    body_en: str,
    fields: Mapping[str, Mapping[str, str]],
    approved_by: str,
    material: bool,
    effective_from: datetime | None = None,
) -> Notice:
    """Add the next version of a purpose's notice; `material` asks everybody for consent anew.

    `fields` has by language what the law wants told (`NOTICE_FIELDS`). Raises `Refused` with
    `notice-incomplete`, naming each field that is empty.
    """
    refuse_incomplete(purpose, fields)
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('consent notices', 0))"))
    row = session.execute(
        ADD_NOTICE,
        {
            "purpose_id": purpose.id,
            "material": material,
            "body_zh": body_zh,
            "body_en": body_en,
            "sha256_zh": hashlib.sha256(body_zh.encode()).digest(),
            "sha256_en": hashlib.sha256(body_en.encode()).digest(),
            "fields": ledger.dump_json(fields),
            "approved_by": approved_by,
            "effective_from": effective_from,
        },
    ).one()
    return Notice(*row)


def refuse_incomplete(purpose: Purpose, fields: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse a notice that leaves out what the law wants told. Raises `Refused`."""
    wanted = NOTICE_FIELDS + (SENSITIVE_FIELDS if purpose.sensitivity == "sensitive" else ())
    faults = [
        {
            "pointer": f"/fields/{lang}/{name}",
            "code": "empty",
            "detail": (f"告知书缺少“{name}”", f"the notice says nothing on {name}"),
        }
        for lang in ("zh", "en")
        for name in wanted
        if not fields.get(lang, {}).get(name, "").strip()
    ]
    if faults:
        raise Refused("notice-incomplete", errors=faults)


def read_notices(session: Session, ids: Collection[int] | None = None) -> dict[int, Notice]:
    """Return notices by id, all of them unless said which."""
    asked = {"ids": None if ids is None else list(ids)}
    return {row.id: Notice(*row) for row in session.execute(NOTICES, asked)}


def present(session: Session, shown: Sequence[Shown]) -> list[int]:
    """Keep what customers were shown and return the ids, in order.

    Raises `NotFound` (no such notice or customer), or `Refused`: `ticked-before` where anything
    was ticked for the customer, `asked-too-often` where we asked who had refused.
    """
    locked = lock(session, [one.customer_id for one in shown])
    notices = read_notices(session, {one.notice_id for one in shown})
    written = []
    for one in shown:
        notice = notices.get(one.notice_id)
        if notice is None or one.customer_id not in locked:
            raise NotFound
        if one.default_checked:
            raise Refused("ticked-before")
        if one.prompted and find_nagged(session, [one.customer_id], notice.purpose_id, one.channel):
            raise Refused("asked-too-often")
        written.append(session.execute(SHOW, _columns(one)).scalar_one())
    return written


def _columns(shown: Shown) -> dict[str, Any]:
    return {name: getattr(shown, name) for name in Shown.__dataclass_fields__}


def find_nagged(
    session: Session, customer_ids: Collection[int], purpose_id: int, channel: str
) -> set[int]:
    """Return those of the customers whom we may not ask now, because they refused.

    One may be asked again 180 days after a refusal, and once.
    """
    rows = session.execute(
        ASKED_BEFORE,
        {"ids": list(customer_ids), "purpose_id": purpose_id, "channel": channel},
    )
    return {
        row.customer_id
        for row in rows
        if row.status in AGAINST
        and not may_be_asked(row.now, row.refused_at, row.prompts, REASK_AFTER)
    }
