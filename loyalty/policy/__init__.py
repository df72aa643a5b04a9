"""Policy: the rules of law and house as a signed pack, and judging facts by them."""

from loyalty.policy import consent_rules as consent_rules
from loyalty.policy import content_rules as content_rules
from loyalty.policy import governance_rules as governance_rules
from loyalty.policy import message_rules as message_rules
from loyalty.policy import promotion_rules as promotion_rules
from loyalty.policy import targeting_rules as targeting_rules
from loyalty.policy import wording as wording
from loyalty.policy.deposits import DEPOSIT_CATEGORIES, DEPOSIT_REFUSAL, deposit_places
from loyalty.policy.facts import (
    Campaign,
    Content,
    Facts,
    Message,
    Offer,
    Product,
    Recipient,
    Vendor,
)
from loyalty.policy.judging import (
    About,
    Judgement,
    Outcome,
    Result,
    Verdict,
    is_about_recipient,
    join,
    judge,
)
from loyalty.policy.packs import (
    SHIPPED,
    NoPack,
    Pack,
    check_pack,
    create_policy_key,
    enact,
    find_pack,
    load_pack,
    pack_in_force,
    sign_pack,
)

__all__ = [
    "DEPOSIT_CATEGORIES",
    "DEPOSIT_REFUSAL",
    "SHIPPED",
    "About",
    "Campaign",
    "Content",
    "Facts",
    "Judgement",
    "Message",
    "NoPack",
    "Offer",
    "Outcome",
    "Pack",
    "Product",
    "Recipient",
    "Result",
    "Vendor",
    "Verdict",
    "check_pack",
    "create_policy_key",
    "deposit_places",
    "enact",
    "find_pack",
    "is_about_recipient",
    "join",
    "judge",
    "load_pack",
    "pack_in_force",
    "sign_pack",
]
