"""Counts and times of requests, by the route's template, for Prometheus.

Under gunicorn each worker writes its numbers into files of a folder that the server's
configuration names (`PROMETHEUS_MULTIPROC_DIR`), and whichever worker is asked adds them up.
"""

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

REQUESTS = Counter("quanyi_requests", "Requests answered", ("route", "method", "status"))
SECONDS = Histogram(
    "quanyi_request_seconds",
    "Time from the first byte read to the headers written",
    ("route", "method"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_counters: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}


def count_request(route: str, method: str, status: str, seconds: float) -> None:
    """Add one request to the numbers. A made-up method counts as `other`: labels stay few."""
    method = method if method in _METHODS else "other"
    labels = (route, method, status)
    pair = _counters.get(labels)
    if pair is None:
        pair = (REQUESTS.labels(*labels), SECONDS.labels(route, method))
        _counters[labels] = pair
    pair[0].inc()
    pair[1].observe(seconds)


def render() -> bytes:
    """Return the numbers of all worker processes in Prometheus' text format."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest()
