"""Gathering: requests that come at the same moment share one transaction.

Most of what a small write costs is trips to the database and its commit. While one thread is
at the database, others queue up here; the next takes all that wait and does them as one list.
Nobody waits for company: a request that comes alone is done alone, at once.

Nobody waits long for a neighbour either: a list that meets another's lock gives up soon, and then
each of its calls is done by its own thread, which may wait. One wallet that is held for long thus
holds up those who want that wallet, and nobody else.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Any

import structlog

from loyalty.web.access import Caller
from loyalty.web.failures import describe_failure
from loyalty.web.idempotency import Claim, Kept

MOST_TOGETHER = 32

log = structlog.get_logger("loyalty.web.gathering")


@dataclass(slots=True, eq=False)
class Call:
    """One request on its way: who calls, what with, and in the end the answer or the refusal.

    `key` names the calls that may share a transaction with it; None stands for alone.
    """

    caller: Caller
    body: dict[str, Any]
    claim: Claim
    key: Hashable = None
    answer: Kept | None = None
    is_replay: bool = False
    fault: Exception | None = None
    is_done: bool = False


Work = Callable[[Sequence[Call], bool], None]


class Gatherer:
    """Runs calls in as few transactions as may be, and answers each by itself."""

    def __init__(self, work: Work) -> None:
        """`work` does its calls in one transaction and gives each its answer or its fault.

        Its second argument says whether it may wait for locks as long as others do.
        """
        self._work = work
        self._changed = Condition()
        self._waiting: list[Call] = []
        self._is_busy = False

    def run(self, call: Call) -> None:
        """Return once `call` was done, by this thread or by another. Raises the call's fault."""
        if call.key is not None:
            self._queue(call)
        if call.answer is None and call.fault is None:
            self._work([call], True)
        if call.fault is not None:
            raise call.fault

    def _queue(self, call: Call) -> None:
        with self._changed:
            self._waiting.append(call)
        while True:
            with self._changed:
                while self._is_busy and not call.is_done:
                    self._changed.wait()
                if call.is_done:
                    return
                self._is_busy = True
                together = self._pick()
            self._lead(together)

    def _pick(self) -> list[Call]:
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
        try:
            self._work(together, False)
        except Exception as fault:  # whose fault it was shows when each goes alone
            log.info("list_divided", calls=len(together), **describe_failure(fault, 0))
        finally:
            with self._changed:
                for call in together:
                    call.is_done = True
                self._is_busy = False
                self._changed.notify_all()
