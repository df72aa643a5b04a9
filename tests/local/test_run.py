"""One command starts everything on a machine, and ends without a trace but the data."""

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from loyalty.local.processes import free_port
from tests.local.running import Run, processes_of, wait_until
from tests.servers import Servers, private_folder


@pytest.fixture
def home() -> Iterator[Path]:
    with private_folder() as folder:
        yield folder / "a home"  # the space is meant


@pytest.fixture
def port() -> int:
    return free_port()


def pid_of(home: Path, words: str) -> int:
    """Return the process whose command has `words` in it; not the leash above it."""
    found = processes_of(home).items()
    return next(pid for pid, line in found if words in line and "leash.py" not in line)


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_a_signal_stops_everything_and_a_second_start_finds_the_data(
    home: Path, port: int, number: signal.Signals
) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        with psycopg.connect(run.note("migrate")["OWNER_DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        assert run.end(number) == 0
        assert processes_of(home) == {}
        assert "Stopped" in run.printed
    with Run(home, port) as run:
        run.wait_for("Welcome")
        with psycopg.connect(run.note("migrate")["OWNER_DATABASE_URL"]) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


def test_a_killed_supervisor_takes_everything_with_it_and_loses_nothing(
    home: Path, port: int
) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        with psycopg.connect(run.note("migrate")["OWNER_DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        assert len(processes_of(home)) > 8
        run.process.kill()
        wait_until(lambda: not processes_of(home))
    with Run(home, port) as run:
        run.wait_for("Welcome")
        with psycopg.connect(run.note("migrate")["OWNER_DATABASE_URL"]) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
        assert run.end(signal.SIGTERM) == 0


def test_a_killed_run_can_be_started_again_at_once(home: Path, port: int) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        run.process.kill()
        with Run(home, port) as again:
            again.wait_for("Welcome")


def test_each_program_learns_only_the_addresses_that_it_needs(home: Path, port: int) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        assert "quanyi_owner:" in run.note("migrate")["OWNER_DATABASE_URL"]
        web = run.note("web")
        assert "quanyi_web:" in web["DATABASE_URL"]
        assert web["OWNER_DATABASE_URL"] is None
        assert web["QUANYI_ENV"] == "development"
        assert web["PORT"] == str(port)
        with redis.Redis.from_url(web["REDIS_URL"]) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_passwords_and_logs_are_for_the_owner_alone(home: Path, port: int) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        for name in ("keys/servers.json", "environment"):
            assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
        for name in ("keys", "logs", "postgres", "valkey"):
            assert stat.S_IMODE((home / name).stat().st_mode) == 0o700
        assert run.end(signal.SIGTERM) == 0
        assert not (home / "environment").exists()


def test_the_shell_settings_reach_the_running_database(home: Path, port: int) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        script = '. "$1" && exec "$2" -c "import os; print(os.environ[\'DATABASE_URL\'])"'
        command = ["sh", "-c", script, "sh", str(home / "environment"), sys.executable]
        url = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("quanyi",)


def test_a_service_that_dies_is_started_again(home: Path, port: int) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        os.kill(pid_of(home, "serve_forever"), signal.SIGKILL)
        run.wait_for("web | ended with status")
        wait_until(lambda: _answers(port))


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(("name", "words"), (("PostgreSQL", "-D"), ("Valkey", "valkey-server")))
def test_a_server_that_dies_comes_back_at_its_address(
    home: Path, port: int, name: str, words: str
) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        os.kill(pid_of(home, words), signal.SIGKILL)
        run.wait_for(f"{name} ended unasked")
        given = run.note("web")

        def answers() -> bool:
            try:
                psycopg.connect(given["DATABASE_URL"]).close()
                with redis.Redis.from_url(given["REDIS_URL"]) as client:
                    client.ping()
            except (psycopg.OperationalError, redis.ConnectionError):
                return False
            return True

        wait_until(answers)
        assert run.end(signal.SIGTERM) == 0


def test_a_second_run_in_the_same_home_is_refused_and_harms_nothing(home: Path, port: int) -> None:
    with Run(home, port) as run:
        run.wait_for("Welcome")
        second = Run(home, free_port())
        assert second.end() == 1
        assert f"runs in {home} already (process {run.process.pid})" in second.printed
        assert run.process.poll() is None


def test_a_port_in_use_is_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Run(home, port) as run:
            assert run.end() == 1
            assert f"Port {port} is in use" in run.printed


def test_a_step_that_fails_stops_the_start_and_leaves_nothing(home: Path, port: int) -> None:
    with Run(home, port, STEP="sys.exit(3)") as run:
        assert run.end() == 1
        assert "failed with status 3" in run.printed
        assert processes_of(home) == {}


def test_a_signal_during_a_step_stops_everything(home: Path, port: int) -> None:
    slow = "print('Slow', flush=True)\nimport time; time.sleep(300)"
    with Run(home, port, STEP=slow) as run:
        run.wait_for("Slow")
        assert run.end(signal.SIGINT) == 0
        assert processes_of(home) == {}


def test_no_embedded_server_starts_where_the_environment_names_one(
    home: Path, port: int, servers: Servers
) -> None:
    url, redis_url = servers.superuser_url, servers.redis_url
    with Run(home, port, DATABASE_URL=url, OWNER_DATABASE_URL=url, REDIS_URL=redis_url) as run:
        run.wait_for("Welcome")
        assert run.note("web")["DATABASE_URL"] == url
        assert run.note("web")["REDIS_URL"] == redis_url
        assert run.note("web")["OWNER_DATABASE_URL"] is None
        assert not (home / "postgres").exists()
        assert not (home / "valkey").exists()


def test_an_unwritable_home_is_refused_with_what_to_do(port: int) -> None:
    with Run(Path("/proc/nowhere"), port) as run:
        assert run.end() == 1
        assert "QUANYI_HOME" in run.printed


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_needs_no_help(home: Path, port: int) -> None:
    user = pwd.getpwnam("nobody")
    home.mkdir()
    os.chown(home, user.pw_uid, user.pw_gid)
    with Run(home, port, wrapper=_as_user(user)) as run:
        run.wait_for("Welcome")
        for name in ("postgres", "valkey", "keys"):
            assert (home / name).stat().st_uid == user.pw_uid
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in processes_of(home)} == {user.pw_uid}
        assert run.end(signal.SIGTERM) == 0
        assert processes_of(home) == {}


def _as_user(user: pwd.struct_passwd) -> list[str]:
    """Return the words before a command that run it as `user`, who may at least read our Python.

    Root's own interpreter may stand in a folder that is closed to others.
    """
    wrapper = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    python = Path(sys.executable).resolve()
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in python.parents):
        wrapper += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return wrapper
