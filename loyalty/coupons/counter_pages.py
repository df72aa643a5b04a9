"""The counter: a clerk scans coupons, sees what they take off or why not, and redeems them.

A page carries what was scanned so far and the reference under which it will be redeemed, so a
second click, a reload and the way back all lead to the same redemption.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, g, render_template
from marshmallow import Schema, fields, validate
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from loyalty import audit, partners, programmes
from loyalty.coupons import acts, checking, codes, guessing, queries, redemption, reversal
from loyalty.coupons.acts import Act
from loyalty.coupons.checking import Desk, Ticket, Verdict
from loyalty.coupons.rules import Line
from loyalty.coupons.series import find_versions
from loyalty.coupons.wording import REASONS
from loyalty.partners import CounterClerk
from loyalty.programmes import Programme
from loyalty.web import Access, Caller, Kind, NotFound, Refused, ids, validation
from loyalty.web.fields import Reference, TypedMoney
from loyalty.web.screens import screen, see
from loyalty.web.sites import Menu
from loyalty.web.words import show_zone

blueprint = Blueprint("counter_pages", __name__, template_folder="templates")

HOME = "/counter"
MOST_COUPONS = 20
LAST = 10
KEPT = timedelta(minutes=10)
BETWEEN = ","  # stands in no code
NO_BASKET = frozenset({"below-minimum", "nothing-eligible"})
_CLERK = Access.browser(Kind.PARTNER)
_AT_A_COUNTER = ("outlet-closed", "partner-not-active", "programme-needed", "too-many-requests")
_REFUSALS = ("coupon-unknown", "coupon-refused", "reference-reused", *_AT_A_COUNTER)


class Scanned(fields.Field[tuple[str, ...]]):
    """What was scanned so far: codes with commas between them, each kept once."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[str, ...]:
        typed = [part.strip() for part in str(value).split(BETWEEN)]
        return tuple(dict.fromkeys(codes.read_code(code) or code for code in typed if code))


class CheckForm(Schema):
    """What was scanned before, what was scanned now, and what the basket costs if that is known."""

    scanned = Scanned(load_default=(), validate=validate.Length(0, MOST_COUPONS))
    code = Scanned(load_default=(), validate=validate.Length(0, MOST_COUPONS))
    amount = TypedMoney(load_default=None)


class TakingForm(Schema):
    """What is to be redeemed or kept, under a reference of the page's."""

    scanned = Scanned(required=True, validate=validate.Length(1, MOST_COUPONS))
    amount = TypedMoney(load_default=None)
    reference = Reference(required=True)


@dataclass(frozen=True)
class Stand:
    """Where the clerk stands: the programme, the desk and the outlet."""

    programme: Programme
    desk: Desk
    outlet_id: int

    def ticket(self, reference: str, scanned: tuple[str, ...], amount: int | None) -> Ticket:
        """Return the coupons of one customer with what their basket costs."""
        basket = () if amount is None else (Line(amount),)
        return Ticket(reference, self.outlet_id, scanned, basket)


@screen(
    blueprint,
    "GET",
    HOME,
    access=_CLERK,
    menu=Menu(0, "scan"),
    summary=("核销", "Redeem"),
)
def get_counter(session: Session) -> str:
    """Show the field for a code, and what was done here last."""
    clerk, programme = _clerk(session), programmes.choose_programme(session, None)
    show_zone(programme.zone_name)
    return render_template(
        "coupons/counter.html",
        clerk=clerk,
        last=queries.list_at_outlet(session, programme, clerk.outlet_id, LAST),
    )


@screen(
    blueprint,
    "POST",
    HOME,
    access=_CLERK,
    form=CheckForm,
    again=get_counter,
    summary=("查验券", "Check coupons"),
    problems=("scan-first", *_AT_A_COUNTER),
)
def post_check(session: Session, caller: Caller, entered: dict[str, Any]) -> str:
    """Say at one glance whether the coupons may be redeemed, what they take off, or why not."""
    scanned = tuple(dict.fromkeys(entered["scanned"] + entered["code"]))
    if not scanned:
        raise Refused("scan-first")
    return _show_check(session, caller, scanned, entered["amount"], secrets.token_urlsafe(16))


def show_check_again(session: Session, caller: Caller) -> str:
    """Check again what was refused: the page says what stands against it now."""
    entered = validation.load_body(TakingForm(), g.entered)
    return _show_check(session, caller, entered["scanned"], entered["amount"], entered["reference"])


def _show_check(
    session: Session, caller: Caller, scanned: tuple[str, ...], amount: int | None, reference: str
) -> str:
    stand = _stand(session, caller)
    guessing.refuse_guessers(session, stand.desk.partner_id)
    ticket = stand.ticket(reference, scanned, amount)
    verdicts = checking.check(session, stand.programme, stand.desk, ticket)
    _count(session, caller, stand.desk, verdicts)
    reasons = {reason for verdict in verdicts for reason in verdict.answer.reasons}
    show_zone(stand.programme.zone_name)
    return render_template(
        "coupons/checked.html",
        shown=list(zip(scanned, verdicts, strict=True)),
        between=BETWEEN,
        ticket=ticket,
        amount=amount,
        discount=sum(verdict.answer.discount for verdict in verdicts),
        is_yes=not reasons,
        needs_amount=amount is None and bool(reasons & NO_BASKET),
        reasons=REASONS,
    )


@screen(
    blueprint,
    "POST",
    "/counter/redemptions",
    access=_CLERK,
    form=TakingForm,
    idempotent=True,
    again=show_check_again,
    summary=("核销券", "Redeem coupons"),
    problems=("currency-not-settled", *_REFUSALS),
)
def post_redemption(session: Session, caller: Caller, entered: dict[str, Any]) -> Response:
    """Redeem all of them or none; what the partner is owed is posted with it."""
    stand = _stand(session, caller)
    guessing.refuse_guessers(session, stand.desk.partner_id)
    ticket = stand.ticket(entered["reference"], entered["scanned"], entered["amount"])
    (outcome,) = redemption.redeem(session, stand.programme, stand.desk, [ticket])
    return _lead_to(session, caller, outcome, "coupon.redeemed")


@screen(
    blueprint,
    "POST",
    "/counter/holds",
    access=_CLERK,
    form=TakingForm,
    idempotent=True,
    again=show_check_again,
    summary=("暂留券", "Keep coupons for a while"),
    problems=_REFUSALS,
)
def post_hold(session: Session, caller: Caller, entered: dict[str, Any]) -> Response:
    """Keep them for this till for ten minutes; nobody else can use them meanwhile."""
    stand = _stand(session, caller)
    guessing.refuse_guessers(session, stand.desk.partner_id)
    ticket = stand.ticket(entered["reference"], entered["scanned"], entered["amount"])
    (outcome,) = redemption.hold(session, stand.programme, stand.desk, [ticket], KEPT)
    return _lead_to(session, caller, outcome, "coupon.held")


@screen(
    blueprint,
    "GET",
    "/counter/redemptions/{redemption_id}",
    access=_CLERK,
    summary=("核销结果", "What was redeemed"),
)
def get_redemption(session: Session, redemption_id: int) -> str:
    """Show what was redeemed or kept at this outlet, and what may still be done about it."""
    clerk = _clerk(session)
    act = _act(session, clerk, redemption_id)
    programme = programmes.choose_programme(session, None)
    show_zone(programme.zone_name)
    series = find_versions(session, {(x.series_id, x.version) for x in act.taken})
    return render_template(
        "coupons/act.html",
        act=act,
        names=[series[x.series_id, x.version].names for x in act.taken],
        done=queries.find_done(session, programme, act.id),
    )


@screen(
    blueprint,
    "POST",
    "/counter/redemptions/{redemption_id}/void",
    access=_CLERK,
    idempotent=True,
    again=get_redemption,
    summary=("当日作废核销", "Void a redemption of today"),
    problems=("too-late-to-void", "already-reversed", *_AT_A_COUNTER),
)
def post_void(session: Session, caller: Caller, redemption_id: int) -> Response:
    """Undo a mistake on its own day; the coupons are as before."""
    stand = _stand(session, caller)
    number = _act(session, _clerk(session), redemption_id).id
    reference = f"void-{ids.encode('rdm', number)}"
    done = reversal.void(session, stand.programme, stand.desk, number, reference)
    audit.record(session, caller, "coupon.redemption_voided", "redemption", done.id)
    return _see(redemption_id)


@screen(
    blueprint,
    "POST",
    "/counter/redemptions/{redemption_id}/capture",
    access=_CLERK,
    idempotent=True,
    again=get_redemption,
    summary=("核销暂留的券", "Redeem what was kept"),
    problems=("hold-gone", "currency-not-settled", *_REFUSALS),
)
def post_capture(session: Session, caller: Caller, redemption_id: int) -> Response:
    """Redeem the coupons that this till kept."""
    stand = _stand(session, caller)
    held = _act(session, _clerk(session), redemption_id)
    basket = (Line(held.basket),) if held.basket else ()
    ticket = Ticket(f"take-{held.reference}", stand.outlet_id, (), basket, hold=held.id)
    (outcome,) = redemption.redeem(session, stand.programme, stand.desk, [ticket])
    return _lead_to(session, caller, outcome, "coupon.redeemed")


@screen(
    blueprint,
    "POST",
    "/counter/redemptions/{redemption_id}/release",
    access=_CLERK,
    idempotent=True,
    again=get_redemption,
    summary=("不再暂留", "Let go of what was kept"),
    problems=("hold-gone", *_AT_A_COUNTER),
)
def post_release(session: Session, caller: Caller, redemption_id: int) -> Response:
    """Free the coupons before the ten minutes are over."""
    stand = _stand(session, caller)
    held = _act(session, _clerk(session), redemption_id)
    reference = f"free-{held.reference}"
    done = reversal.release(session, stand.programme, stand.desk, held.id, reference)
    audit.record(session, caller, "coupon.released", "redemption", done.id)
    return _see(redemption_id)


def _clerk(session: Session) -> CounterClerk:
    clerk = partners.find_staff(session, g.signed.subject_id)
    if clerk is None:
        raise NotFound
    return clerk


def _stand(session: Session, caller: Caller) -> Stand:
    """Return where the clerk stands. Raises `Refused` where nothing may be taken now."""
    clerk = _clerk(session)
    programme = programmes.choose_programme(session, None)
    counter = partners.admit(session, caller, clerk.outlet_id)
    desk = Desk(counter.partner_id, caller.id, counter.currency, counter.series)
    return Stand(programme, desk, clerk.outlet_id)


def _act(session: Session, clerk: CounterClerk, number: int) -> Act:
    """Return what was redeemed or kept at the clerk's outlet. Raises `NotFound` for all else."""
    found = acts.read_acts(session, [number]).get(number)
    if found is None or found.outlet_id != clerk.outlet_id:
        raise NotFound
    if found.kind not in (acts.REDEMPTION, acts.HOLD):
        raise NotFound
    return found


def _lead_to(
    session: Session, caller: Caller, outcome: redemption.Outcome, action: str
) -> Response:
    """Return the way to what was done, with its trail. Raises `Refused` where nothing was."""
    if isinstance(outcome, redemption.Rejected):
        raise Refused(outcome.code)
    detail = {
        "coupons": [ids.encode("cpn", taken.coupon_id) for taken in outcome.taken],
        "worth": outcome.worth,
    }
    audit.record(session, caller, action, "redemption", outcome.id, detail)
    return _see(outcome.id)


def _see(number: int) -> Response:
    return see(f"/counter/redemptions/{ids.encode('rdm', number)}")


def _count(session: Session, caller: Caller, desk: Desk, verdicts: list[Verdict]) -> None:
    """Count what was unknown to this desk; the moment the cap is reached goes to the trail."""
    unknown = sum(verdict.coupon_id is None for verdict in verdicts)
    if guessing.count_guesses(session, desk.partner_id, unknown):
        partner = ids.encode("prt", desk.partner_id)
        audit.record(session, caller, "coupon.guessing_stopped", "partner", partner)
