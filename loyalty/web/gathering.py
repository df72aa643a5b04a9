"""Gathering: requests that come at the same moment share one transaction.

Most of what a small write costs is trips to the database and its commit. While one thread is
at the database, others queue up here; the next takes all that wait and does them as one list.
Where several came together before, a list waits a moment for them; a request that comes alone is
done alone, at once.

Nobody waits long for a neighbour either: a list that meets another's lock gives up soon, and then
each of its calls is done by its own thread. Some of these may wait for the lock; more would take
all threads of the worker, so the others are told to come again. One wallet that is held for long
thus holds up those who want that wallet, and nobody else.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from threading import Lock, Semaphore
from time import monotonic
from typing import Any

import structlog

from loyalty.web.access import Caller
from loyalty.web.failures import describe_failure
from loyalty.web.idempotency import Claim, Kept

MOST_TOGETHER = 32
MOST_PATIENT = 4  # of a worker's 8 threads
LONGEST_WAIT = 0.01  # seconds that a list waits for company, and never longer than the last took

log = structlog.get_logger("loyalty.web.gathering")


def _taken() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class Call:
    """One request on its way: who calls, what with, and in the end the answer or the refusal.

    `key` names the calls that may share a transaction with it; None stands for alone.
    """

    caller: Caller
    body: dict[str, Any]
    claim: Claim
    key: Hashable = None
    is_signed: bool = False
    answer: Kept | None = None
    is_replay: bool = False
    fault: Exception | None = None
    is_done: bool = False
    # Its thread sleeps on this, and alone wakes up by it: no thread is woken for nothing.
    turn: Lock = field(default_factory=_taken)


Work = Callable[[Sequence[Call], bool], None]


class Gatherer:
    """Runs calls in as few transactions as may be, and answers each by itself."""

    def __init__(self, work: Work) -> None:
        """`work` does its calls in one transaction and gives each its answer or its fault.

        Its second argument says whether it may wait for locks as long as others do.
        """
        self._work = work
        self._lock = Lock()
        self._patience = Semaphore(MOST_PATIENT)
        self._waiting: list[Call] = []
        self._is_busy = False
        # Of the last list: how many calls were here when it was done, and how long it took.
        self._crowd = 1
        self._took = 0.0
        self._collecting: Call | None = None

    def run(self, call: Call) -> None:
        """Return once `call` was done, by this thread or by another. Raises the call's fault."""
        if call.key is not None:
            self._queue(call)
        if call.answer is None and call.fault is None:
            self._do_alone(call)
        if call.fault is not None:
            raise call.fault

    def _do_alone(self, call: Call) -> None:
        if call.key is None:
            self._work([call], True)
        elif self._patience.acquire(blocking=False):
            try:
                self._work([call], True)
            finally:
                self._patience.release()
        else:
            self._work([call], False)

    def _queue(self, call: Call) -> None:
        with self._lock:
            self._waiting.append(call)
            is_first, self._is_busy = not self._is_busy, True
            if self._collecting is not None and len(self._waiting) >= self._crowd:
                self._collecting.turn.release()
                self._collecting = None
        if not is_first:
            call.turn.acquire()  # until it is done, or until it is our turn to lead
        if not call.is_done:
            self._await_company(call)
            self._lead(self._pick())

    def _await_company(self, call: Call) -> None:
        """Wait a moment where several came together before; whoever comes alone never waits."""
        with self._lock:
            if len(self._waiting) >= min(self._crowd, MOST_TOGETHER):
                return
            self._collecting = call
        call.turn.acquire(timeout=min(self._took, LONGEST_WAIT))

    def _pick(self) -> list[Call]:
        with self._lock:
            self._collecting = None
            first = self._waiting[0]
            together, claims = [first], {first.claim[:2]}
            for call in self._waiting[1:]:
                # The same claim twice would wait for itself: the second comes in the next list.
                if call.key != first.key or call.claim[:2] in claims:
                    continue
                if len(together) == MOST_TOGETHER:
                    break
                together.append(call)
                claims.add(call.claim[:2])
            self._waiting = [call for call in self._waiting if call not in together]
            return together

    def _lead(self, together: list[Call]) -> None:
        """Do a list; a call that has neither answer nor fault after it goes alone."""
        started = monotonic()
        try:
            self._work(together, False)
        except Exception as fault:  # whose fault it was shows when each goes alone
            log.info("list_divided", calls=len(together), **describe_failure(fault, 0))
        finally:
            with self._lock:
                self._took = monotonic() - started
                self._crowd = len(together) + len(self._waiting)
                heir = self._waiting[0] if self._waiting else None
                self._is_busy = heir is not None
                for call in together:
                    call.is_done = True
            if heir is not None:
                heir.turn.release()
            for call in together[1:]:  # the first is our own
                call.turn.release()
