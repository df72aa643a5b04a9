"""A worker or a relay with one subscriber to purchases, who leaves a row for each event."""

import sys

from loyalty import outbox
from loyalty.outbox import registry, relay, worker
from loyalty.web import logs
from tests.outbox.examples import leave_effect


def register() -> None:
    """Register the subscriber alone."""
    outbox.subscriber("purchases.recorded")(
        lambda session, event: leave_effect(session, str(event.payload["first"]), "heard")
    )


if __name__ == "__main__":
    logs.configure()
    registry.load = register
    {"worker": worker.run, "relay": relay.run}[sys.argv[1]]()
