"""Run Quanyi on one machine: servers, steps, services; stop all of it together.

Everything started here is on a leash (`leash.py`), so nothing survives this process, however it
ends. It stays single-threaded: the kernel ties a leash to the thread that starts it.
"""

import errno
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from loyalty.local.home import occupied
from loyalty.local.logs import shorten
from loyalty.local.plan import PLAN, Plan, Program
from loyalty.local.processes import CannotStart, last_lines, start_leashed
from loyalty.local.servers import Servers, write_shell_settings
from loyalty.local.service import Service
from loyalty.settings import CHECKOUT, read_home, read_port

READY_WITHIN = 120.0  # seconds
PORT_FREE_WITHIN = 5.0  # seconds that a killed run's web processes have to be gone
LOOK_EVERY = 0.2  # seconds


class Stopped(Exception):
    """Somebody asked us to stop."""


def run(environ: Mapping[str, str], plan: Plan = PLAN) -> None:
    """Run `plan` until SIGINT or SIGTERM; leave no process behind.

    Raises `CannotStart` or `BadSetting`, whose messages say what to do.
    """
    home, port = read_home(environ), read_port(environ)
    with occupied(home) as last_was_killed:
        _check_port(port, PORT_FREE_WITHIN if last_was_killed else 0.0)
        Supervisor(home, port, environ, plan).run()


def say(text: str, who: str = "") -> None:
    """Print one line for the person at the terminal, marked with whom it is about."""
    print(f"{who:>8} | {text}" if who else text, flush=True)


class Supervisor:
    """One run, from the first server to the last."""

    def __init__(self, home: Path, port: int, environ: Mapping[str, str], plan: Plan) -> None:
        """Prepare a run in `home`, which this process holds already; start nothing."""
        self._home = home
        self._port = port
        self._environ = environ
        self._plan = plan
        self._servers = Servers(home, environ)
        self._services: list[Service] = []
        self._signals = 0

    def run(self) -> None:
        """Start everything and keep it running until a signal asks to stop."""
        shell_settings = self._home / "environment"
        with self._signals_heard():
            try:
                self._start_servers()
                for step in self._plan.steps:
                    self._run_step(step, as_owner=True)
                self._start_services()
                write_shell_settings(shell_settings, self._settings(as_owner=True))
                self._run_step(self._plan.welcome)
                while True:
                    self._rest()
                    self._look_after_all()
            except Stopped:
                say("\nStopping")
            finally:
                shell_settings.unlink(missing_ok=True)
                self._stop_all()
        say(f"Stopped. All data are kept in {self._home}")

    @contextmanager
    def _signals_heard(self) -> Iterator[None]:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup has it ignored
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._note_signal) for number in numbers}
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _rest(self) -> None:
        """Let a moment pass; raise `Stopped` once a signal came."""
        if not self._signals:
            time.sleep(LOOK_EVERY)
        if self._signals:
            raise Stopped

    def _start_servers(self) -> None:
        if embedded := self._servers.embedded():
            say(f"Starting {' and '.join(embedded)}")
        self._servers.start()
        postgres = self._servers.postgres
        if postgres is not None and self._home not in postgres.folder.parents:
            say(f"The database is in {postgres.folder}, as its user cannot enter {self._home}")

    def _run_step(self, step: Program, *, as_owner: bool = False) -> None:
        process = self._start(step, as_owner=as_owner)
        try:
            while (status := process.poll()) is None:
                self._rest()
        finally:
            process.terminate()
            process.wait()
        if status != 0:
            raise CannotStart(f"`{' '.join(step.command)}` failed with status {status}")

    def _start_services(self) -> None:
        say(f"Starting {', '.join(program.name for program in self._plan.services)}")
        self._services = [self._service(program) for program in self._plan.services]
        until = time.monotonic() + READY_WITHIN
        while not _answers(f"http://127.0.0.1:{self._port}/readyz"):
            if time.monotonic() > until:
                logs = self._home / "logs"
                raise CannotStart(f"The web does not answer; {logs} has the reasons")
            self._rest()
            self._look_after_all()

    def _service(self, program: Program) -> Service:
        log = self._home / "logs" / f"{program.name}.log"
        return Service(program.name, log, lambda: self._start(program, log))

    def _start(
        self, program: Program, log: Path | None = None, *, as_owner: bool = False
    ) -> subprocess.Popen[bytes]:
        inherited = {k: v for k, v in self._environ.items() if k != "OWNER_DATABASE_URL"}
        settings = self._settings(program.login, as_owner=as_owner)
        output = None if log is None else log.open("ab")
        try:
            return start_leashed(
                program.command,
                mode="keep",
                environ={**inherited, **settings},
                folder=CHECKOUT,
                output=output,
            )
        finally:
            if output is not None:
                output.close()

    def _settings(self, login: str | None = None, *, as_owner: bool = False) -> dict[str, str]:
        return {
            "QUANYI_ENV": self._environ.get("QUANYI_ENV") or "development",
            "QUANYI_HOME": str(self._home),
            "PORT": str(self._port),
            **self._servers.addresses(login or self._plan.welcome.login, as_owner=as_owner),
        }

    def _look_after_all(self) -> None:
        for name, server in self._servers.embedded().items():
            shorten(server.log)
            if not server.is_running():
                say(f"{name} ended unasked and starts again. {server.log} ends:")
                for line in last_lines(server.log).splitlines():
                    say(line, name)
                server.start()
        for service in self._services:
            for line in service.look():
                say(line, service.name)

    def _stop_all(self) -> None:
        """Stop the services one after the other, then the servers; a second signal hurries."""
        for service in self._services:
            patient_with = self._signals
            service.ask_to_stop()
            while not service.has_stopped():
                if self._signals > patient_with:
                    patient_with = self._signals
                    service.ask_to_stop()
                time.sleep(0.02)
        self._servers.stop()


def _check_port(port: int, patience: float) -> None:
    until = time.monotonic() + patience
    while _is_taken(port):
        if time.monotonic() >= until:
            raise CannotStart(
                f"Port {port} is in use: stop what listens there, or choose another,"
                " as in `make run PORT=8001`"
            )
        time.sleep(0.05)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise CannotStart(f"Port {port} cannot be used: {error.strerror}") from error
        return False


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False  # not yet
