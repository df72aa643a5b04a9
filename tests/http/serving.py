"""The web processes as production runs them, for a test to kill; and a plain client of them."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from loyalty.local.processes import start_leashed
from loyalty.settings import CHECKOUT
from tests.outbox.conftest import wait_until
from tests.staff.conftest import Account

WORKERS = 2
PATIENCE = 60.0  # seconds


class Answer(NamedTuple):
    """What came back for one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


class Web:
    """gunicorn with several workers; what it says goes to `log`. It keeps its port."""

    def __init__(self, log: Path, environ: Mapping[str, str] | None = None) -> None:
        self.port = int(os.environ["PORT"])
        self.log = log
        self._environ = {**os.environ, "WEB_WORKERS": str(WORKERS), **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._connections: list[Connection] = []

    def start(self) -> None:
        """Start the processes and return once they serve."""
        command = [sys.executable, "-m", "gunicorn", "-c", "loyalty/web/gunicorn.py", "wsgi:app"]
        with self.log.open("ab") as output:
            self._process = start_leashed(
                command, environ=self._environ, folder=CHECKOUT, output=output
            )
        asking = self.connect()
        wait_until(lambda: self._is_ready(asking), PATIENCE)

    def kill(self) -> None:
        """End every process of the server at once, in the middle of whatever it does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Close every connection and end the server, where it has not ended yet."""
        while self._connections:
            self._connections.pop().close()
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def connect(self, token: str = "", timeout: float = 30.0) -> "Connection":
        """Return a connection of its own to the server, with a token or without."""
        self._connections.append(Connection(self.port, token, timeout))
        return self._connections[-1]

    def token(self, account: Account) -> str:
        """Return an access token that `account` gets with its secret, as its system would."""
        form = {
            "grant_type": "client_credentials",
            "client_id": account.client_id,
            "client_secret": account.secret,
        }
        answer = self.connect().send(
            "POST",
            "/v1/oauth/token",
            urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == 200, answer.body
        return str(answer.content["access_token"])

    def _is_ready(self, asking: "Connection") -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return asking.get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False  # not yet


class Connection:
    """One kept-alive connection. Raises `OSError` or `HTTPException` where it breaks."""

    def __init__(self, port: int, token: str, timeout: float) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._headers = {"Accept-Language": "en"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> Answer:
        """Return what a GET answers."""
        return self.send("GET", path, None, {})

    def post(self, path: str, body: bytes, key: str) -> Answer:
        """Return what a POST of JSON answers."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self.send("POST", path, body, headers)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        """Send a request and return its whole answer; a broken connection is not kept."""
        try:
            self._connection.request(method, path, body, {**self._headers, **headers})
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return Answer(answer.status, dict(answer.getheaders()), content)

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._connection.close()
