"""What a coupon is worth at a till and why not, decided without I/O.

Amounts are minor units. A percentage is rounded down to a whole minor unit. Several coupons on
one basket are taken in the order in which they were shown; each sees what those before it left
to pay, while the minimum is compared with the basket as it was filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

WHOLE = 10_000  # basis points
KINDS = ("amount", "percent", "goods", "service")
STATES = ("issued", "held", "redeemed", "voided", "expired", "withdrawn")
MOVES = frozenset(
    {
        ("issued", "issued"),
        ("issued", "held"),
        ("issued", "redeemed"),
        ("issued", "voided"),
        ("issued", "expired"),
        ("issued", "withdrawn"),
        ("held", "issued"),
        ("held", "held"),
        ("held", "redeemed"),
        ("held", "voided"),
        ("held", "expired"),
        ("held", "withdrawn"),
        ("redeemed", "issued"),
        ("redeemed", "redeemed"),
        ("expired", "expired"),
        ("withdrawn", "withdrawn"),
        ("voided", "voided"),
    }
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a coupon of one version of a series promises; never changed once in force.

    `amount` is what is taken off, or for goods and services what the partner is owed;
    `basis_points` and `amount` as its maximum are those of a percentage. Empty `categories` and
    `outlets` mean any; empty `partners` any partner of the programme. `ours` is the share of the
    programme in basis points, the partner bears the rest.
    """

    kind: str
    amount: int
    basis_points: int = 0
    minimum: int = 0
    categories: frozenset[str] = frozenset()
    partners: frozenset[int] = frozenset()
    outlets: frozenset[int] = frozenset()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    days: int | None = None
    weekdays: frozenset[int] = frozenset()
    opens: time | None = None
    closes: time | None = None
    total: int | None = None
    per_day: int | None = None
    per_customer: int | None = None
    uses_per_day: int | None = None
    stackable: bool = False
    bound: bool = True
    refundable: bool = True
    divisible: bool = False
    claimable: bool = False
    short_code: bool = False
    ours: int = WHOLE

    @property
    def most(self) -> int:
        """The most that one coupon can be worth."""
        return self.amount

    @property
    def reserve(self) -> int:
        """The most that one coupon can cost the programme."""
        return share(self.most, self.ours)


@dataclass(frozen=True, slots=True)
class Held:
    """A coupon as it stands: what it has left, until when, and who may show it."""

    state: str
    remaining: int
    valid_from: datetime
    valid_until: datetime
    customer_id: int | None = None
    held_by: int | None = None
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Something in a basket: what it costs together, and what kind of thing it is."""

    amount: int
    category: str = ""


@dataclass(frozen=True, slots=True)
class Till:
    """Where and when a coupon is shown, and for whom where that was said.

    `hold` is the reservation that is being redeemed, if there is one.
    """

    partner_id: int
    outlet_id: int
    at: datetime
    zone: ZoneInfo
    customer_id: int | None = None
    hold: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Why not (empty: yes), what a coupon takes off, and what the partner is owed for it."""

    reasons: tuple[str, ...]
    discount: int = 0
    worth: int = 0

    @property
    def is_yes(self) -> bool:
        """Whether the coupon may be redeemed."""
        return not self.reasons


def decide_basket(
    coupons: Sequence[tuple[Terms, Held]],
    basket: Sequence[Line],
    till: Till,
    barred: Sequence[tuple[str, ...]] = (),
) -> list[Answer]:
    """Return an answer for each coupon on one basket, in their order.

    What they take off together is never more than the basket. `barred` are reasons that others
    found against each coupon.
    """
    left = list(basket)
    answers: list[Answer] = []
    accepted: list[Terms] = []
    for place, (terms, coupon) in enumerate(coupons):
        reasons = why_not(terms, coupon, basket, till)
        reasons += barred[place] if barred else ()
        if accepted and not (terms.stackable and accepted[-1].stackable):
            reasons.append("not-stackable")
        answer = _value(terms, coupon, left) if not reasons else Answer(tuple(reasons))
        if answer.is_yes:
            accepted.append(terms)
            left = _take_off(left, terms, answer.discount)
        answers.append(answer)
    return answers


def why_not(terms: Terms, coupon: Held, basket: Sequence[Line], till: Till) -> list[str]:
    """Return every reason why a coupon cannot be redeemed; none means that it can."""
    reasons = [*_state_reasons(coupon, till), *_place_reasons(terms, till)]
    shown_by_another = till.customer_id not in (None, coupon.customer_id)
    if terms.bound and coupon.customer_id is not None and shown_by_another:
        reasons.append("other-customer")
    eligible = sum(line.amount for line in _eligible(terms, basket))
    if eligible < terms.minimum:
        reasons.append("below-minimum")
    if eligible == 0 and terms.kind in ("amount", "percent"):
        reasons.append("nothing-eligible")
    return reasons


def _state_reasons(coupon: Held, till: Till) -> list[str]:
    state = state_at(coupon, till.at)
    if state == "held":
        is_ours = till.hold is not None and coupon.held_by == till.hold
        return [] if is_ours else ["held"]
    if state != "issued":
        return [state]
    return ["not-yet-valid"] if till.at < coupon.valid_from else []


def state_at(coupon: Held, at: datetime) -> str:
    """Return the state that counts at `at`: holds lapse and coupons expire without a sweeper."""
    if coupon.state not in ("issued", "held"):
        return coupon.state
    if at >= coupon.valid_until:
        return "expired"
    lapsed = coupon.held_until is None or at >= coupon.held_until
    return "issued" if lapsed else coupon.state


def _place_reasons(terms: Terms, till: Till) -> list[str]:
    local = till.at.astimezone(till.zone)
    reasons = []
    if terms.partners and till.partner_id not in terms.partners:
        reasons.append("other-partner")
    elif terms.outlets and till.outlet_id not in terms.outlets:
        reasons.append("other-outlet")
    if terms.weekdays and local.isoweekday() not in terms.weekdays:
        reasons.append("other-weekday")
    too_early = terms.opens is not None and local.time() < terms.opens
    if too_early or (terms.closes is not None and local.time() >= terms.closes):
        reasons.append("other-hour")
    return reasons


def _eligible(terms: Terms, lines: Sequence[Line]) -> list[Line]:
    return [x for x in lines if not terms.categories or x.category in terms.categories]


def _value(terms: Terms, coupon: Held, left: Sequence[Line]) -> Answer:
    if terms.kind in ("goods", "service"):
        return Answer((), 0, terms.amount)
    payable = sum(line.amount for line in _eligible(terms, left))
    if terms.kind == "percent":
        discount = min(payable * terms.basis_points // WHOLE, terms.amount)
    else:
        discount = min(payable, coupon.remaining)
    return Answer((), discount, discount) if discount else Answer(("nothing-left-to-pay",))


def _take_off(left: Sequence[Line], terms: Terms, discount: int) -> list[Line]:
    rest = []
    for line in left:
        is_eligible = not terms.categories or line.category in terms.categories
        part = min(discount, line.amount) if is_eligible else 0
        discount -= part
        rest.append(replace(line, amount=line.amount - part))
    return rest


def share(worth: int, ours: int) -> int:
    """Return what of `worth` the programme pays, half a unit rounded up; the partner the rest."""
    return (2 * worth * ours + WHOLE) // (2 * WHOLE)


def remaining_after(terms: Terms, remaining: int, answer: Answer) -> int:
    """Return what is left of a coupon after a use: a part where the terms allow parts."""
    return remaining - answer.discount if terms.divisible else 0


def validity(terms: Terms, at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Return from when until when a coupon issued at `at` is valid; None: it would be over.

    Days count from the day of issue, which is not one of them; the last ends at midnight.
    """
    start = at if terms.starts_at is None else max(at, terms.starts_at)
    ends = [] if terms.ends_at is None else [terms.ends_at]
    if terms.days is not None:
        ends.append(_midnight_after(at.astimezone(zone).date() + timedelta(terms.days), zone))
    end = min(ends)
    return (start, end) if start < end else None


def _midnight_after(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(1), time(), zone)


def read_terms(document: dict[str, Any]) -> Terms:
    """Return the terms that a series' document holds; it was checked before it was agreed."""
    value, validity_ = document["value"], document["validity"]
    hours, limits = validity_["hours"], document["limits"]
    return Terms(
        kind=value["kind"],
        amount=value["amount"],
        basis_points=value["basis_points"] or 0,
        minimum=document["minimum"],
        categories=frozenset(document["categories"]),
        partners=frozenset(document["partners"]),
        outlets=frozenset(document["outlets"]),
        starts_at=_instant(validity_["starts_at"]),
        ends_at=_instant(validity_["ends_at"]),
        days=validity_["days"],
        weekdays=frozenset(validity_["weekdays"]),
        opens=None if hours is None else time.fromisoformat(hours["from"]),
        closes=None if hours is None else time.fromisoformat(hours["to"]),
        total=limits["total"],
        per_day=limits["day"],
        per_customer=limits["customer"],
        uses_per_day=limits["uses_per_day"],
        **{name: document[name] for name in _FLAGS},
        ours=document["ours"],
    )


_FLAGS = ("stackable", "bound", "refundable", "divisible", "claimable", "short_code")


def _instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
