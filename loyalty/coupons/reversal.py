"""Taking back what a till did: letting go of a hold, voiding the same day, reversing at any time.

A reversal gives the coupon back whole: its value, the day's use that it counted, and what the
partner was owed. What nobody can use any more goes back to the series' budget instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import outbox, partners
from loyalty.coupons.acts import (
    HOLD,
    REDEMPTION,
    RELEASE,
    REVERSAL,
    VOID,
    Act,
    Taken,
    new_act,
    read_acts,
    write_acts,
)
from loyalty.coupons.checking import NOW, Desk
from loyalty.coupons.ending import free_reserve, give_back
from loyalty.coupons.redemption import owing_reference
from loyalty.coupons.series import SOURCE, Series, find_versions
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused, ids

FIND = text("""
SELECT id FROM loyalty.redemptions
WHERE id = :number AND kind = :kind AND partner_id = :partner AND programme_id = :programme
""")
LOCK = text("""
SELECT id, state, seq, worth, remaining, reserved, held_by, valid_until FROM loyalty.coupons
WHERE id = ANY(:coupons) ORDER BY id FOR NO KEY UPDATE
""")
FOLLOWED = text("""
SELECT id, kind, reference, digest FROM loyalty.redemptions WHERE follows = :number
""")
ENDED = ("expired", "withdrawn", "voided")
LEDGER_KIND = {VOID: "void", REVERSAL: "reverse"}


def release(
    session: Session, programme: Programme, desk: Desk, hold_id: int, reference: str
) -> Act:
    """Let go of a hold before it lapses. Raises `NotFound`, or `Refused` with `hold-gone`."""
    held = _find(session, programme, desk, hold_id, HOLD)
    rows = _lock(session, held)
    followed = _followed(session, held, RELEASE, reference, "")
    if followed is not None:
        return followed
    mine = [row for row in rows.values() if row.held_by == hold_id]
    if len(mine) < len(rows) or not rows:
        raise Refused("hold-gone")
    steps = [_step(row, reference, "released", "issued", row.remaining) for row in mine]
    return _write(session, programme, desk, held, RELEASE, reference, "", steps)


def void(
    session: Session, programme: Programme, desk: Desk, redemption_id: int, reference: str
) -> Act:
    """Undo a redemption on the day on which it was made; the coupons are as before.

    Raises `NotFound`, or `Refused`: `too-late-to-void`, `already-reversed`, `reference-reused`.
    """
    done = _find(session, programme, desk, redemption_id, REDEMPTION)
    return _undo(session, programme, desk, done, VOID, reference, "void")


def reverse(
    session: Session,
    programme: Programme,
    desk: Desk,
    redemption_id: int,
    reference: str,
    reason: str,
) -> Act:
    """Undo a redemption, whenever it was made. Coupons of refundable series come back.

    Raises `NotFound`, or `Refused`: `already-reversed`, `reference-reused`.
    """
    done = _find(session, programme, desk, redemption_id, REDEMPTION)
    return _undo(session, programme, desk, done, REVERSAL, reference, reason)


def _find(session: Session, programme: Programme, desk: Desk, number: int, kind: str) -> Act:
    """Return an act of the desk's partner. Raises `NotFound` for everybody else's."""
    asked = {
        "number": number,
        "kind": kind,
        "partner": desk.partner_id,
        "programme": programme.id,
    }
    if session.execute(FIND, asked).first() is None:
        raise NotFound
    return read_acts(session, [number])[number]


def _lock(session: Session, act: Act) -> dict[int, Any]:
    coupons = [taken.coupon_id for taken in act.taken]
    return {row.id: row for row in session.execute(LOCK, {"coupons": coupons})}


def _followed(session: Session, act: Act, kind: str, reference: str, reason: str) -> Act | None:
    """Return what this very call wrote before. Raises `Refused` where another call was first."""
    row = session.execute(FOLLOWED, {"number": act.id}).one_or_none()
    if row is None:
        return None
    if (row.kind, row.reference) == (kind, reference):
        if bytes(row.digest) != _digest(act, reason):
            raise Refused("reference-reused")
        return read_acts(session, [row.id])[row.id]
    raise Refused("hold-gone" if act.kind == HOLD else "already-reversed")


def _digest(act: Act, reason: str) -> bytes:
    return hashlib.sha256(f"{act.id}:{reason}".encode()).digest()


def _undo(
    session: Session,
    programme: Programme,
    desk: Desk,
    done: Act,
    kind: str,
    reference: str,
    reason: str,
) -> Act:
    rows = _lock(session, done)
    followed = _followed(session, done, kind, reference, reason)
    if followed is not None:
        return followed
    now: datetime = session.execute(NOW).scalar_one()
    if kind == VOID and _day(done.recorded_at, programme) != _day(now, programme):
        raise Refused("too-late-to-void")
    versions = find_versions(session, {(x.series_id, x.version) for x in done.taken})
    series = {x.coupon_id: versions[x.series_id, x.version] for x in done.taken}
    budgets = [one.budget for one in series.values()]
    payable = partners.payable_account(session, desk.partner_id, desk.currency)
    ledger.lock(session, [payable, *budgets])
    _take_back(session, desk, done, kind, reference)
    steps = []
    for taken in done.taken:
        step = _restore(rows[taken.coupon_id], taken, series[taken.coupon_id], kind)
        steps.append({**step, "reference": reference})
    act = _write(session, programme, desk, done, kind, reference, reason, steps)
    for taken, step in zip(done.taken, steps, strict=True):
        row, of = rows[taken.coupon_id], series[taken.coupon_id]
        is_over = step["state"] not in ("issued", "held")
        if row.state in ENDED or row.reserved == 0:
            give_back(session, of, taken.ours, f"{kind}:{act.id}:{taken.coupon_id}")
        elif is_over:
            free_reserve(session, of, taken.coupon_id)
        if of.terms.refundable and (is_over or row.valid_until <= now):
            _tell_lost(session, taken.coupon_id)
    return act


def _tell_lost(session: Session, coupon_id: int) -> None:
    """Tell whoever gave the coupon for something that it came back too late to be of use."""
    payload = {"coupon": ids.encode("cpn", coupon_id)}
    outbox.publish(session, "coupon.lost", f"coupon:{coupon_id}", payload)


def _day(at: datetime, programme: Programme) -> object:
    return at.astimezone(programme.zone).date()


def _take_back(session: Session, desk: Desk, done: Act, kind: str, reference: str) -> None:
    takings = [
        partners.TakeBack(
            partner_id=desk.partner_id,
            currency=desk.currency,
            source=SOURCE,
            reference=owing_reference(done.reference, taken.coupon_id),
            own_reference=f"{kind}:{owing_reference(reference, taken.coupon_id)}",
            kind=LEDGER_KIND[kind],
        )
        for taken in done.taken
        if taken.worth
    ]
    if not takings:
        return
    for outcome in ledger.post(session, partners.take_back(session, takings)):
        if isinstance(outcome, ledger.Refusal):
            raise Refused(outcome.code)


def _restore(row: Any, taken: Taken, series: Series, kind: str) -> dict[str, Any]:
    """Return a coupon's step back; it keeps its state where it cannot be used any more."""
    terms = series.terms
    is_over = row.state in ENDED
    if is_over or not (terms.refundable or kind == VOID):
        step = _step(row, "", "restored", row.state, row.remaining)
    else:
        left = row.remaining + taken.discount if terms.divisible else row.worth
        step = _step(row, "", "restored", "held" if row.state == "held" else "issued", left)
    return _with_sums(step, taken, series)


def _with_sums(step: dict[str, Any], taken: Taken, series: Series) -> dict[str, Any]:
    is_counted = series.terms.uses_per_day is not None and taken.use_day is not None
    return {
        **step,
        "discount": taken.discount,
        "worth": taken.worth,
        "ours": taken.ours,
        "series_id": taken.series_id,
        "use_day": None if taken.use_day is None else taken.use_day.isoformat(),
        "counts": -1 if is_counted else 0,
    }


def _step(row: Any, reference: str, kind: str, state: str, remaining: int) -> dict[str, Any]:
    return {
        "reference": reference,
        "coupon_id": row.id,
        "seq": row.seq + 1,
        "kind": kind,
        "state": state,
        "discount": 0,
        "worth": 0,
        "ours": 0,
        "remaining": remaining,
        "use_day": None,
        "reason": None,
        "held_until": row.held_until if state == "held" else None,
        "counts": 0,
    }


def _write(
    session: Session,
    programme: Programme,
    desk: Desk,
    before: Act,
    kind: str,
    reference: str,
    reason: str,
    steps: Sequence[dict[str, Any]],
) -> Act:
    now: datetime = session.execute(NOW).scalar_one()
    act = new_act(
        kind,
        reference,
        _digest(before, reason),
        now,
        outlet=before.outlet_id,
        follows=before.id,
        basket=before.basket,
        discount=before.discount,
        worth=before.worth,
        ours=before.ours,
        reason=reason or None,
    )
    written = write_acts(session, programme, desk, [act], steps)[reference]
    return read_acts(session, [written.id])[written.id]
