"""Secrets in files of the keys folder: made on first need, readable by this user alone.

Keys live outside the database, so that whoever can read one cannot forge the other. Several
hosts that serve one installation share the folder.
"""

import os
import secrets
from functools import cache
from pathlib import Path

from loyalty.settings import settings

SECRET_BYTES = 32


def keys_folder() -> Path:
    """Return the keys folder, made with mode 0700 where it is missing."""
    return _made(settings().keys)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def read_or_create(path: Path, content: bytes) -> bytes:
    """Return what stands in `path`; where nothing does, write `content` there with mode 0600.

    Whoever comes second reads what the first wrote: a link appears whole, and only once.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first; its secret counts
        finally:
            draft.unlink()
    return path.read_bytes()


def read_secret(name: str) -> bytes:
    """Return the 32 secret bytes called `name`, the same in every process of an installation."""
    return _read_secret(settings().keys, name)


@cache
def _read_secret(folder: Path, name: str) -> bytes:
    return read_or_create(_made(folder) / f"{name}.secret", secrets.token_bytes(SECRET_BYTES))
