"""The relay: rings for what is due, opens what was left lying, keeps the schedules.

Where nobody can be rung, or nobody came, it does the work itself: so a stopped Redis delays
nothing but by a poll. Any number of relays may run.
"""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from loyalty.outbox import doorbell, jobs, registry, rules, shutdown

POLL_SECONDS = 1.0
OVERDUE = timedelta(seconds=10)
SLICE_SECONDS = 2.0

_SWEEP_SECONDS = 5.0
_FORGET_SECONDS = 600.0
_LOG = structlog.get_logger(__name__)


class Rhythm:
    """Calls a function at most every so many seconds."""

    def __init__(self, function: Callable[[], None], seconds: float) -> None:
        self._function = function
        self._seconds = seconds
        self._next = 0.0

    def beat(self) -> None:
        """Call the function where its time has come."""
        if time.monotonic() >= self._next:
            self._function()
            self._next = time.monotonic() + self._seconds


def run() -> None:
    """Relay until SIGTERM or SIGINT; while the database fails, wait and try again."""
    registry.load()
    shutdown.listen()
    rhythms = [Rhythm(jobs.sweep, _SWEEP_SECONDS), Rhythm(jobs.forget, _FORGET_SECONDS)]
    while not shutdown.requested.is_set():
        try:
            jobs.tick()
            for rhythm in rhythms:
                rhythm.beat()
            relay()
        except SQLAlchemyError as error:
            _LOG.warning("database_unavailable", error=rules.describe(error))
        shutdown.requested.wait(POLL_SECONDS)


def relay() -> None:
    """Ring for all due work once, and do here what cannot be rung or has waited too long."""
    due = jobs.waiting()
    if not due:
        return
    was_rung = doorbell.doorbell().ring_now(due)
    late = jobs.now() - OVERDUE
    for bell, since in due.items():
        if not was_rung or since < late:
            jobs.FUNCTIONS[bell.function](bell.name, SLICE_SECONDS)
