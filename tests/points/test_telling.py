"""Telling: recorded purchases come to the bank's collectors as one line of the log, once."""

from structlog.testing import capture_logs

from loyalty.database import transaction
from loyalty.outbox import jobs, queries, registry
from tests.points.builders import build_world, purchase, recorded
from tests.servers import Database


def test_recorded_purchases_are_told_once_and_leave_nothing_waiting(database: Database) -> None:
    registry.load()
    outcome = recorded(build_world(), purchase("p1", 500))
    with capture_logs() as lines:
        jobs.drain("purchases.recorded")
        jobs.drain("purchases.recorded")
    told = [line for line in lines if line["event"] == "purchases.recorded"]
    assert [(line["first"], line["count"]) for line in told] == [(outcome.purchase_id, 1)]
    with transaction() as session:
        assert "purchases.recorded" not in queries.backlog(session)
