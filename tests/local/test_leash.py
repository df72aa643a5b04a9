"""A command on a leash ends with whoever started it, and leaves nothing running."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loyalty.local.processes import LEASH, is_alive, start_leashed
from tests.local.running import wait_until

FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note():
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
note()
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setpgid(0, 0)
        note()
        break
time.sleep(120)
"""
"""A command, the first to note its pid, with four descendants that left its session; all deaf."""


def family_of(note: Path) -> list[int]:
    wait_until(lambda: note.exists() and len(note.read_text().splitlines()) == 5)
    return [int(line) for line in note.read_text().split()]


@pytest.mark.parametrize("mode", ("exec", "keep"))
def test_a_command_dies_with_a_starter_that_is_killed(tmp_path: Path, mode: str) -> None:
    starter = (
        "import sys, time; from loyalty.local.processes import start_leashed;"
        f"print(start_leashed([sys.executable, '-c', {'import time; time.sleep(120)'!r}],"
        f" mode={mode!r}).pid, flush=True); time.sleep(120)"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_alive(pid)
        process.kill()
    wait_until(lambda: not is_alive(pid))


def test_a_command_does_not_start_where_its_starter_is_gone_already(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    stranger = str(os.getpid() + 1 if os.getppid() != os.getpid() + 1 else os.getpid() + 2)
    words = ["exec", stranger, "15", "-", "touch", str(mark)]
    command = [sys.executable, "-I", "-S", str(LEASH), *words]
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0
    assert not mark.exists()


def test_nothing_that_a_kept_command_started_is_left_when_it_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "family"
    keeper = start_leashed([sys.executable, "-c", FAMILY, str(note)], mode="keep")
    family = family_of(note)
    os.kill(family[0], signal.SIGKILL)
    keeper.wait(60)
    assert not any(map(is_alive, family))


def test_a_kept_command_that_is_told_twice_is_killed_with_all_that_it_started(
    tmp_path: Path,
) -> None:
    note = tmp_path / "family"
    keeper = start_leashed([sys.executable, "-c", FAMILY, str(note)], mode="keep")
    family = family_of(note)
    keeper.send_signal(signal.SIGTERM)
    while keeper.poll() is None:
        keeper.send_signal(signal.SIGTERM)
    assert not any(map(is_alive, family))


def test_a_kept_command_that_ends_by_itself_gives_its_status() -> None:
    assert start_leashed([sys.executable, "-c", "raise SystemExit(7)"], mode="keep").wait(60) == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_command_as_another_user_dies_with_its_starter_too(tmp_path: Path) -> None:
    starter = (
        "import time; from loyalty.local.processes import start_leashed;"
        "print(start_leashed(['sleep', '120'], user='65534:65534').pid, flush=True);"
        "time.sleep(120)"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        wait_until(lambda: Path(f"/proc/{pid}").stat().st_uid == 65534)
        process.kill()
    wait_until(lambda: not is_alive(pid))
