"""Shutting down: SIGTERM and SIGINT ask the process to end after what it is doing."""

import signal
from threading import Event
from types import FrameType

requested = Event()


def listen() -> None:
    """Let SIGTERM and SIGINT set `requested`; call it from the main thread."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _request)


def _request(_number: int, _frame: FrameType | None) -> None:
    requested.set()
