"""Receipts: what a customer agreed to or took back, in the fields of ISO/IEC TS 27560:2023."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.consent.rules import GRANT, IMPORT, REFUSE, WITHDRAW
from loyalty.web import NotFound, ids
from loyalty.web.fields import dump_instant

VERSION = "ISO/IEC TS 27560:2023"

_EVENTS = text("""
SELECT e.seq, e.customer_id, e.purpose_id, e.channel, e.partner_id, e.action, e.separate,
    e.whole_channel, e.mechanism, e.guardian IS NOT NULL AS guardian, e.occurred_at,
    e.recorded_at, e.source, e.notice_id, p.code, p.name_zh, p.name_en, p.sensitivity,
    p.valid_months, u.name AS controller, n.version AS notice_version, n.material_version,
    n.sha256_zh, n.sha256_en, n.fields, s.lang, s.surface, s.shown_at, s.body_sha256,
    st.status, st.since_seq, st.expires_at
FROM loyalty.consent_events e
JOIN loyalty.consent_purposes p ON p.id = e.purpose_id
JOIN loyalty.organisation_units u ON u.id = p.controller_id
LEFT JOIN loyalty.consent_notices n ON n.id = e.notice_id
LEFT JOIN loyalty.consent_presentations s
    ON s.customer_id = e.customer_id AND s.id = e.presentation_id
LEFT JOIN loyalty.consent_states st ON st.customer_id = e.customer_id
    AND st.purpose_id = e.purpose_id AND st.channel = e.channel AND st.partner_id = e.partner_id
WHERE e.customer_id = :customer_id AND e.seq < :before
    AND (CAST(:seq AS bigint) IS NULL OR e.seq = :seq)
ORDER BY e.seq DESC LIMIT :limit
""")
_NEWEST = 2**63 - 1
EVENT_TYPES: Mapping[str, str] = {
    GRANT: "consent given",
    IMPORT: "consent given",
    REFUSE: "consent refused",
    WITHDRAW: "consent withdrawn",
    "CONFIRM": "consent confirmed",
    "EXPIRE": "consent expired",
    "REOPEN": "consent reopened",
}


def list_receipts(
    session: Session, customer_id: int, *, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Return a customer's receipts, newest first, from below an event's number on."""
    asked = {"customer_id": customer_id, "before": before or _NEWEST, "seq": None, "limit": limit}
    return [_receipt(row) for row in session.execute(_EVENTS, asked)]


def read_receipt(session: Session, customer_id: int, seq: int) -> dict[str, Any]:
    """Return the receipt of one event of a customer's. Raises `NotFound`."""
    asked = {"customer_id": customer_id, "before": _NEWEST, "seq": seq, "limit": 1}
    row = session.execute(_EVENTS, asked).one_or_none()
    if row is None:
        raise NotFound
    return _receipt(row)


def _receipt(row: Any) -> dict[str, Any]:
    return {
        "record": {
            "schema_version": VERSION,
            "record_id": ids.encode("cst", row.seq),
            "pii_principal_id": ids.encode("cus", row.customer_id),
        },
        "pii_processing": {
            "privacy_notice": _notice(row),
            "purposes": [_purpose(row)],
            "controller": row.controller,
            "recipients": [] if row.partner_id == 0 else [str(row.partner_id)],
            "withdrawal": f"/v1/customers/{ids.encode('cus', row.customer_id)}/withdrawals",
            "pii_information": _told(row, "kinds"),
            "storage": _told(row, "retention"),
            "rights": _told(row, "rights"),
        },
        "event": {
            "type": EVENT_TYPES[row.action],
            "action": row.action,
            "method": row.mechanism,
            "consent_type": "separate" if row.separate else "express",
            "whole_channel": row.whole_channel,
            "by_guardian": row.guardian,
            "occurred_at": dump_instant(row.occurred_at),
            "recorded_at": dump_instant(row.recorded_at),
        },
        "state": {
            "status": row.status,
            "since": None if row.since_seq is None else ids.encode("cst", row.since_seq),
            "valid_until": None if row.expires_at is None else dump_instant(row.expires_at),
        },
    }


def _purpose(row: Any) -> dict[str, Any]:
    return {
        "code": row.code,
        "name": {"zh": row.name_zh, "en": row.name_en},
        "sensitivity": row.sensitivity,
        "channel": row.channel,
        "valid_months": row.valid_months,
    }


def _told(row: Any, name: str) -> dict[str, str] | None:
    """Return what the notice says on a field, in both languages."""
    if row.fields is None:
        return None
    return {lang: row.fields[lang][name] for lang in ("zh", "en")}


def _notice(row: Any) -> dict[str, Any] | None:
    if row.notice_id is None:
        return None
    return {
        "id": ids.encode("ntc", row.notice_id),
        "version": row.notice_version,
        "material_version": row.material_version,
        "sha256": {"zh": row.sha256_zh.hex(), "en": row.sha256_en.hex()},
        "shown": None
        if row.lang is None
        else {
            "language": row.lang,
            "surface": row.surface,
            "at": dump_instant(row.shown_at),
            "sha256": row.body_sha256.hex(),
        },
    }
