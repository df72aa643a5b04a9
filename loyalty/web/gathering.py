"""Gathering: requests that come at the same moment share one transaction.

Most of what a small write costs is trips to the database and its commit. While one thread is
at the database, others queue up here; the next takes all that wait and does them as one list.
Nobody waits for company: a request that comes alone is done alone, at once.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Any

from loyalty.web.access import Caller
from loyalty.web.idempotency import Claim, Kept

MOST_TOGETHER = 32


@dataclass(slots=True, eq=False)
class Call:
    """One request on its way: who calls, what with, and in the end the answer or the fault.

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


class Gatherer:
    """Runs calls in as few transactions as may be, and answers each by itself."""

    def __init__(self, work: Callable[[Sequence[Call]], None]) -> None:
        """`work` does its calls in one transaction and gives each its answer or its fault."""
        self._work = work
        self._changed = Condition()
        self._waiting: list[Call] = []
        self._is_busy = False

    def run(self, call: Call) -> None:
        """Return once `call` was done, by this thread or by another. Raises the call's fault."""
        with self._changed:
            self._waiting.append(call)
        while True:
            with self._changed:
                while self._is_busy and not call.is_done:
                    self._changed.wait()
                if call.is_done:
                    break
                self._is_busy = True
                together = self._pick()
            self._lead(together)
        if call.fault is not None:
            raise call.fault

    def _pick(self) -> list[Call]:
        first = self._waiting[0]
        together, claims = [first], {first.claim[:2]}
        for call in self._waiting[1:]:
            # The same claim twice would wait for itself: the second comes in the next list.
            if call.key is None or call.key != first.key or call.claim[:2] in claims:
                continue
            if len(together) == MOST_TOGETHER:
                break
            together.append(call)
            claims.add(call.claim[:2])
        self._waiting = [call for call in self._waiting if call not in together]
        return together

    def _lead(self, together: list[Call]) -> None:
        try:
            self._do(together)
        finally:
            with self._changed:
                for call in together:
                    call.is_done = True
                self._is_busy = False
                self._changed.notify_all()

    def _do(self, together: list[Call]) -> None:
        if len(together) > 1 and self._succeeds(together):
            return
        for call in together:
            try:
                self._work([call])
            except Exception as fault:
                call.fault = fault  # raised again in the thread of its caller

    def _succeeds(self, together: list[Call]) -> bool:
        try:
            self._work(together)
        except Exception:
            return False  # whose fault it was shows when each goes alone
        return True
