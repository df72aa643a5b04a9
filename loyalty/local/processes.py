"""Processes of this machine: start one on a leash, see whether one lives, find a free port."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

LEASH = Path(__file__).with_name("leash.py")


class CannotStart(Exception):
    """Something did not start; the message says what, and what to do."""


def start_leashed(
    command: Sequence[str | Path],
    *,
    mode: str = "exec",
    death: signal.Signals = signal.SIGTERM,
    user: str = "-",
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` so that it dies with this process; see `leash.py` for `mode` and `user`.

    The kernel ties the leash to the thread that starts it: call this from the main thread.
    The command leads a session of its own, so Ctrl-C in a terminal reaches its starter alone.
    """
    return subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", LEASH),
            *(mode, str(os.getpid()), str(int(death)), user),
            *command,
        ],
        stdin=stdin,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        env=environ,
        cwd=folder,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes], number: signal.Signals, patience: float) -> None:
    """Send signal `number`, and kill the process where that took more than `patience` seconds."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_alive(pid: int) -> bool:
    """Return whether process `pid` runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def candidate_ports(port: int) -> list[int]:
    """Return the ports to try in turn: `port` itself where it is set, else free ones.

    A server that comes back keeps its address; another process may take a free port first.
    """
    return [port or free_port() for _ in range(3)]


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def last_lines(path: Path, count: int = 12) -> str:
    """Return the end of a log, for a message; empty where there is none."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
