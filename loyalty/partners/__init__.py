"""Partners: who takes our coupons, at which outlets, who may act for them, what we owe them."""

from loyalty.partners import wording as wording
from loyalty.partners.credentials import Limits, add_credential, draw_secret
from loyalty.partners.onboarding import change_state, open_partner
from loyalty.partners.outlets import change_outlet, open_outlet
from loyalty.partners.payables import (
    Accounts,
    Owing,
    TakeBack,
    find_accounts,
    owe,
    payable_account,
    take_back,
)
from loyalty.partners.permission import Counter, admit, may_use
from loyalty.partners.queries import read_partner
from loyalty.partners.rules import split
from loyalty.partners.sandbox import sandbox_answer
from loyalty.partners.signatures import SIGNED
from loyalty.partners.staffing import (
    CounterClerk,
    add_clerk,
    change_password,
    find_staff,
    recognise,
    verify_password,
)

__all__ = [
    "SIGNED",
    "Accounts",
    "Counter",
    "CounterClerk",
    "Limits",
    "Owing",
    "TakeBack",
    "add_clerk",
    "add_credential",
    "admit",
    "change_outlet",
    "change_password",
    "change_state",
    "draw_secret",
    "find_accounts",
    "find_staff",
    "may_use",
    "open_outlet",
    "open_partner",
    "owe",
    "payable_account",
    "read_partner",
    "recognise",
    "sandbox_answer",
    "split",
    "take_back",
    "verify_password",
]
