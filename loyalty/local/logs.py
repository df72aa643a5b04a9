"""Logs of bounded size, and the lines in them that somebody at the terminal should see."""

import os
import re
import shutil
from pathlib import Path

LIMIT = 5_000_000  # bytes of a log before it starts anew; the one before stays beside it
MOST_LINES = 20  # shown at a time

_ALARMING = re.compile(rb'"level": ?"(?:error|critical)"|\b(?:ERROR|CRITICAL|FATAL|PANIC)\b')


def shorten(log: Path, limit: int = LIMIT) -> None:
    """Start `log` anew once it is longer than `limit`, keeping the last one as `<log>.1`.

    The program that appends to it need not know; lines that it writes during the copy are lost.
    """
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


class Reader:
    """Reads what was added to one log since the last look."""

    def __init__(self, log: Path) -> None:
        """Begin at the present end of `log`."""
        self._log = log
        self._place = log.stat().st_size if log.exists() else 0

    def alarming_lines(self) -> list[str]:
        """Return the new lines that report an error; the rest is only in the file."""
        if not self._log.exists():
            return []
        with self._log.open("rb") as file:
            if self._log.stat().st_size < self._place:
                self._place = 0
            file.seek(self._place)
            whole, _, unfinished = file.read().rpartition(b"\n")
            self._place = file.tell() - len(unfinished)
        found = [line for line in whole.splitlines() if _ALARMING.search(line)]
        return [line.decode(errors="replace") for line in found[:MOST_LINES]]
