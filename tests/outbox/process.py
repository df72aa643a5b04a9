"""A worker or a relay with the examples registered, as a process that a test may kill."""

import sys

from loyalty.outbox import relay, worker
from loyalty.web import logs
from tests.outbox import examples

if __name__ == "__main__":
    logs.configure()
    examples.register()
    {"worker": worker.run, "relay": relay.run}[sys.argv[1]]()
