"""Plain functions that seal, sign, verify and tamper."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import text

import ledger
from ledger import checkpoints, sealing
from loyalty.database import SEALER_ROLE, transaction
from tests.ledger.builders import LATER, PAST, SOON, World, act, build_world, earn, posted, redeem
from tests.servers import Database

VERIFIER = Path(ledger.__file__).parent / "verifier"


@dataclass(frozen=True)
class Answer:
    """What the verifier answered."""

    status: int
    report: dict[str, Any]
    errors: str

    @property
    def first(self) -> dict[str, Any]:
        return self.report["first"]

    def names(self, **key: object) -> bool:
        """Whether a finding is about a row with this key."""
        return any(key.items() <= found["key"].items() for found in self.report["findings"])


def seal_all(log: sealing.Log = sealing.LEDGER, *, limit: int = 10_000) -> int:
    count = 0
    while True:
        with transaction(SEALER_ROLE) as session:
            done = sealing.seal(session, log, limit=limit, patience=30)
        count += done
        if done < limit:
            return count


def sign(keys: Path, log: sealing.Log = sealing.LEDGER) -> checkpoints.Checkpoint:
    checkpoints.create_sealing_key(keys)
    signer = checkpoints.load_signer(keys, "https://bank.example")
    with transaction(SEALER_ROLE) as session:
        checkpoint = checkpoints.sign_checkpoint(session, log, signer)
    assert checkpoint is not None
    return checkpoint


def verify(*arguments: object) -> Answer:
    command = [sys.executable, "-I", str(VERIFIER), "--json", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    report = json.loads(done.stdout) if done.stdout else {}
    return Answer(done.returncode, report, done.stderr)


def verifier() -> Any:
    """The verifier's modules in this process, to call it often without starting it each time."""
    sys.path.insert(0, str(VERIFIER))
    try:
        spec = importlib.util.spec_from_file_location("verifier_main", VERIFIER / "__main__.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(VERIFIER))
    return module


def verify_here(module: Any, source: Any, keys: Path, exported: Path | None = None) -> Answer:
    report = module.Report()
    public = module.read_keys([keys / checkpoints.PUBLIC_KEY])
    module.verify(source, public, module.read_exported(exported) if exported else [], report)
    return Answer(1 if report.count else 0, report.as_json(), "")


def verify_database(database: Database, keys: Path, *arguments: object) -> Answer:
    public = keys / checkpoints.PUBLIC_KEY
    return verify("--url", database.superuser_url, "--public-key", public, *arguments)


def as_superuser(database: Database, *statements: str) -> None:
    """Do what nobody should be able to do: without triggers, constraints or grants."""
    with psycopg.connect(database.superuser_url) as connection:
        drop_guards(connection)
        for statement in statements:
            connection.execute(statement)


def drop_guards(connection: psycopg.Connection) -> None:
    """Take away all that the database itself refuses, in this transaction."""
    connection.execute("SET LOCAL session_replication_role = replica")
    for (table,) in connection.execute(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
        " WHERE schemaname = 'ledger' OR tablename IN"
        " ('audit_events', 'consent_events', 'decisions')"
    ).fetchall():
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for table, constraint in connection.execute(
        "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint"
        " WHERE contype = 'c' AND connamespace = 'ledger'::regnamespace"
    ).fetchall():
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


def rich_world(*, wait: bool = True) -> World:
    """A wallet's log with every kind of act in it, and a second and a third wallet."""
    world = build_world(floor=-1000)
    with transaction() as session:
        opened = ledger.open_wallets(session, world.house.unit_id, ["cus:2", "cus:3"])
    other, third = opened["cus:2"], opened["cus:3"]
    posted(earn(world, 100, "soon", expires_at=SOON))
    posted(earn(world, 100, "late", expires_at=LATER))
    posted(earn(world, 40, "gone", expires_at=PAST))
    posted(earn(world, 25, "pending", available_from=SOON, expires_at=LATER))
    spent = posted(redeem(world, 130, "r1")).lines[0]
    posted(act(world, "v1", "reverse", ledger.Reverse(world.wallet, spent.position, 50)))
    hold = posted(act(world, "h1", "hold", ledger.Hold(world.wallet, 60, SOON)))
    capture = ledger.Capture(world.wallet, hold.entry_id, world.house.redeemed, 20)
    posted(act(world, "c1", "capture", capture))
    posted(act(world, "l1", "release", ledger.Release(world.wallet, hold.entry_id, 15)))
    posted(act(world, "x1", "expire", ledger.Expire(world.wallet, world.house.expired)))
    undone = ledger.Reverse(world.wallet, 3, expired_account=world.house.expired)
    posted(act(world, "v2", "reverse", undone))
    posted(earn(world, 500, "e-other", wallet=other))
    posted(redeem(world, 499, "r-other", wallet=other))
    gift = (
        ledger.Move(world.wallet, world.house.clearing, 7),
        ledger.Move(world.house.clearing, third, 7),
    )
    posted(act(world, "g1", "gift", *gift))
    posted(earn(world, 900, "big"))
    bought = posted(redeem(world, 900, "r2")).lines[0]
    assert bought
    big = next(n for n in range(1, 100) if amount_at(world.wallet, n) == 900)
    posted(act(world, "v3", "reverse", ledger.Reverse(world.wallet, big)))  # leaves a debt
    posted(earn(world, 300, "pays debt"))
    lapsing = ledger.Hold(world.wallet, 1, datetime.now(UTC) + timedelta(milliseconds=300))
    posted(earn(world, 2000, "rest"))
    posted(act(world, "h2", "hold", lapsing))
    if wait:
        with transaction() as session:
            session.execute(text("SELECT pg_sleep(0.35)"))
    cause = {"purchase": "pur_1", "rules": [1, 2], "名": "值", "nothing": None, "yes": True}
    posted(ledger.Entry(world.wallet, "test", "why", "earn", earn(world, 3, "x").acts, None, cause))
    posted(redeem(world, 5, "r3"))
    return world


def amount_at(account: int, position: int) -> int | None:
    with transaction() as session:
        return session.execute(
            text("SELECT amount FROM ledger.transfers WHERE account_id = :a AND position = :p"),
            {"a": account, "p": position},
        ).scalar()
