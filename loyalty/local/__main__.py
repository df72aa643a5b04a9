"""`python -m loyalty.local run`: everything on this machine, until Ctrl-C."""

import os
import sys

from loyalty.local.processes import CannotStart
from loyalty.local.supervisor import run
from loyalty.settings import BadSetting


def main(arguments: list[str]) -> None:
    """Do what the command line asks, or exit with a message that says what to do."""
    if arguments != ["run"]:
        sys.exit("usage: python -m loyalty.local run")
    try:
        run(os.environ)
    except (BadSetting, CannotStart) as refusal:
        sys.exit(f"Quanyi cannot start: {refusal}")


if __name__ == "__main__":
    main(sys.argv[1:])
