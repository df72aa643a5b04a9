"""What a customer's will comes to: pure, event by event. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

CHANNELS = ("SMS", "CALL", "EMAIL", "APP_PUSH", "IN_APP", "WECHAT", "POST", "BRANCH")
NO_CHANNEL = "NONE"
"""The channel of what is agreed to whatever the way: use of sensitive data, a partner, abroad."""

GRANT, REFUSE, WITHDRAW = "GRANT", "REFUSE", "WITHDRAW"
CONFIRM, EXPIRE, IMPORT, REOPEN = "CONFIRM", "EXPIRE", "IMPORT", "REOPEN"
ACTIONS = (GRANT, REFUSE, WITHDRAW, CONFIRM, EXPIRE, IMPORT, REOPEN)

GRANTED, PENDING, REFUSED = "GRANTED", "PENDING", "REFUSED"
WITHDRAWN, EXPIRED, OPEN = "WITHDRAWN", "EXPIRED", "OPEN"
STATUSES = (GRANTED, PENDING, REFUSED, WITHDRAWN, EXPIRED, OPEN)
AGAINST = frozenset({REFUSED, WITHDRAWN})

SELF_FORM = "SELF_FORM"
"""A form that anybody may fill in with somebody else's address: counts once confirmed."""
MECHANISMS = (
    *("APP", "WEB", SELF_FORM, "BRANCH", "PAPER", "CALL", "SMS_REPLY"),
    *("EMAIL_LINK", "ONE_CLICK", "IMPORT", "EXPIRY"),
)

CONTACT_KINDS = ("PHONE", "EMAIL", "DEVICE", "WECHAT", "ADDRESS")
CONTACT_OF: Mapping[str, str | None] = {
    "SMS": "PHONE",
    "CALL": "PHONE",
    "EMAIL": "EMAIL",
    "APP_PUSH": "DEVICE",
    "WECHAT": "WECHAT",
    "POST": "ADDRESS",
    "IN_APP": None,
    "BRANCH": None,
}
"""The kind of contact point that a channel goes to; none where the customer comes to us."""

SCOPES = ("ALL", "CHANNEL", "PURPOSE", "TOPIC", "CONTACT_POINT")
SUPPRESSION_REASONS = (
    *("opt-out", "complaint", "bounce", "deceased", "legal-hold", "fraud-victim"),
    *("staff-test", "restricted", "customer-wish"),
)
AGE_BANDS = ("UNDER_14", "UNDER_18", "ADULT", "FROM_65")
CAPACITIES = ("FULL", "LIMITED", "NONE")
FACT_KINDS = (
    *("risk_grade", "age_band", "capacity", "open_complaints"),
    *("restricted", "deceased", "distress"),
)


class Key(NamedTuple):
    """What one consent is about, for one customer."""

    purpose_id: int
    channel: str
    partner_id: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One event as far as the state depends on it."""

    seq: int
    action: str
    occurred_at: datetime
    mechanism: str
    notice_id: int | None = None
    separate: bool = False
    whole_channel: bool = False
    guardian: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What the events so far come to. `refused_at` is the newest refusal ever."""

    status: str
    since_seq: int
    mechanism: str
    notice_id: int | None = None
    separate: bool = False
    whole_channel: bool = False
    guardian: bool = False
    granted_at: datetime | None = None
    refused_at: datetime | None = None
    expires_at: datetime | None = None


def fold(state: State | None, event: Event, valid_months: int) -> State | None:
    """Return the state after `event`, which may be the state before it.

    A refusal counts from when it is recorded. Agreement counts only if it is younger than every
    refusal, and what is imported counts only where nobody ever refused.
    """
    if event.action in (REFUSE, WITHDRAW):
        return _refused(state, event)
    if event.action in (GRANT, IMPORT):
        return _granted(state, event, valid_months)
    return None if state is None else _moved(state, event, valid_months)


def _moved(state: State, event: Event, valid_months: int) -> State:
    stands = state.status in (PENDING, GRANTED)
    if event.action == CONFIRM and stands:
        since = state.since_seq if state.status == GRANTED else event.seq
        until = _later(state.expires_at, add_months(event.occurred_at, valid_months))
        return replace(state, status=GRANTED, since_seq=since, expires_at=until)
    if event.action == EXPIRE and stands:
        return replace(state, status=EXPIRED, since_seq=event.seq, expires_at=None)
    if event.action == REOPEN and state.status in AGAINST:
        return replace(state, status=OPEN, since_seq=event.seq, whole_channel=False)
    return state


def _refused(state: State | None, event: Event) -> State:
    return State(
        status=REFUSED if event.action == REFUSE else WITHDRAWN,
        since_seq=event.seq,
        mechanism=event.mechanism,
        notice_id=event.notice_id,
        whole_channel=event.whole_channel,
        refused_at=_later(None if state is None else state.refused_at, event.occurred_at),
    )


def _granted(state: State | None, event: Event, valid_months: int) -> State | None:
    refused_at = None if state is None else state.refused_at
    if refused_at is not None and (event.action == IMPORT or event.occurred_at <= refused_at):
        return state
    if state is not None and event.action == IMPORT and state.status == GRANTED:
        return state
    return State(
        status=PENDING if event.mechanism == SELF_FORM else GRANTED,
        since_seq=event.seq,
        mechanism=event.mechanism,
        notice_id=event.notice_id,
        separate=event.separate,
        guardian=event.guardian,
        granted_at=event.occurred_at,
        refused_at=refused_at,
        expires_at=add_months(event.occurred_at, valid_months),
    )


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def add_months(at: datetime, months: int) -> datetime:
    """Return the same day and hour months later; the last of the month where it is shorter."""
    years, month = divmod(at.month - 1 + months, 12)
    year, day = at.year + years, at.day
    while True:
        try:
            return at.replace(year=year, month=month + 1, day=day)
        except ValueError:
            day -= 1


def may_be_asked(now: datetime, refused_at: datetime, prompts: int, after: timedelta) -> bool:
    """Return whether who refused may be asked again: after so long, and once."""
    return now >= refused_at + after and prompts == 0


NOTICE_FIELDS = (
    *("controller", "contact", "purpose", "way", "kinds"),
    *("retention", "rights", "withdrawal"),
)
SENSITIVE_FIELDS = ("necessity", "effect")

PROOF_FIELDS = frozenset(
    {
        *("call_record", "scan_sha256", "inbound_message", "screenshot_sha256", "form"),
        *("witness", "session", "device", "request", "token", "address_digest"),
        *("collected_by", "collected_how", "evidence"),
    }
)
"""What a proof may hold: references and digests of the bank's records, never a person's words."""
IMPORT_PROOF = ("collected_by", "collected_how", "evidence")
PROOF_OF: Mapping[str, tuple[str, ...]] = {
    "PAPER": ("scan_sha256",),
    "CALL": ("call_record",),
    "SMS_REPLY": ("inbound_message",),
    "BRANCH": ("witness",),
    "IMPORT": IMPORT_PROOF,
}
"""What must be in the proof of an agreement, by the way it was given."""
ON_SCREEN = frozenset({"APP", "WEB", SELF_FORM})
"""Ways of agreeing on a screen of ours: what was shown there is on record."""
_OPAQUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_PHONE_LIKE = re.compile(r"(?:\+?86)?1[3-9][0-9]{9}")


def find_proof_fault(proof: Mapping[str, Any] | None) -> str | None:
    """Return the first field of a proof that may not be kept, or None."""
    for name, value in (proof or {}).items():
        opaque = isinstance(value, str) and _OPAQUE.fullmatch(value)
        if name not in PROOF_FIELDS or not opaque or _PHONE_LIKE.fullmatch(value):
            return name
    return None


def find_missing_proof(mechanism: str, proof: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what an agreement that was given this way still has to prove."""
    return tuple(name for name in PROOF_OF.get(mechanism, ()) if not (proof or {}).get(name))
