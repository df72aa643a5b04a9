"""Make or refresh the checkout's `.venv` from a lock file: a program of its own.

    environment.py requirements.lock

Nothing is built: the checkout is put on the environment's path, and `loyalty` beside its Python.
Where the environment already holds that lock, this takes no time.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path  # nothing beyond the standard library: there is no environment yet

CHECKOUT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = CHECKOUT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"

COMMAND = """\
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -P -m loyalty "$@"
"""


def install(lock: Path) -> None:
    """Bring `.venv` to what `lock` says, every file checked against its hash.

    An environment that works keeps its Python, whichever one runs this.
    """
    stamp = ENVIRONMENT / f"{lock.name}.installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not _works():
        print(f"Making {ENVIRONMENT} with Python {sys.version.split()[0]}", flush=True)
        if ENVIRONMENT.exists():
            shutil.rmtree(ENVIRONMENT)
        _run(sys.executable, "-m", "venv", ENVIRONMENT)
    elif stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Installing what {lock.name} lists (once; a minute or so)", flush=True)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    # The lock is complete; resolved anew, a pinned extra fails once a newer release is out.
    _run(*pip, "--no-deps", "--require-hashes", "--requirement", lock)
    _put_checkout_on_path()
    stamp.write_text(wanted)


def _works() -> bool:
    """Return whether the environment's Python starts, is new enough and has pip."""
    question = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        asked = subprocess.run([PYTHON, "-c", question], check=False, capture_output=True)
    except OSError:
        return False
    return asked.returncode == 0


def _put_checkout_on_path() -> None:
    """Let the environment's Python import the checkout, wherever it is run from."""
    for packages in (ENVIRONMENT / "lib").glob("python*/site-packages"):
        (packages / "quanyi.pth").write_text(os.path.relpath(CHECKOUT, packages) + "\n")
    command = ENVIRONMENT / "bin" / "loyalty"
    command.write_text(COMMAND)
    command.chmod(0o755)


def _run(*command: str | Path) -> None:
    if (code := subprocess.run(command, check=False).returncode) != 0:
        sys.exit(f"This failed with status {code}: {' '.join(map(str, command))}")


def main(arguments: list[str]) -> None:
    """Install the lock file that the command line names, one installer at a time."""
    fcntl.flock(os.open(CHECKOUT, os.O_RDONLY), fcntl.LOCK_EX)
    try:
        install(CHECKOUT / arguments[0])
    except PermissionError as error:
        sys.exit(f"{error.filename} belongs to somebody else: use a checkout of your own")


if __name__ == "__main__":
    main(sys.argv[1:])
