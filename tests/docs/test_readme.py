"""The README's first five minutes work as written: every command of the tour is run."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.checkpoints import create_sealing_key
from loyalty import customers, points
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.demo import sample
from loyalty.settings import CHECKOUT, settings
from tests.http.serving import Web
from tests.servers import Database, forget_connections

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
SHOWN = ("DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "QUANYI_HOME", "QUANYI_ENV", "PORT")


def tour() -> list[str]:
    """Return the commands of the tour, block by block."""
    _, _, rest = README.partition("## The first five minutes")
    part, _, _ = rest.partition("\n## ")
    return re.findall(r"```sh\n(.*?)```", part, re.DOTALL)


@pytest.fixture
def folder(database: Database, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder as the checkout looks to someone after `make run`, with the app running."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        environment.setenv("PORT", str(probe.getsockname()[1]))
    home = tmp_path / ".quanyi"
    shutil.copytree(settings().keys, home / "keys")
    environment.setenv("QUANYI_HOME", str(home))
    environment.setenv("QUANYI_ENV", "development")
    forget_connections()
    create_sealing_key(settings().keys)
    commands = tmp_path / ".venv" / "bin"
    commands.mkdir(parents=True)
    for name, module in (("python", ""), ("loyalty", "-m loyalty ")):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n', encoding="utf-8")
        script.chmod(0o755)
    (tmp_path / "ledger").symlink_to(CHECKOUT / "ledger")
    exports = [f"export {name}='{os.environ[name]}'" for name in SHOWN]
    (home / "environment").write_text("\n".join(exports) + "\n", encoding="utf-8")
    load_customer()
    web = Web(tmp_path / "web.log")
    web.start()
    yield tmp_path
    web.stop()


def load_customer() -> None:
    with transaction() as session:
        programme = sample.open_sample(session)
        customers.register(session, [NewCustomer(reference="10370", invented=True)])
        at = datetime.now(UTC) - timedelta(days=3)
        bought = [points.NewPurchase(f"p{n}", "10370", at, 9_900) for n in range(3)]
        points.record_purchases(session, programme, sample.SOURCE, bought)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour is told with curl")
def test_every_command_of_the_tour_does_what_it_says(folder: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "LANG": "C.UTF-8"}
    script = "set -e\n" + "\necho '-- next --'\n".join(tour())
    ran = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    _, balance, bought, overview, _, _ = ran.stdout.split("-- next --")
    assert '"available":297' in balance
    assert '"outcome":"recorded"' in bought
    assert '"points":128' in bought
    assert '"same_again":true' in overview


def test_the_readme_begins_with_the_two_commands() -> None:
    assert README.index("make run") < README.index("make test") < 200
