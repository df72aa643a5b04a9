"""Background work about customers: telling of alerts."""

import structlog
from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.customers.watching import ALERTS
from loyalty.outbox import Event

log = structlog.get_logger("loyalty.customers")


@outbox.subscriber(ALERTS)
def tell_collectors(_session: Session, event: Event) -> None:
    """Write an alert as one line of the log, for the bank's own collectors of events."""
    log.warning(event.topic, event_id=event.id, aggregate=event.aggregate, **event.payload)
