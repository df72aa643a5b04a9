"""gunicorn's configuration: `gunicorn -c loyalty/web/gunicorn.py wsgi:app`.

Threads, because a request mostly waits for PostgreSQL; a worker for each core, because Python
computes on one core at a time. 8 threads leave room in the pool of 16 connections.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from loyalty.settings import settings

_numbers = settings().home / "metrics"
# Read by the metrics library when it is imported, so set before the application is.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_numbers)

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{settings().port}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS") or len(os.sched_getaffinity(0)))
threads = 8
worker_connections = 1000
backlog = 256
timeout = 60
graceful_timeout = 30
keepalive = 15
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
# Workers are replaced after a while, not all at once, so that a slow leak never matters.
max_requests = 200_000
max_requests_jitter = 20_000
accesslog = None  # counted by route in /metrics; refusals and writes leave their own records
errorlog = "-"
proc_name = "quanyi"
control_socket_disable = True  # operations use signals; one way in less


def on_starting(_server: Any) -> None:
    """Begin with empty numbers: those of the last run belong to processes that are gone."""
    shutil.rmtree(_numbers, ignore_errors=True)
    Path(_numbers).mkdir(mode=0o700, parents=True)


def child_exit(_server: Any, worker: Any) -> None:
    """Drop the gauges of a worker that ended; its counts stay in the sums."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - after the folder is set

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
