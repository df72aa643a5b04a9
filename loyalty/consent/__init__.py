"""Consent: who may be contacted for what and how; stops, wishes and fitness beside it."""

from loyalty.consent import wording as wording
from loyalty.consent.notices import (
    Notice,
    Purpose,
    Shown,
    find_nagged,
    open_purpose,
    present,
    publish_notice,
    read_notices,
    read_purposes,
)
from loyalty.consent.recording import (
    NewEvent,
    Recorded,
    Refusal,
    on_refusal,
    record,
    withdraw,
)
from loyalty.consent.rules import CHANNELS, CONTACT_OF, NO_CHANNEL
from loyalty.consent.snapshot import (
    Contact,
    Eligibility,
    Preference,
    Snapshot,
    Standing,
    Suppression,
    read_snapshot,
)
from loyalty.consent.subjects import lock, revisions

__all__ = [
    "CHANNELS",
    "CONTACT_OF",
    "NO_CHANNEL",
    "Contact",
    "Eligibility",
    "NewEvent",
    "Notice",
    "Preference",
    "Purpose",
    "Recorded",
    "Refusal",
    "Shown",
    "Snapshot",
    "Standing",
    "Suppression",
    "find_nagged",
    "lock",
    "on_refusal",
    "open_purpose",
    "present",
    "publish_notice",
    "read_notices",
    "read_purposes",
    "read_snapshot",
    "record",
    "revisions",
    "withdraw",
]
