"""The outbox: work that follows a change is written with the change and lost with nothing.

Slices publish in their transaction and register functions in their `jobs` modules.
"""

from loyalty.outbox.jobs import work as advance
from loyalty.outbox.publishing import Change, publish, publish_many
from loyalty.outbox.registry import (
    Done,
    Event,
    Ids,
    Paused,
    Progress,
    Run,
    job,
    scheduled,
    subscriber,
    work,
)
from loyalty.outbox.rules import Daily, NotIds
from loyalty.outbox.runs import Standing as RunStanding
from loyalty.outbox.runs import find_about as find_run
from loyalty.outbox.runs import list_newest as list_runs
from loyalty.outbox.runs import resume as resume_run
from loyalty.outbox.runs import start as start_run
from loyalty.outbox.runs import stop as stop_run
from loyalty.outbox.shutdown import listen as listen_for_stop
from loyalty.outbox.shutdown import requested as stop_requested

__all__ = [
    "Change",
    "Daily",
    "Done",
    "Event",
    "Ids",
    "NotIds",
    "Paused",
    "Progress",
    "Run",
    "RunStanding",
    "advance",
    "find_run",
    "job",
    "list_runs",
    "listen_for_stop",
    "publish",
    "publish_many",
    "resume_run",
    "scheduled",
    "start_run",
    "stop_requested",
    "stop_run",
    "subscriber",
    "work",
]
