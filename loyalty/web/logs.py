"""Logs for machines: one event is one line of JSON on standard error, without personal data."""

import logging
import sys
from functools import cache

import structlog


@cache
def configure() -> None:
    """Make structlog write JSON lines; done once per process.

    JSON escapes line ends and control characters, so no value can begin a second event.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Standard error as it is when something is written: whoever redirects it gets the line.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )
