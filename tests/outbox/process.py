"""A worker or a relay with nothing but the examples registered, for a test to kill."""

import sys

from loyalty.outbox import registry, relay, worker
from loyalty.web import logs
from tests.outbox import examples

if __name__ == "__main__":
    logs.configure()
    registry.load = examples.register
    {"worker": worker.run, "relay": relay.run}[sys.argv[1]]()
