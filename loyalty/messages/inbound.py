"""What comes back: refusals by link and by word, bounces, complaints, and gateways' reports.

Each ends in consent or in a stop, in one transaction; what comes twice counts once.
"""

import unicodedata
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from loyalty import consent
from loyalty.consent import NewSuppression
from loyalty.messages import handover
from loyalty.web import Caller, NotFound, Refused

KEYWORDS = frozenset({"TD", "T", "R", "N", "退订", "拒收", "取消", "STOP", "UNSUBSCRIBE"})
SOURCE = "messages"

_REQUEST = text("""
SELECT r.id, r.customer_id, r.channel, t.purpose, t.class AS class_, a.id AS attempt_id,
    d.contact_digest
FROM loyalty.send_requests r
JOIN loyalty.template_versions v ON v.id = r.template_version_id
JOIN loyalty.message_templates t ON t.id = v.template_id
LEFT JOIN loyalty.send_attempts a ON a.request_id = r.id
LEFT JOIN loyalty.decisions d ON d.id = a.decision_id
WHERE r.id = :id
""")
_BY_REFERENCE = text("""
SELECT a.id AS attempt_id, r.id, r.customer_id, r.channel, t.purpose, t.class AS class_,
    d.contact_digest
FROM loyalty.send_attempts a JOIN loyalty.send_requests r ON r.id = a.request_id
JOIN loyalty.decisions d ON d.id = a.decision_id
JOIN loyalty.template_versions v ON v.id = r.template_version_id
JOIN loyalty.message_templates t ON t.id = v.template_id
WHERE a.gateway = :gateway AND a.reference = :reference
""")
_OPTOUT = text("""
INSERT INTO loyalty.optout_events (channel, contact_digest, way, digest, customer_id, attempt_id,
    consent_seq)
VALUES (:channel, :contact_digest, :way, :digest, :customer, :attempt, :seq)
ON CONFLICT DO NOTHING
""")
_CONTACTS = text("SELECT id FROM loyalty.contact_points WHERE digest = :digest")
_KNOWN = text("SELECT 1 FROM loyalty.optout_events WHERE channel = :channel AND digest = :digest")


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail report says: about which of our messages, and what became of it."""

    kind: str
    reference: str
    code: str
    is_final: bool


def unsubscribe(session: Session, caller: Caller, request_id: int) -> None:
    """Take back consent for the purpose and channel of a message; twice is once.

    Raises `NotFound` where there is no such message.
    """
    row = session.execute(_REQUEST, {"id": request_id}).one_or_none()
    if row is None or row.class_ != "marketing":
        raise NotFound
    digest = sha256(f"link:{request_id}".encode()).digest()
    _withdraw(session, caller, row, "ONE_CLICK", "link", digest)


def receive_reply(session: Session, caller: Caller, phone: str, words: str, reference: str) -> bool:
    """Take a text message from a customer; return whether it was a refusal.

    Whoever has the number is meant, and the number stays stopped for marketing whoever has it
    later. Raises `Refused` with `not-a-contact`.
    """
    contact = consent.contact_digest("PHONE", phone)
    if unicodedata.normalize("NFKC", words).strip().strip("。.!").upper() not in KEYWORDS:
        return False
    digest = sha256(f"reply:{reference}".encode()).digest()
    if session.execute(_KNOWN, {"channel": "sms", "digest": digest}).first():
        return True
    owners = consent.owners_of(session, {contact})
    recorded = consent.withdraw(
        session,
        caller,
        owners,
        mechanism="SMS_REPLY",
        source=SOURCE,
        reference=f"reply:{digest.hex()[:32]}",
        channel="SMS",
        proof={"inbound_message": digest.hex()[:64]},
    )
    _stop(session, caller, contact, "opt-out", digest)
    newest = max((one.seq for one in recorded if one.seq is not None), default=None)
    owner = min(owners) if len(owners) == 1 else None
    _note(session, "sms", contact, "keyword", digest, owner, None, newest)
    return True


def receive_mail(session: Session, caller: Caller, raw: bytes) -> Report | None:
    """Take a delivery report or a complaint about mail of ours; None where it is neither.

    A bounce for good gives the address up; a complaint is a refusal.
    """
    report = read_report(raw)
    if report is None:
        return None
    asked = {"gateway": "smtp", "reference": report.reference}
    row = session.execute(_BY_REFERENCE, asked).one_or_none()
    if row is None:
        return None
    handover.tell(session, row.attempt_id, report.kind, report.code, raw=raw)
    digest = sha256(raw).digest()
    if session.execute(_KNOWN, {"channel": row.channel, "digest": digest}).first():
        return report
    if report.kind == "complained":
        if row.class_ == "marketing":
            _withdraw(session, caller, row, "EMAIL_LINK", "complaint", digest)
        _stop(session, caller, bytes(row.contact_digest), "complaint", digest)
    elif report.is_final:
        points = session.scalars(_CONTACTS, {"digest": row.contact_digest}).all()
        consent.give_up(session, points, "bounced")
        _stop(session, caller, bytes(row.contact_digest), "bounce", digest)
        contact = bytes(row.contact_digest)
        _note(
            session, row.channel, contact, "bounce", digest, row.customer_id, row.attempt_id, None
        )
    return report


def read_report(raw: bytes) -> Report | None:
    """Return what a report (RFC 3464 or RFC 5965) says, or None where it is none of ours."""
    mail = message_from_bytes(raw, policy=policy.default)
    if mail.get_content_type() != "multipart/report":
        return None
    fields: dict[str, str] = {}
    reference = ""
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            for block in part.get_payload():
                fields |= {name.lower(): str(value) for name, value in block.items()}  # type: ignore[union-attr]
        elif kind == "message/feedback-report":
            fields["feedback-type"] = "complaint"
        elif kind in ("message/rfc822", "text/rfc822-headers"):
            reference = reference or _reference_in(part)
    if not reference:
        return None
    if "feedback-type" in fields:
        return Report("complained", reference, "complaint", True)
    status = fields.get("status", "").split()[0] if fields.get("status") else ""
    if fields.get("action", "").lower() == "delivered":
        return Report("delivered", reference, status, True)
    return Report("bounced", reference, status, status.startswith("5"))


def _reference_in(part: Any) -> str:
    """Return the reference in the Message-ID of the mail that a report is about."""
    if part.get_content_type() == "message/rfc822":
        inner: EmailMessage = part.get_payload(0)
        found = str(inner.get("Message-ID", ""))
    else:
        content = part.get_payload(decode=True) or b""
        found = str(message_from_bytes(content, policy=policy.default).get("Message-ID", ""))
    return found.strip().removeprefix("<").partition("@")[0]


def _withdraw(
    session: Session, caller: Caller, row: Row[Any], mechanism: str, way: str, digest: bytes
) -> None:
    recorded = consent.withdraw(
        session,
        caller,
        [row.customer_id],
        mechanism=mechanism,
        source=SOURCE,
        reference=f"{way}:{row.id}",
        purpose=row.purpose,
        channel=row.channel.upper(),
    )
    refusal = next((one.refusal for one in recorded if one.refusal is not None), None)
    if refusal is not None and refusal.code != "customer-erased":
        raise Refused(refusal.code)
    newest = max((one.seq for one in recorded if one.seq is not None), default=None)
    contact = b"" if row.contact_digest is None else bytes(row.contact_digest)
    _note(session, row.channel, contact, way, digest, row.customer_id, row.attempt_id, newest)


def _stop(session: Session, caller: Caller, contact: bytes, reason: str, digest: bytes) -> None:
    stop = NewSuppression(
        scope="CONTACT_POINT",
        reason=reason,
        source=SOURCE,
        reference=digest.hex()[:32],
        contact_digest=contact,
    )
    consent.suppress(session, caller, [stop])


def _note(
    session: Session,
    channel: str,
    contact: bytes,
    way: str,
    digest: bytes,
    customer: int | None,
    attempt: int | None,
    seq: int | None,
) -> None:
    session.execute(
        _OPTOUT,
        {
            "channel": channel,
            "contact_digest": contact,
            "way": way,
            "digest": digest,
            "customer": customer,
            "attempt": attempt,
            "seq": seq,
        },
    )
