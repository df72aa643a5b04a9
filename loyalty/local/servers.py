"""The servers of one running Quanyi: embedded ones, except where the environment names others."""

import shlex
import signal
from collections.abc import Mapping
from pathlib import Path

from loyalty.local.passwords import VALKEY, read_passwords
from loyalty.local.postgres import SUPERUSER, Postgres
from loyalty.local.roles import LOGINS, OWNER, WORKER, create_database, create_roles
from loyalty.local.valkey import Valkey

DATABASE = "quanyi"


class Servers:
    """Starts what the environment does not name, and says where everything is."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        """Keep data, keys and logs below `home`; nothing starts yet."""
        self._environ = environ
        self._passwords = read_passwords(home / "keys" / "servers.json")
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        if not environ.get("DATABASE_URL"):
            log = home / "logs" / "postgres.log"
            self.postgres = Postgres(home, log, self._passwords[SUPERUSER])
        if not environ.get("REDIS_URL"):
            self.valkey = Valkey(home, home / "logs" / "valkey.log", self._passwords[VALKEY])

    def embedded(self) -> dict[str, Postgres | Valkey]:
        """Return the servers that we run ourselves, by name, in the order of their start."""
        servers = {"PostgreSQL": self.postgres, "Valkey": self.valkey}
        return {name: server for name, server in servers.items() if server is not None}

    def start(self) -> None:
        """Start the embedded servers, with the roles and the database in place."""
        for server in self.embedded().values():
            server.start()
        if self.postgres is not None:
            create_roles(self.postgres.url(), self._passwords)
            create_database(self.postgres.url(), DATABASE)

    def stop(self, number: signal.Signals | None = None) -> None:
        """Stop the embedded servers, the database last; `number` hurries them."""
        for server in reversed(self.embedded().values()):
            if number is None:
                server.stop()
            else:
                server.stop(number)

    def addresses(self, login: str = WORKER, *, as_owner: bool = False) -> dict[str, str]:
        """Return the settings by which a program with `login` finds the servers.

        Only what migrates learns the owner's address.
        """
        found = {"DATABASE_URL": self._environ.get("DATABASE_URL", "")}
        if as_owner:
            owner_url = self._environ.get("OWNER_DATABASE_URL")
            found["OWNER_DATABASE_URL"] = owner_url or found["DATABASE_URL"]
        if self.postgres is not None:
            found["DATABASE_URL"] = self._url(self.postgres, login)
            if as_owner:
                found["OWNER_DATABASE_URL"] = self._url(self.postgres, OWNER)
        found["REDIS_URL"] = self.valkey.url() if self.valkey else self._environ["REDIS_URL"]
        return found

    def _url(self, postgres: Postgres, login: str) -> str:
        assert login in LOGINS
        return postgres.url(login, self._passwords[login], DATABASE)


def write_shell_settings(path: Path, values: Mapping[str, str]) -> None:
    """Write `values` for a shell to read with `.`; for us alone, as they hold passwords."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(values.items())]
    path.write_text("".join(lines))
