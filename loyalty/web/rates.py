"""Rates: how many requests a caller may send in a minute, across all processes.

A process takes a caller's requests from Redis a handful at a time and counts them down by itself,
so that most requests ask nobody. What a process took and did not use is lost to the others until
the minute is over: callers may get somewhat less than their due, never more. While Redis does not
answer, each process gives a fraction, and asks again after a few seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from loyalty.web.access import Caller
from loyalty.web.errors import Refused

WINDOW = 60  # seconds
HANDFUL = 50  # of so many parts of its due a process takes one at a time
FRACTION = 4  # of so many parts of its due a caller gets one from each process without Redis
PATIENCE = 0.05  # seconds that Redis gets to answer
QUIET = 5.0  # seconds for which Redis is not asked after it did not
MOST_CALLERS = 50_000


@dataclass(slots=True)
class _Share:
    """What this process may still let through for one caller in the minute that runs.

    `beyond` is what Redis had left for all processes, and `spent` that this was nothing; `alone`,
    that the fraction without Redis was given.
    """

    left: int = 0
    beyond: int = 0
    spent: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands after a request: the policy's name and due, what is left, until when."""

    policy: str
    due: int
    left: int
    seconds: int

    def headers(self) -> list[tuple[str, str]]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers."""
        return [
            ("RateLimit-Policy", f'"{self.policy}";q={self.due};w={WINDOW}'),
            ("RateLimit", f'"{self.policy}";r={self.left};t={self.seconds}'),
        ]


class Rates:
    """The callers that this process has let through in the minute that runs."""

    def __init__(
        self, dues: Mapping[str, int], url: str, clock: Callable[[], float] = time.time
    ) -> None:
        """`dues` are requests a minute by kind of caller; a kind that is missing is not counted."""
        self._dues = dues
        self._clock = clock
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 1),
        )
        self._lock = threading.Lock()
        self._minute = 0
        self._shares: dict[tuple[str, str], _Share] = {}
        self._quiet_until = 0.0

    def admit(self, caller: Caller) -> Standing | None:
        """Count a request and return how its caller stands; None for those who are not counted.

        Raises `Refused` with `too-many-requests`.
        """
        due = self._dues.get(caller.kind)
        if due is None:
            return None
        now = self._clock()
        minute, seconds = int(now // WINDOW), WINDOW - int(now % WINDOW)
        share = self._find(caller, minute)
        if share.left == 0 and not share.spent:
            self._fill(share, f"quanyi:rate:{caller.kind}:{caller.id}:{minute}", due)
        with self._lock:
            admitted = share.left > 0
            share.left -= admitted
        standing = Standing(caller.kind, due, share.left + share.beyond, seconds)
        if not admitted:
            headers = {"Retry-After": str(seconds), **dict(standing.headers())}
            raise Refused("too-many-requests", headers=headers)
        return standing

    def _find(self, caller: Caller, minute: int) -> _Share:
        with self._lock:
            if minute != self._minute or len(self._shares) >= MOST_CALLERS:
                self._minute, self._shares = minute, {}
            return self._shares.setdefault((caller.kind, caller.id), _Share())

    def _fill(self, share: _Share, name: str, due: int) -> None:
        """Take a handful for a caller, or what is left of their due."""
        before = self._ask(name, handful := max(1, due // HANDFUL))
        with self._lock:
            if before is None:
                share.left += 0 if share.alone else max(1, due // FRACTION)
                share.alone = True
                return
            share.left += max(0, min(handful, due - before))
            share.beyond = max(0, due - before - handful)
            share.spent = share.beyond == 0

    def _ask(self, name: str, handful: int) -> int | None:
        """Return how many were taken before this handful, or None where Redis does not say."""
        if time.monotonic() < self._quiet_until:
            return None
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incrby(name, handful)
                pipeline.expire(name, 2 * WINDOW)
                after: int = pipeline.execute()[0]
        except (redis.RedisError, OSError):
            self._quiet_until = time.monotonic() + QUIET
            return None
        return after - handful
