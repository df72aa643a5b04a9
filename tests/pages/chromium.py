"""A Chromium for the tests: on the path, Playwright's own, or the system's package."""

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL = ("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk")


def find_chromium(playwright: Playwright) -> str:
    """Return the path of a Chromium; installs the system's package where that is allowed.

    Raises `AssertionError` with a sentence that says what to do where there is none.
    """
    found = _on_path() or _own(playwright)
    if found is None and _may_install():
        subprocess.run(("apt-get", "update"), check=False, capture_output=True)
        subprocess.run(INSTALL, check=False, capture_output=True)
        found = _on_path()
    assert found is not None, (
        "The pages are tested in a browser, and there is no Chromium here: install one"
        " (apt-get install chromium, or .venv/bin/playwright install chromium) and run again."
    )
    return found


def _on_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _own(playwright: Playwright) -> str | None:
    path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _may_install() -> bool:
    return os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get") is not None
