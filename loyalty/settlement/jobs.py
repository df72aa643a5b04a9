"""Background work of settlement: closing the month for every partner."""

from datetime import UTC, datetime

from loyalty import outbox
from loyalty.database import transaction
from loyalty.settlement.closing import close_next, first_of_month
from loyalty.web import Caller

CALLER = Caller.job("settlement.close-month")


@outbox.job("settlement.close-month", every=outbox.Daily(hour=3))
def close_month(_: outbox.Event) -> None:
    """Close what ended with the last month, each partner in a transaction of its own.

    It comes every day, so a night that was missed is made up for in the next.
    """
    until = first_of_month(datetime.now(UTC))
    while _close_one(until):
        pass


def _close_one(until: datetime) -> bool:
    with transaction() as session:
        return close_next(session, CALLER, until)
