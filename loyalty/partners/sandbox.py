"""What a partner's developers get back while they try things out: by the code that they send."""

import threading
import time
from collections.abc import Callable
from typing import Literal

from loyalty.web import Caller, Refused

Trial = Literal["accepted", "expired", "used", "unknown"]

SLOW_SECONDS = 10.0
# Each slow answer keeps one thread of this process; so many at once, and no more.
MOST_SLOW = 2

CODES: dict[str, Trial] = {
    "SANDBOX-OK": "accepted",
    "SANDBOX-EXPIRED": "expired",
    "SANDBOX-USED": "used",
    "SANDBOX-SLOW": "accepted",
}

_slow = threading.BoundedSemaphore(MOST_SLOW)


def sandbox_answer(
    caller: Caller, code: str, wait: Callable[[float], object] = time.sleep
) -> Trial | None:
    """Return how a trial with this code ends; None where `caller` does not try things out.

    Routes that let in sandbox callers ask this before anything else, answer in their own shape
    and write nothing. `SANDBOX-SLOW` is accepted after ten seconds. Raises `Refused` with
    `unavailable` for `SANDBOX-503`, and where too many slow trials are under way.
    """
    if not caller.sandbox:
        return None
    if code == "SANDBOX-503":
        raise Refused("unavailable", headers={"Retry-After": "2"})
    if code == "SANDBOX-SLOW":
        _wait_slowly(wait)
    return CODES.get(code, "unknown")


def _wait_slowly(wait: Callable[[float], object]) -> None:
    if not _slow.acquire(blocking=False):
        raise Refused("unavailable", headers={"Retry-After": "10"})
    try:
        wait(SLOW_SECONDS)
    finally:
        _slow.release()
