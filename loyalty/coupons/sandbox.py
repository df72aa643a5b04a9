"""What a partner's developers get back while they try things out. Nothing of it is written."""

from datetime import UTC, datetime
from typing import Any

from loyalty import partners
from loyalty.coupons.checking import UNKNOWN, Ticket, Verdict
from loyalty.coupons.rules import Answer
from loyalty.coupons.till_schemas import list_faults
from loyalty.web import Caller, Refused, ids
from loyalty.web.fields import dump_instant

WORTH = 1_000  # what a sandbox coupon takes off, where the basket has it
REASONS = {"expired": "expired", "used": "redeemed"}
TRIAL = 0  # the number of everything that a trial would have written


def check(caller: Caller, ticket: Ticket) -> list[Verdict]:
    """Return a verdict for each code as the sandbox knows them."""
    left, verdicts = ticket.total, []
    for code in ticket.codes:
        trial = partners.sandbox_answer(caller, code)
        if trial == "accepted":
            off = min(WORTH, left)
            left -= off
            verdicts.append(Verdict(TRIAL, Answer((), off, off)))
        elif trial in REASONS:
            verdicts.append(Verdict(TRIAL, Answer((REASONS[trial],))))
        else:
            verdicts.append(UNKNOWN)
    return verdicts


def redeem(caller: Caller, ticket: Ticket) -> dict[str, Any] | Refused:
    """Return what a redemption would have answered, or its refusal."""
    verdicts = tuple(check(caller, ticket))
    if any(verdict.coupon_id is None for verdict in verdicts) or not verdicts:
        return Refused("coupon-unknown", errors=list_faults(verdicts))
    if not all(verdict.answer.is_yes for verdict in verdicts):
        return Refused("coupon-refused", errors=list_faults(verdicts))
    off = sum(verdict.answer.discount for verdict in verdicts)
    now = dump_instant(datetime.now(UTC))
    return {
        "redemption_id": ids.encode("rdm", TRIAL),
        "kind": "redemption",
        "reference": ticket.reference,
        "outlet_id": ids.encode("otl", ticket.outlet_id),
        "follows": None,
        "basket": ticket.total,
        "discount": off,
        "payable": ticket.total - off,
        "worth": off,
        "ours": off,
        "lapses_at": None,
        "occurred_at": now,
        "recorded_at": now,
        "coupons": [],
    }
