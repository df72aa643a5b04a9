"""The environment is made once, in any folder, and its `loyalty` runs the checkout."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loyalty.local import environment
from loyalty.settings import CHECKOUT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing to install, in a folder with a space in its name."""
    folder = tmp_path / "a checkout"
    program = Path(environment.__file__).relative_to(CHECKOUT)
    (folder / program.parent).mkdir(parents=True)
    shutil.copy(CHECKOUT / program, folder / program)
    (folder / "loyalty" / "__init__.py").touch()
    (folder / "loyalty" / "__main__.py").write_text(
        "import os, sys; print(sys.argv[1:], os.path.dirname(__file__))"
    )
    (folder / "a.lock").write_text("# nothing\n")
    return folder


def install(checkout: Path) -> str:
    program = checkout / "loyalty" / "local" / "environment.py"
    command = [sys.executable, "-I", str(program), "a.lock"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_is_made_once_for_one_lock_and_its_loyalty_runs_from_anywhere(checkout: Path) -> None:
    assert "Making" in install(checkout)
    assert install(checkout) == ""
    (checkout / "a.lock").write_text("# nothing new\n")
    assert "Installing" in install(checkout)
    command = [str(checkout / ".venv" / "bin" / "loyalty"), "two words", "*"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
    assert said.strip() == f"['two words', '*'] {checkout / 'loyalty'}"


def test_one_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("/nowhere/python")
    assert "Making" in install(checkout)
    assert subprocess.run([python, "-c", ""], check=False).returncode == 0
