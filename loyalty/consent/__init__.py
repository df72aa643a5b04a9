"""Consent: who may be contacted for what and how; stops, wishes and fitness beside it."""

from loyalty.consent import wording as wording
from loyalty.consent.contacts import (
    NewContact,
    add_contacts,
    adopt_contacts,
    contact_digest,
    give_up,
    unseal_contacts,
)
from loyalty.consent.eligibility import NewFact, add_facts
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
from loyalty.consent.preferences import read_preference, set_preference
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
from loyalty.consent.suppression import (
    NewSuppression,
    end_suppression,
    list_suppressions,
    owners_of,
    suppress,
)

__all__ = [
    "CHANNELS",
    "CONTACT_OF",
    "NO_CHANNEL",
    "Contact",
    "Eligibility",
    "NewContact",
    "NewEvent",
    "NewFact",
    "NewSuppression",
    "Notice",
    "Preference",
    "Purpose",
    "Recorded",
    "Refusal",
    "Shown",
    "Snapshot",
    "Standing",
    "Suppression",
    "add_contacts",
    "add_facts",
    "adopt_contacts",
    "contact_digest",
    "end_suppression",
    "find_nagged",
    "give_up",
    "list_suppressions",
    "lock",
    "on_refusal",
    "open_purpose",
    "owners_of",
    "present",
    "publish_notice",
    "read_notices",
    "read_preference",
    "read_purposes",
    "read_snapshot",
    "record",
    "revisions",
    "set_preference",
    "suppress",
    "unseal_contacts",
    "withdraw",
]
