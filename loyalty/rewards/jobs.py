"""What follows at tills: a coupon that came back too late gives back the points it was for."""

from sqlalchemy.orm import Session

from loyalty import outbox, programmes
from loyalty.outbox import Event
from loyalty.rewards import claiming
from loyalty.web import ids


@outbox.subscriber("coupon.lost")
def give_points_back(session: Session, event: Event) -> None:
    """Give the points of the claim back to their lots, once."""
    found = claiming.find_by_coupon(session, ids.decode("cpn", event.payload["coupon"]))
    if found is None:
        return
    for programme in programmes.list_programmes(session):
        if programme.id == found.programme_id:
            member = programmes.find_member(session, programme, found.customer_id)
            claiming.give_points_back(session, member, found)
