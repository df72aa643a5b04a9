"""At the till: holding coupons, redeeming them, and letting go of what was held.

Locks are taken in one order everywhere: coupons by number, then counters, then the ledger's
wallets. What a till sends again under the same reference is answered from what was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty import partners
from loyalty.coupons import codes, rules
from loyalty.coupons.acts import HOLD, REDEMPTION, Act, Taken, new_act, read_acts, write_acts
from loyalty.coupons.checking import Desk, Shelf, Ticket, Verdict, read_shelf
from loyalty.coupons.series import SOURCE, Series
from loyalty.programmes import Programme
from loyalty.web import Refused, ids

FIND = text("""
SELECT id FROM loyalty.redemptions
WHERE partner_id = :partner AND kind = :kind AND reference = :reference
""")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A ticket that was refused: nothing of it was done. `verdicts` are in the codes' order."""

    code: str
    verdicts: tuple[Verdict, ...] = ()


Outcome = Act | Rejected


def redeem(
    session: Session,
    programme: Programme,
    desk: Desk,
    tickets: Sequence[Ticket],
    at: datetime | None = None,
) -> list[Outcome]:
    """Redeem each ticket's coupons, all or none of a ticket, and return an outcome for each.

    What the partner is owed is posted with it. Refuses, ticket by ticket: `coupon-unknown`,
    `coupon-refused`, `reference-reused`. With `at` the coupons were accepted then, without a
    network. Raises `Refused` with a code of the ledger, for all tickets: send each alone then.
    """
    return _do(session, programme, desk, tickets, _Plan(REDEMPTION, at=at))


def hold(
    session: Session,
    programme: Programme,
    desk: Desk,
    tickets: Sequence[Ticket],
    lasting: timedelta,
) -> list[Outcome]:
    """Reserve each ticket's coupons for so long; nobody else can use them meanwhile.

    Refuses as `redeem` does.
    """
    return _do(session, programme, desk, tickets, _Plan(HOLD, lasting))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done with the tickets of a call."""

    kind: str
    lasting: timedelta = timedelta()
    at: datetime | None = None


@dataclass(slots=True)
class _Draft:
    """A ticket that was decided: its act, its steps, and what the partner is owed."""

    ticket: Ticket
    act: dict[str, Any]
    steps: list[dict[str, Any]] = field(default_factory=list)
    owings: list[partners.Owing] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)


def _do(
    session: Session, programme: Programme, desk: Desk, tickets: Sequence[Ticket], plan: _Plan
) -> list[Outcome]:
    """Do the tickets in rounds in which no coupon and no reference comes twice."""
    outcomes: dict[int, Outcome] = {}
    waiting = list(enumerate(tickets))
    while waiting:
        seen: set[object] = set()
        now: list[tuple[int, Ticket]] = []
        later: list[tuple[int, Ticket]] = []
        for place, ticket in waiting:
            marks = _marks(ticket)
            (later if marks & seen else now).append((place, ticket))
            seen |= marks
        done = _do_round(session, programme, desk, [ticket for _, ticket in now], plan)
        outcomes.update(zip((place for place, _ in now), done, strict=True))
        waiting = later
    return [outcomes[place] for place in range(len(tickets))]


def _marks(ticket: Ticket) -> set[object]:
    coupons = {codes.read_code(code) or code for code in ticket.codes}
    return {("reference", ticket.reference), ("hold", ticket.hold or ticket.reference), *coupons}


def _do_round(
    session: Session, programme: Programme, desk: Desk, tickets: Sequence[Ticket], plan: _Plan
) -> list[Outcome]:
    shelf = read_shelf(session, programme, desk, tickets, plan.kind)
    outcomes, fresh = _find_earlier(session, shelf, tickets)
    drafts: list[_Draft] = []
    for ticket in fresh:
        draft = _draft(shelf, desk, ticket, plan)
        if isinstance(draft, Rejected):
            outcomes[ticket.reference] = draft
        else:
            drafts.append(draft)
    outcomes.update(_write(session, programme, desk, drafts))
    # Last, right before the commit: everybody who redeems for this partner waits for its log.
    _post(session, drafts)
    return [outcomes[ticket.reference] for ticket in tickets]


def _find_earlier(
    session: Session, shelf: Shelf, tickets: Sequence[Ticket]
) -> tuple[dict[str, Outcome], list[Ticket]]:
    """Return the outcomes of tickets whose reference is known, and the tickets that are new."""
    outcomes: dict[str, Outcome] = {}
    same: dict[str, int] = {}
    for ticket in tickets:
        number, digest = shelf.known.get(ticket.reference, (0, b""))
        if digest == ticket.digest():
            same[ticket.reference] = number
        elif number:
            outcomes[ticket.reference] = Rejected("reference-reused")
    acts = read_acts(session, same.values())
    outcomes.update((reference, acts[number]) for reference, number in same.items())
    return outcomes, [ticket for ticket in tickets if ticket.reference not in shelf.known]


def _draft(shelf: Shelf, desk: Desk, ticket: Ticket, plan: _Plan) -> _Draft | Rejected:
    """Return what a ticket writes, or why it is refused."""
    at = plan.at or shelf.now
    verdicts = shelf.decide(desk, ticket, at)
    if ticket.hold is not None and not verdicts:
        return Rejected("hold-gone")
    if any(verdict.coupon_id is None for verdict in verdicts):
        return Rejected("coupon-unknown", tuple(verdicts))
    if not all(verdict.answer.is_yes for verdict in verdicts):
        return Rejected("coupon-refused", tuple(verdicts))
    lapses_at = shelf.now + plan.lasting if plan.kind == HOLD else None
    draft = _Draft(ticket, _act(ticket, plan, at, lapses_at))
    for row, verdict in zip(shelf.find(ticket), verdicts, strict=True):
        _add(draft, shelf, desk, row, verdict)
    return draft


def _act(ticket: Ticket, plan: _Plan, at: datetime, lapses_at: datetime | None) -> dict[str, Any]:
    return new_act(
        plan.kind,
        ticket.reference,
        ticket.digest(),
        at,
        outlet=ticket.outlet_id,
        follows=ticket.hold,
        basket=ticket.total,
        lapses_at=lapses_at,
    )


def _add(draft: _Draft, shelf: Shelf, desk: Desk, row: Any, verdict: Verdict) -> None:
    """Add one coupon to a draft: its step, its sums, and what the partner is owed for it."""
    series, answer = shelf.series_of(row), verdict.answer
    is_hold = draft.act["kind"] == HOLD
    ours = rules.share(answer.worth, series.terms.ours)
    left = row.remaining if is_hold else rules.remaining_after(series.terms, row.remaining, answer)
    state = "held" if is_hold else "issued" if left else "redeemed"
    step = {
        "reference": draft.ticket.reference,
        "coupon_id": row.id,
        "seq": row.seq + 1,
        "kind": "held" if is_hold else "redeemed",
        "state": state,
        "discount": answer.discount,
        "worth": answer.worth,
        "ours": ours,
        "remaining": left,
        "use_day": None if is_hold else shelf.today,
        "reason": None,
        "held_until": draft.act["lapses_at"],
        "series_id": row.series_id,
        "counts": int(series.terms.uses_per_day is not None and not is_hold),
    }
    draft.steps.append(step)
    draft.taken.append(
        Taken(
            row.id,
            step["kind"],
            series.code,
            series.version,
            series.id,
            answer.discount,
            answer.worth,
            ours,
            left,
            None if is_hold else date.fromisoformat(shelf.today),
        )
    )
    for name, amount in (("discount", answer.discount), ("worth", answer.worth), ("ours", ours)):
        draft.act[name] += amount
    if step["counts"]:
        key = (row.series_id, shelf.today)
        shelf.used[key] = shelf.used.get(key, 0) + 1
    if answer.worth and not is_hold:
        draft.owings.append(_owing(draft.ticket, desk, row.id, answer.worth, series))


def _owing(
    ticket: Ticket, desk: Desk, coupon_id: int, worth: int, series: Series
) -> partners.Owing:
    return partners.Owing(
        partner_id=desk.partner_id,
        currency=desk.currency,
        outlet_id=ticket.outlet_id,
        coupon=ids.encode("cpn", coupon_id),
        source=SOURCE,
        reference=owing_reference(ticket.reference, coupon_id),
        amount=worth,
        shares=(series.terms.ours, rules.WHOLE - series.terms.ours),
        paid_from=series.reserved,
    )


def owing_reference(reference: str, coupon_id: int) -> str:
    """Return under which reference the ledger knows what a partner is owed for a coupon."""
    return f"{reference}:{ids.encode('cpn', coupon_id)}"


def _post(session: Session, drafts: Sequence[_Draft]) -> None:
    """Post what partners are owed. Raises `Refused` where the ledger refuses one: then all."""
    owings = [owing for draft in drafts for owing in draft.owings]
    for one in ledger.post(session, partners.owe(session, owings)):
        if isinstance(one, ledger.Refusal):
            raise Refused(one.code)


def _write(
    session: Session, programme: Programme, desk: Desk, drafts: Sequence[_Draft]
) -> dict[str, Outcome]:
    steps = [step for draft in drafts for step in draft.steps]
    written = write_acts(session, programme, desk, [draft.act for draft in drafts], steps)
    return {
        draft.ticket.reference: _done(draft, desk, written[draft.ticket.reference])
        for draft in drafts
    }


def _done(draft: _Draft, desk: Desk, row: Any) -> Act:
    act = draft.act
    return Act(
        row.id,
        act["kind"],
        desk.partner_id,
        act["outlet"],
        act["reference"],
        act["follows"],
        act["basket"],
        act["discount"],
        act["worth"],
        act["ours"],
        act["lapses_at"],
        act["occurred_at"],
        row.recorded_at,
        tuple(draft.taken),
    )


def find_act(session: Session, desk: Desk, kind: str, reference: str) -> int | None:
    """Return the number of what a desk's partner did under a reference, if it did."""
    asked = {"partner": desk.partner_id, "kind": kind, "reference": reference}
    found: int | None = session.scalar(FIND, asked)
    return found
