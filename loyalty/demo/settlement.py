"""The sample's first settlement: coupons used at the partner's till, and a closed statement."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from loyalty import coupons, partners, settlement
from loyalty.coupons import Act, Desk, Line, Ticket
from loyalty.demo.coupons import DEMO
from loyalty.demo.partners import SamplePartner
from loyalty.programmes import Programme
from loyalty.web import ids

USED = ("twenty-off", "coffee")
BASKET = (Line(12_800),)


def use_coupons(
    session: Session, programme: Programme, sample: SamplePartner, customer_id: int
) -> list[Act]:
    """Use a customer's coupons at the partner's till, each once; the same the second time."""
    currency = partners.read_partner(session, sample.partner_id).currency
    desk = Desk(sample.partner_id, sample.client_id, currency)
    held = coupons.list_coupons(session, programme, customer_id, before=None, limit=50)
    tickets = [
        Ticket(
            f"demo-{one.series.code}-{customer_id}",
            sample.outlet_id,
            (coupons.read_code(session, one.id),),
            BASKET,
        )
        for one in held
        if one.series.code in USED
    ]
    done = coupons.redeem(session, programme, desk, tickets)
    return [act for act in done if isinstance(act, Act)]


def take_one_back(session: Session, programme: Programme, sample: SamplePartner, act: Act) -> None:
    """Reverse one redemption, so that the statement shows what that looks like."""
    currency = partners.read_partner(session, sample.partner_id).currency
    desk = Desk(sample.partner_id, sample.client_id, currency)
    coupons.reverse(session, programme, desk, act.id, f"demo-back-{act.id}", "customer-returned")


def first_statement(session: Session, sample: SamplePartner) -> str:
    """Return the partner's first statement, closed now where there is none."""
    rows = settlement.list_statements(session, sample.partner_id, before=2**62, limit=1)
    if rows:
        return ids.encode("stm", rows[0].id)
    currency = partners.read_partner(session, sample.partner_id).currency
    number = settlement.close_statement(
        session, DEMO, sample.partner_id, currency, datetime.now(UTC)
    )
    return ids.encode("stm", number)
