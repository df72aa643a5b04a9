"""The doorbell: tells a worker to look now. Losing any ring costs one poll of the relay."""

import os
import threading
import time
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from prometheus_client import Counter
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.orm import Session

from loyalty.database import after_commit
from loyalty.settings import settings

QUEUE = "quanyi"
TIMEOUT_SECONDS = 0.05
RINGS = Counter("quanyi_doorbell_rings", "Rings by what became of them", ["outcome"])

_STILL_RINGING_MS = 2_000
_BELL_TTL_SECONDS = 60
_FAILURE_TTL_SECONDS = 86_400
_JOB_TIMEOUT_SECONDS = 120
_QUIET_SECONDS = 5.0
_CROWDED = 1_000
_PAUSE_SECONDS = 0.02  # between rings of a busy process: what comes meanwhile rings once
_KEY = "quanyi_bells"


class Bell(NamedTuple):
    """Which registered function should look (`drain`, `work`), and at what (topic, kind)."""

    function: str
    name: str


class Doorbell:
    """Rings from a thread of its own, so that no write ever waits for Redis."""

    def __init__(self, url: str) -> None:
        """Prepare without connecting; `url` is a Redis address."""
        self._redis = connect(url, TIMEOUT_SECONDS)
        self._queue = Queue(QUEUE, connection=self._redis, serializer=JSONSerializer)
        self._waiting: set[Bell] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._quiet_until = 0.0

    def ring(self, bells: Iterable[Bell]) -> None:
        """Ring soon; returns at once, raises nothing, and the same bell rings once."""
        with self._changed:
            self._waiting.update(bells)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._ring_for_ever, daemon=True)
                self._thread.start()
            self._changed.notify()

    def ring_now(self, bells: Iterable[Bell]) -> bool:
        """Ring and say whether Redis took it; at most a few time-outs of 50 ms, raises nothing.

        After a failure the bell keeps quiet for 5 s, so that a Redis that does not answer is
        not asked at every change.
        """
        listed = list(bells)
        if time.monotonic() < self._quiet_until:
            RINGS.labels("lost").inc(len(listed))
            return False
        try:
            for bell in listed:
                RINGS.labels(self._enqueue(bell)).inc()
        except (RedisError, OSError):
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            RINGS.labels("lost").inc(len(listed))
            return False
        return True

    def answered(self, bell: Bell) -> None:
        """Let `bell` ring again: somebody looks from now on. Without Redis it may by itself."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            self._redis.delete(_ringing_key(bell))
        except (RedisError, OSError):
            self._quiet_until = time.monotonic() + _QUIET_SECONDS

    def _enqueue(self, bell: Bell) -> str:
        # RQ's own `unique` would keep a bell silent for as long as a killed worker's job stays
        # in Redis; a key that lapses after two seconds cannot get stuck.
        key = _ringing_key(bell)
        if not self._redis.set(key, 1, nx=True, px=_STILL_RINGING_MS):
            return "ringing"
        if self._queue.count > _CROWDED:
            return "crowded"
        self._queue.enqueue_call(
            bell.function,
            args=(bell.name,),
            timeout=_JOB_TIMEOUT_SECONDS,
            ttl=_BELL_TTL_SECONDS,
            result_ttl=0,
            failure_ttl=_FAILURE_TTL_SECONDS,
            description=bell.function,
        )
        return "rung"

    def _ring_for_ever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                bells, self._waiting = self._waiting, set()
            self.ring_now(bells)
            time.sleep(_PAUSE_SECONDS)


def connect(url: str, timeout: float | None) -> Redis:
    """Return a Redis client that tries twice; `timeout` in seconds bounds each command.

    The second try replaces a connection that a restarted server has forgotten.
    """
    return Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout or 2.0,
        retry=Retry(NoBackoff(), 1),
    )


def doorbell() -> Doorbell:
    """Return the doorbell of this process."""
    return _doorbell(settings().redis_url)


@cache
def _doorbell(url: str) -> Doorbell:
    return Doorbell(url)


# A child has neither the thread nor the connection of its parent.
os.register_at_fork(after_in_child=_doorbell.cache_clear)


def ring_after_commit(session: Session, bell: Bell) -> None:
    """Ring `bell` once the transaction of `session` is durable, once per transaction."""
    bells: set[Bell] = session.info.setdefault(_KEY, set())
    if not bells:
        after_commit(session, lambda: doorbell().ring(session.info.pop(_KEY, ())))
    bells.add(bell)


def _ringing_key(bell: Bell) -> str:
    return f"quanyi:ringing:{bell.function}:{bell.name}"
