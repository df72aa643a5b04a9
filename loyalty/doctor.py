"""The doctor: looks at everything that must be right before values are kept here.

Each check says what it found and what to do. In production the app does not start on a red one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import migrations
from loyalty import policy
from loyalty.database import APP_ROLE, transaction
from loyalty.settings import Settings, settings
from loyalty.web import Refused

GOOD, WARNING, RED = "ok", "warning", "red"
OLDEST_SERVER = 15
GREATEST_SKEW = timedelta(seconds=2)
OLDEST_CHECKPOINT = timedelta(hours=1)
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KEY_FILES = ("vault.json", "sealing.pem")

# What the app must not be able to do to what is append-only.
FORBIDDEN = ("UPDATE", "DELETE", "TRUNCATE")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `remedy` says what to do where it is not good."""

    check: str
    state: str
    found: str
    remedy: str = ""


class Unhealthy(Exception):
    """The app must not start: the message lists what is red and what to do."""


def examine() -> list[Finding]:
    """Return what every check finds. Raises nothing but for bad settings."""
    chosen = settings()
    findings = [*_look_at_process(chosen), *_look_at_keys(chosen.keys), _look_at_redis(chosen)]
    try:
        with transaction() as session:
            for check in DATABASE_CHECKS:
                findings += check(session)
    except SQLAlchemyError as fault:
        reason = type(fault).__name__
        findings.append(
            Finding("database", RED, f"does not answer ({reason})", "check DATABASE_URL")
        )
    return findings


def refuse_to_start_sick() -> None:
    """Return in development; in production raise `Unhealthy` where anything is red."""
    if not settings().is_production:
        return
    red = [finding for finding in examine() if finding.state == RED]
    if red:
        raise Unhealthy("; ".join(f"{f.check}: {f.found}: {f.remedy}" for f in red))


def _look_at_process(chosen: Settings) -> Iterator[Finding]:
    debug = os.environ.get("FLASK_DEBUG", "") not in ("", "0", "false")
    yield Finding("debug", RED if debug else GOOD, "on" if debug else "off", "unset FLASK_DEBUG")
    development = not chosen.is_production
    yield Finding(
        "environment",
        WARNING if development else GOOD,
        chosen.environment,
        "set QUANYI_ENV=production where real customers are",
    )


def _look_at_keys(folder: Path) -> Iterator[Finding]:
    for name in KEY_FILES:
        path = folder / name
        if not path.exists():
            remedy = "loyalty keys create" if name == "vault.json" else "loyalty proof create-key"
            yield Finding(f"key {name}", RED, "is missing", f"run: {remedy}")
        elif stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(f"key {name}", RED, "others may read it", f"run: chmod 600 {path}")
        else:
            yield Finding(f"key {name}", GOOD, "is there, for this user alone")


def _look_at_redis(chosen: Settings) -> Finding:
    parts = urlsplit(chosen.redis_url)
    try:
        with redis.Redis.from_url(chosen.redis_url, socket_timeout=1) as client:
            client.ping()
    except redis.RedisError as fault:
        found = f"does not answer ({type(fault).__name__})"
        return Finding("redis", WARNING, found, "values are safe; work waits for the relay")
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    try:
        with redis.Redis.from_url(bare, socket_timeout=1) as client:
            client.ping()
    except redis.RedisError:
        return Finding("redis", GOOD, "answers, with a password only")
    here = parts.scheme == "unix" or parts.hostname in LOOPBACK
    return Finding(
        "redis", WARNING if here else RED, "answers without a password", "set requirepass"
    )


def _look_at_server(session: Session) -> Iterator[Finding]:
    version = int(_ask(session, "SELECT current_setting('server_version_num')::int / 10000"))
    yield Finding(
        "postgresql",
        GOOD if version >= OLDEST_SERVER else RED,
        f"version {version}",
        f"use {OLDEST_SERVER} or newer",
    )
    for name in DURABLE:
        value = str(_ask(session, f"SELECT current_setting('{name}')"))
        off = value == "off"
        yield Finding(name, RED if off else GOOD, value, f"set {name} = on")


def _look_at_shape(session: Session) -> Iterator[Finding]:
    heads = ScriptDirectory(str(migrations.FOLDER)).get_heads()
    at = str(_ask(session, "SELECT version_num FROM alembic_version"))
    current = [at] == heads
    yield Finding("migrations", GOOD if current else RED, at, "run: loyalty migrate")


def _look_at_powers(session: Session) -> Iterator[Finding]:
    role = str(_ask(session, "SELECT current_user"))
    yield Finding("role", GOOD if role == APP_ROLE else RED, role, f"connect as {APP_ROLE}")
    login = bool(
        _ask(
            session,
            "SELECT rolsuper OR pg_has_role(rolname, (SELECT tableowner FROM pg_tables"
            " WHERE schemaname = 'ledger' AND tablename = 'transfers'), 'MEMBER')"
            " FROM pg_roles WHERE rolname = session_user",
        )
    )
    yield Finding(
        "login",
        RED if login else GOOD,
        "may act as the tables' owner" if login else "is not the tables' owner",
        "give the app a login of its own that is a member of quanyi_app only",
    )
    powers = [
        power
        for power in FORBIDDEN
        if _ask(session, f"SELECT has_table_privilege('ledger.transfers', '{power}')")
    ]
    yield Finding(
        "powers",
        RED if powers else GOOD,
        f"may {', '.join(powers)} transfers" if powers else "may only insert and read transfers",
        "revoke them from quanyi_app",
    )
    silent = _ask(
        session,
        "SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('ledger', 'loyalty')"
        " AND t.tgname LIKE '%append_only' AND t.tgenabled <> 'A'",
    )
    yield Finding(
        "append-only triggers",
        RED if silent else GOOD,
        f"{silent} are not always on" if silent else "are always on",
        "ALTER TABLE … ENABLE ALWAYS TRIGGER …, and find out who switched them off",
    )


def _look_at_clock(session: Session) -> Iterator[Finding]:
    skew = abs(_ask(session, "SELECT clock_timestamp()") - datetime.now(UTC))
    yield Finding(
        "clock",
        GOOD if skew <= GREATEST_SKEW else RED,
        f"{skew.total_seconds():.2f} s from the database's",
        "keep both hosts on the same time source",
    )


def _look_at_proof(session: Session) -> Iterator[Finding]:
    at = _ask(session, "SELECT max(at) FROM ledger.checkpoints WHERE log = 'ledger'")
    entries = bool(_ask(session, "SELECT EXISTS (SELECT FROM ledger.entries)"))
    if at is None:
        state = WARNING if entries else GOOD
        yield Finding("checkpoint", state, "none yet", "run: loyalty seal")
        return
    age = datetime.now(UTC) - at
    yield Finding(
        "checkpoint",
        GOOD if age <= OLDEST_CHECKPOINT else WARNING,
        f"the last is {int(age.total_seconds() // 60)} minutes old",
        "is the relay running? run: loyalty seal",
    )


def _look_at_outbox(session: Session) -> Iterator[Finding]:
    dead = int(_ask(session, "SELECT count(*) FROM loyalty.outbox WHERE dead_at IS NOT NULL"))
    yield Finding(
        "outbox",
        WARNING if dead else GOOD,
        f"{dead} events were given up" if dead else "nothing was given up",
        "run: loyalty outbox dead",
    )


def _look_at_policy(session: Session) -> Iterator[Finding]:
    """Look at what the gate decides by: without a pack in force nothing is decided or sent."""
    keys = settings().keys
    private = keys / "policy.pem"
    if private.exists() and stat.S_IMODE(private.stat().st_mode) & 0o077:
        yield Finding("policy key", RED, "others may read it", f"run: chmod 600 {private}")
    try:
        pack = policy.pack_in_force(session, keys)
    except policy.NoPack:
        yield Finding("policy pack", WARNING, "none is in force", "run: loyalty policy enact")
    except Refused:
        remedy = "put the public key that signed it into the folder of keys, or enact another"
        yield Finding("policy pack", RED, "is not signed by the key that is here", remedy)
    else:
        yield Finding("policy pack", GOOD, f"{pack.version}, signed by our key")


DATABASE_CHECKS: tuple[Callable[[Session], Iterator[Finding]], ...] = (
    _look_at_server,
    _look_at_shape,
    _look_at_powers,
    _look_at_clock,
    _look_at_proof,
    _look_at_outbox,
    _look_at_policy,
)


def _ask(session: Session, question: str) -> Any:
    return session.execute(text(question)).scalar_one()
