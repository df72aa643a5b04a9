"""Coupons: series with terms and a budget, coupons of customers, and what tills do with them."""

from loyalty.coupons import wording as wording
from loyalty.coupons.acts import Act, Taken, read_acts
from loyalty.coupons.checking import Desk, Ticket, Verdict, check
from loyalty.coupons.ending import cancel, expire_coupons, withdraw
from loyalty.coupons.issuance import Issued, NotIssued, Order, issue, issue_one
from loyalty.coupons.queries import Coupon, find_own, list_coupons, read_code
from loyalty.coupons.redemption import Rejected, hold, redeem
from loyalty.coupons.reversal import release, reverse, void
from loyalty.coupons.rules import Line
from loyalty.coupons.series import (
    Series,
    add_version,
    find_series,
    halt_series,
    list_series,
    resume_series,
)

__all__ = [
    "Act",
    "Coupon",
    "Desk",
    "Issued",
    "Line",
    "NotIssued",
    "Order",
    "Rejected",
    "Series",
    "Taken",
    "Ticket",
    "Verdict",
    "add_version",
    "cancel",
    "check",
    "expire_coupons",
    "find_own",
    "find_series",
    "halt_series",
    "hold",
    "issue",
    "issue_one",
    "list_coupons",
    "list_series",
    "read_acts",
    "read_code",
    "redeem",
    "release",
    "resume_series",
    "reverse",
    "void",
    "withdraw",
]
