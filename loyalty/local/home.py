"""The folder that one running Quanyi has to itself: data, keys, logs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loyalty.local.processes import CannotStart


@contextmanager
def occupied(home: Path) -> Iterator[bool]:
    """Hold `home` for this process alone; yield whether the last one to hold it was killed.

    Makes the folder where there is none. Others may pass through it (the database's user, when
    we are root) and see nothing; keys and logs are for us alone. Raises `CannotStart`.
    """
    try:
        for folder, mode in ((home, 0o711), (home / "keys", 0o700), (home / "logs", 0o700)):
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(mode)
        note = os.fdopen(os.open(home / "running", os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise CannotStart(
            f"Cannot write to {home} ({error.strerror}); set QUANYI_HOME to a folder of yours"
        ) from error
    with note:
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(
                f"Quanyi runs in {home} already (process {note.read().strip()}). Stop it first,"
                " or set QUANYI_HOME and PORT to others."
            ) from error
        was_killed = bool(note.read())
        _write(note.fileno(), str(os.getpid()))
        yield was_killed
        _write(note.fileno(), "")


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, text.encode(), 0)
