"""Start the supervisor as a person would, watch what it prints, see what it leaves behind."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loyalty.settings import CHECKOUT

LONG = 60.0  # seconds; what has not happened by then does not happen


class Run:
    """One supervisor in a process of its own, with the stand-in plan."""

    def __init__(self, home: Path, port: int, wrapper: Sequence[str] = (), **environ: str) -> None:
        self.home = home
        ours = ("DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "QUANYI_ENV")
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "tests.local.stand_in"],
            cwd=CHECKOUT,
            env={**inherited, "QUANYI_HOME": str(home), "PORT": str(port), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.printed = ""

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        wait_until(lambda: not processes_of(self.home))

    def wait_for(self, text: str) -> None:
        """Return once it printed `text`."""
        assert self.process.stdout is not None
        until = time.monotonic() + LONG
        while text not in self.printed:
            assert select.select([self.process.stdout], [], [], until - time.monotonic())[0], (
                f"no {text!r} in {self.printed!r}"
            )
            piece = os.read(self.process.stdout.fileno(), 65536).decode()
            assert piece, f"it ended without {text!r}: {self.printed}"
            self.printed += piece

    def end(self, number: signal.Signals | None = None) -> int:
        """Send signal `number`, if any, and return the exit status; reads what it still prints."""
        if number is not None:
            self.process.send_signal(number)
        self.printed += self.process.communicate(timeout=LONG)[0].decode()
        return self.process.returncode

    def note(self, name: str) -> dict[str, Any]:
        """Return the settings that program `name` was given."""
        found: dict[str, Any] = json.loads((self.home / f"{name}.json").read_text())
        return found


def processes_of(home: Path) -> dict[int, str]:
    """Return every live process that works in `home` or was told of it, with its command."""
    mark = os.fsencode(home)
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            traces = (
                command
                + (folder / "environ").read_bytes()
                + os.fsencode((folder / "cwd").readlink())
            )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended, a zombie, or somebody else's
        if mark in traces:
            found[int(folder.name)] = command.replace(b"\0", b" ").decode()
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds."""
    until = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.02)
