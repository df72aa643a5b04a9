"""Coupons without a network: a token that a till checks by itself, and what it reports later.

The token is signed with Ed25519 and lives for minutes. A till that has our public keys sees that
we made it, what it is worth and until when; it cannot see whether another till took it too. That
shows when both report: the first is redeemed, the second is kept as spent twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from loyalty import staff
from loyalty.coupons import redemption
from loyalty.coupons.acts import LATE, Act, new_act, tell, write_acts
from loyalty.coupons.checking import NOW, Desk, Ticket, Verdict
from loyalty.coupons.queries import Coupon, find_coupon, read_code
from loyalty.coupons.rules import Line
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused, ids

TYPE = "coupon+jwt"
LIVES = timedelta(minutes=10)
REPORTED_WITHIN = timedelta(days=7)
AHEAD = timedelta(minutes=2)  # by which a till's clock may be ahead of ours


@dataclass(frozen=True, slots=True)
class Report:
    """What a till accepted by a token while it had no network."""

    token: str
    reference: str
    outlet_id: int
    redeemed_at: datetime
    basket: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What became of a report: `redeemed`, `spent-twice` or `refused`."""

    reference: str
    outcome: str
    act: int | None = None
    reasons: tuple[str, ...] = ()


def make_token(coupon: Coupon) -> tuple[str, datetime]:
    """Return a token for a coupon that may be used now, and when it lapses.

    Raises `Refused` with `coupon-refused` for any other coupon.
    """
    if coupon.state != "issued":
        raise Refused("coupon-refused")
    now = datetime.now(UTC)
    expires_at = min(now + LIVES, coupon.valid_until)
    claims = {
        "sub": ids.encode("cpn", coupon.id),
        "series": coupon.series.code,
        "version": coupon.series.version,
        "value": coupon.series.document["value"],
        "minimum": coupon.series.terms.minimum,
        "remaining": coupon.remaining,
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    return staff.sign_claims(TYPE, claims), expires_at


def reconcile(
    session: Session, programme: Programme, desk: Desk, reports: Sequence[Report]
) -> list[Reconciled]:
    """Redeem what tills accepted without a network, each by itself, and say what became of it."""
    return [_reconcile(session, programme, desk, report) for report in reports]


def _reconcile(session: Session, programme: Programme, desk: Desk, report: Report) -> Reconciled:
    now: datetime = session.execute(NOW).scalar_one()
    claims = _read(report, now)
    if isinstance(claims, str):
        return Reconciled(report.reference, "refused", reasons=(claims,))
    try:
        coupon = find_coupon(session, programme, ids.decode("cpn", claims["sub"]))
    except NotFound:
        return Reconciled(report.reference, "refused", reasons=("unknown-coupon",))
    ticket = Ticket(
        report.reference,
        report.outlet_id,
        (read_code(session, coupon.id),),
        report.basket,
        coupon.customer_id,
    )
    (outcome,) = redemption.redeem(session, programme, desk, [ticket], at=report.redeemed_at)
    if isinstance(outcome, Act):
        return Reconciled(report.reference, "redeemed", outcome.id)
    reasons = _reasons(outcome.verdicts) or (outcome.code,)
    if "redeemed" not in reasons:
        return Reconciled(report.reference, "refused", reasons=reasons)
    return _keep_late(session, programme, desk, ticket, report.redeemed_at, coupon.id)


def _read(report: Report, now: datetime) -> dict[str, Any] | str:
    """Return a token's claims, or why it cannot be taken."""
    try:
        claims = staff.read_claims(TYPE, report.token)
    except staff.BadSignature:
        return "bad-token"
    made, over = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
    if not made - AHEAD <= report.redeemed_at < over or report.redeemed_at > now + AHEAD:
        return "token-over"
    return "reported-late" if now > over + REPORTED_WITHIN else claims


def _reasons(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    return tuple(reason for verdict in verdicts for reason in verdict.answer.reasons)


def _keep_late(
    session: Session,
    programme: Programme,
    desk: Desk,
    ticket: Ticket,
    at: datetime,
    coupon_id: int,
) -> Reconciled:
    """Keep a second use of a coupon for those who settle it with the partner."""
    act = new_act(
        LATE,
        ticket.reference,
        ticket.digest(),
        at,
        outlet=ticket.outlet_id,
        basket=ticket.total,
        reason="spent-twice",
    )
    written = redemption.find_act(session, desk, LATE, ticket.reference)
    if written is None:
        written = write_acts(session, programme, desk, [act], [])[ticket.reference].id
        coupon = ids.encode("cpn", coupon_id)
        tell(session, "coupon.spent_twice", desk.partner_id, written, coupon=coupon)
    return Reconciled(ticket.reference, "spent-twice", written, ("redeemed",))
