"""Run one command that cannot outlive whoever started it: a program of its own.

    leash.py exec PARENT SIGNAL USER COMMAND...   become COMMAND, which gets SIGNAL once PARENT dies
    leash.py keep PARENT SIGNAL USER COMMAND...   stay above COMMAND, and leave nothing of it behind

USER is `-` (stay who we are) or `uid:gid`. `keep` passes SIGTERM on to COMMAND and gives it some
seconds, none once it is told again or PARENT is dead; at the end it kills whatever COMMAND left
running, grandchildren that changed their process group or session included.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path  # nothing beyond the standard library: it runs without site-packages

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE = 10.0  # seconds that a kept command has to stop by itself


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process; Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def die_with(parent: int, number: int) -> None:
    """Have the kernel send signal `number` to this process when `parent` dies."""
    prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit("the process that asked for this one is gone")


def become_user(user: str) -> None:
    """Give up the present user for `uid:gid`; changing users also clears the death signal."""
    if user != "-":
        uid, gid = map(int, user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def keep(command: list[str], parent: int) -> int:
    """Run `command` below this process, and return its exit status once nothing of it is left."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    watched = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
        die_with(keeper, signal.SIGKILL)
        os.execvp(command[0], command)
    status = _wait(child, parent, watched)
    _kill_the_rest()
    return status


def _wait(child: int, parent: int, watched: set[signal.Signals]) -> int:
    until = float("inf")
    while True:
        heard = signal.sigtimedwait(watched, min(1.0, max(0.0, until - time.monotonic())))
        if heard is not None and heard.si_signo != signal.SIGCHLD:
            told_before = until < float("inf")
            until = 0.0 if told_before else time.monotonic() + GRACE
            os.kill(child, signal.SIGTERM)
        if time.monotonic() > until or os.getppid() != parent:
            os.kill(child, signal.SIGKILL)
        for pid, status in _ended():
            if pid == child:
                return os.waitstatus_to_exitcode(status)


def _ended() -> list[tuple[int, int]]:
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def _kill_the_rest() -> None:
    """Kill the descendants: as each dies its own children become ours, until there are none."""
    while True:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    me = str(os.getpid())
    return [int(pid) for pid, parent in _parents() if parent == me]


def _parents() -> list[tuple[str, str]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            found.append((folder.name, stat.rpartition(")")[2].split()[1]))
    return found


def main(arguments: list[str]) -> int:
    """Do what the command line asks; return the exit status of a kept command."""
    mode, parent, number, user, *command = arguments
    become_user(user)
    die_with(int(parent), int(number))
    if mode != "keep":
        os.execvp(command[0], command)
    return keep(command, int(parent))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) & 0xFF)
