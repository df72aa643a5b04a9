"""One program that is kept running: started again when it dies, a little later each time."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from loyalty.local.logs import Reader, shorten
from loyalty.local.processes import last_lines

FIRST_PAUSE = 0.5  # seconds before the first new start, doubled for each that follows soon
LONGEST_PAUSE = 30.0  # seconds; what ran longer than that starts again soon


class Service:
    """A program, its log, and how often it died lately."""

    def __init__(self, name: str, log: Path, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        """Start the program by calling `start`, now and each time that it is needed again."""
        self.name = name
        self.log = log
        self._reader = Reader(log)
        self._start = start
        self._pause = FIRST_PAUSE
        self._start_again_at = 0.0
        self._started_at = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = start()

    def look(self) -> list[str]:
        """Start the program again where it is due; return what somebody should know."""
        shorten(self.log)
        said = self._reader.alarming_lines()
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_again_at:
                self._begin()
        elif (status := self._process.poll()) is not None:
            self._process = None
            if now - self._started_at > LONGEST_PAUSE:
                self._pause = FIRST_PAUSE
            said = [
                *last_lines(self.log).splitlines(),
                f"ended with status {status}; it starts again in {self._pause:g} s",
            ]
            self._start_again_at = now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return said

    def ask_to_stop(self) -> None:
        """Tell the program to stop; told twice, it is killed with all that it started."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def has_stopped(self) -> bool:
        """Return whether nothing of the program is left."""
        return self._process is None or self._process.poll() is not None

    def _begin(self) -> None:
        self._process = self._start()
        self._started_at = time.monotonic()
