"""Spending points: at once, or held first and captured in part or whole; and taking it back."""

from datetime import datetime

from sqlalchemy.orm import Session

import ledger
from loyalty.programmes import Member, Programme
from loyalty.web import NotFound, Refused

# What the ledger calls things that whoever names them must not learn to exist.
UNKNOWN = frozenset({"unknown-hold", "unknown-transfer", "unknown-account"})


def redeem(
    session: Session, programme: Programme, member: Member, source: str, reference: str, points: int
) -> ledger.Posted:
    """Spend `points` of a member; the same reference of the same source spends once.

    Raises `Refused`: `insufficient`, `reference-reused`.
    """
    spend = ledger.Move(member.points_wallet, programme.points.redeemed, points)
    return _post(session, member, source, reference, "redeem", spend)


def reverse_redemption(
    session: Session,
    programme: Programme,
    member: Member,
    source: str,
    reference: str,
    *,
    redemption: str,
    points: int | None,
) -> ledger.Posted:
    """Give `points` (None: all that is left) of a redemption back to the lots they came from.

    What has lapsed meanwhile comes back for the rest of the programme's grace: until it is
    spent. Raises `NotFound`, or `Refused` with `over-reversal`.
    """
    spent = ledger.find_posted(session, member.points_wallet, source, redemption)
    if spent is None or not spent.lines or spent.lines[0].to_account != programme.points.redeemed:
        raise NotFound
    reverse = ledger.Reverse(member.points_wallet, spent.lines[0].position, points)
    return _post(session, member, source, reference, "reverse", reverse)


def hold(
    session: Session,
    member: Member,
    source: str,
    reference: str,
    points: int,
    lapses_at: datetime,
) -> ledger.Posted:
    """Reserve `points` of a member until `lapses_at`; the hold's id is that of its entry.

    Raises `Refused`: `insufficient`, `lapsed`, `reference-reused`.
    """
    reserve = ledger.Hold(member.points_wallet, points, lapses_at)
    return _post(session, member, source, reference, "hold", reserve)


def capture(
    session: Session,
    programme: Programme,
    member: Member,
    source: str,
    reference: str,
    *,
    hold_id: int,
    points: int,
) -> ledger.Posted:
    """Spend `points` of a hold. Raises `NotFound`, or `Refused`: `over-hold`, `hold-closed`."""
    spend = ledger.Capture(member.points_wallet, hold_id, programme.points.redeemed, points)
    return _post(session, member, source, reference, "capture", spend)


def release(
    session: Session,
    member: Member,
    source: str,
    reference: str,
    *,
    hold_id: int,
    points: int | None,
) -> ledger.Posted:
    """Free `points` (None: all) of a hold. Raises as `capture` does."""
    free = ledger.Release(member.points_wallet, hold_id, points)
    return _post(session, member, source, reference, "release", free)


def adjust(
    session: Session,
    programme: Programme,
    member: Member,
    source: str,
    reference: str,
    *,
    points: int,
    terms: ledger.Terms,
    cause: dict[str, object],
) -> ledger.Posted:
    """Correct a balance by `points` (negative: take away), for the reason that `cause` names.

    Who may do so, and who must agree, is the edge's to see to. Raises as `redeem` does.
    """
    account = programme.points.adjusted
    move = (
        ledger.Move(account, member.points_wallet, points, terms)
        if points > 0
        else ledger.Move(member.points_wallet, account, -points)
    )
    return _post(session, member, source, reference, "adjust", move, cause)


def _post(
    session: Session,
    member: Member,
    source: str,
    reference: str,
    kind: str,
    act: ledger.Act,
    cause: dict[str, object] | None = None,
) -> ledger.Posted:
    entry = ledger.Entry(member.points_wallet, source, reference, kind, (act,), cause=cause)
    (outcome,) = ledger.post(session, [entry])
    if isinstance(outcome, ledger.Refusal):
        if outcome.code in UNKNOWN:
            raise NotFound
        raise Refused(outcome.code)
    return outcome
